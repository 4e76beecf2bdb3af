// The tile main loop: the one matrix product on which the whole convolution triangle runs.
//
//   C (rows, cols) = A (rows, depth) B (depth, cols)
//
// An operand is a *source*, a virtual matrix whose elements are found on the fly (conv.cu has the patches of an image),
// so no patch matrix ever exists in memory. A block computes one tile of C. It walks along the depth in steps of 16;
// the panels of A and B that the next steps need are on their way into shared memory while this one is multiplied:
//
//            step 0    step 1    step 2    step 3            a ring of `stages` pairs of panels
//   copy   [ A0 B0 ] [ A1 B1 ] [ A2 B2 ] [ A3 B3 ]  ...      cp.async, 16 bytes where the source allows, else a number
//   multiply                   [ A0 B0 ] [ A1 B1 ]  ...      one barrier per step
//
// A panel lies in shared memory as its source does, since cp.async cannot turn it round: `by rows` when the depth runs
// along the source's memory, `by depth` when the rows (or columns of C) do. The padding between lines makes the reads
// of a warp hit 32 different banks in both.
//
//   by rows    panel[row * (16 + pad) + k]          by depth    panel[k * (Rows + pad) + row]
//
// There are two ways to multiply panels. Fma holds a micro-tile of C in each thread's registers, 8x8 or less, and reads
// 16 bytes at a time: 16 loads per 256 multiply-adds. Tf32 holds 16x8 tiles in the registers of a warp, for the tensor
// cores. The choice of tile and of the number of splits of the depth is made by the launcher, at the end of this page.
#pragma once
#include <algorithm>

#include "kernels/cuda/device.h"
#include "kernels/cuda/index.h"

namespace forger::kernels {
namespace {

// ---- sizes ----------------------------------------------------------------------------------------------------------

constexpr int tile_depth = 16;  // of one step

template <int Rows, int Cols, int Threads>
struct Tile {
  static constexpr int rows = Rows, cols = Cols, threads = Threads;
};
using LargeTile = Tile<128, 128, 256>;
using SmallTile = Tile<64, 64, 128>;
using NarrowTile = Tile<128, 32, 128>;  // for images and maps of few channels

// What a multiprocessor shall hold at a time: 128 registers for each thread. The shared memory of sm_75 is for half.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
constexpr int resident_threads = 256;
#else
constexpr int resident_threads = 512;
#endif

// ---- operands -------------------------------------------------------------------------------------------------------
//
// A source is a virtual matrix of lines and columns: line(i) and column(j) decode an index, at(line, column) is the
// address of that element, null for a zero. Neighbouring columns are neighbours in memory: any if the source is a plain
// matrix, packs of 16 bytes within `packed` sources.

template <class T>
struct Matrix {
  using Scalar = T;
  const T* data;
  int step;  // elements from one line to the next

  __device__ const T* line(int index) const { return data + int64_t{index} * step; }
  __device__ int column(int index) const { return index; }
  __device__ const T* at(const T* line, int column) const { return line + column; }
};

// Shared memory for the (Rows, tile_depth) block of an operand.
template <class T, int Rows, bool ByRows>
struct Panel {
  static constexpr bool by_rows = ByRows;
  static constexpr int lines = ByRows ? Rows : tile_depth, columns = ByRows ? tile_depth : Rows;
  static constexpr int step = columns + (ByRows ? 16 : 32) / int{sizeof(T)};
  static constexpr int size = lines * step;
  __device__ static constexpr int at(int row, int k) { return by_rows ? row * step + k : k * step + row; }
};

// The part of a source that begins at (line, column), up to its ends, into a panel; zeros beyond them. A thread copies
// always the same column, of every few lines. In a panel by rows, lines that 8 lanes write in packs are 4 apart: 80
// numbers, 16 banks of floats, so that they have 32 banks to themselves. (Neighbouring lines would share 4, as they do in
// large tiles, which have no register left for this.)
template <class Panel, int Threads, int Width, class Source>
__device__ __forceinline__ void copy_panel(const Source& source, int line, int lines, int column, int columns,
                                           typename Source::Scalar* panel) {
  constexpr int per_line = Panel::columns / Width;
  static_assert(Threads % per_line == 0);
  const int offset = static_cast<int>(threadIdx.x) % per_line * Width;
  const auto at_column = source.column(column + offset);
  int first = static_cast<int>(threadIdx.x) / per_line;
  if constexpr (Panel::by_rows && Width > 1 && Threads < LargeTile::threads) {
    static_assert(Threads / per_line % 8 == 0);
    first = first / 8 * 8 + first % 2 * 4 + first % 8 / 2;
  }
#pragma unroll(Width == 1 ? 1 : 4)  // many copies of one number: unrolled, their lines would fill the registers
  for (int i = first; i < Panel::lines; i += Threads / per_line) {
    const bool inside = line + i < lines && column + offset < columns;
    const auto* from = inside ? source.at(source.line(line + i), at_column) : nullptr;
    cp_async<Width* int{sizeof(*from)}>(panel + i * Panel::step + offset, from, from != nullptr);
  }
}

template <class S, bool ByRows>
struct Operand {
  using Source = S;
  using Scalar = typename Source::Scalar;
  template <int Rows>
  using PanelOf = Panel<Scalar, Rows, ByRows>;
  Source source;
  bool packed;  // whether 16 bytes can be copied at a time

  template <int Rows, int Threads>
  __device__ __forceinline__ void copy(int row, int rows, int k, int depth, Scalar* panel) const {
    using P = PanelOf<Rows>;
    constexpr int pack = Pack<Scalar>::size;
    const int line = ByRows ? row : k, lines = ByRows ? rows : depth;
    const int column = ByRows ? k : row, columns = ByRows ? depth : rows;
    if (packed) {
      copy_panel<P, Threads, pack>(source, line, lines, column, columns, panel);
    } else {
      copy_panel<P, Threads, 1>(source, line, lines, column, columns, panel);
    }
  }
};
template <class Source>
using ByRows = Operand<Source, true>;
template <class Source>
using ByDepth = Operand<Source, false>;

// ---- results --------------------------------------------------------------------------------------------------------

// The first `count` of Width numbers of a thread that are neighbours in a row: all by one store where rows are packed,
// made of whole and aligned packs.
template <int Width, class T>
__device__ __forceinline__ void store_run(T* to, const T (&numbers)[Width], bool packed, int count) {
  if constexpr (Width > 1) {
    using Words = std::conditional_t<Width * sizeof(T) == 8, float2, Pack<T>>;
    static_assert(sizeof(Words) == Width * sizeof(T));
    if (packed) {
      if constexpr (sizeof(Words) == 8) {
        *reinterpret_cast<Words*>(to) = make_float2(numbers[0], numbers[1]);
      } else {
        Words pack;
#pragma unroll
        for (int i = 0; i < Width; i++) pack.v[i] = numbers[i];
        store_pack(to, pack);
      }
      return;
    }
  }
#pragma unroll
  for (int i = 0; i < Width; i++)
    if (i < count) to[i] = numbers[i];
}

// Where C lies: line(row) is the offset of a row of C in the destination.
struct RowsOut {
  int step;
  __device__ int64_t line(int row) const { return int64_t{row} * step; }
};

// An epilogue is what is done to a number of C before it is stored: f(x, column).
struct Identity {
  template <class T>
  __device__ T operator()(T x, int) const {
    return x;
  }
};

template <class T>
struct BiasActivation {
  const T* bias;  // (cols), or null
  Activation activation;
  T slope;  // of leaky_relu
  __device__ T operator()(T x, int column) const {
    if (bias) x += bias[column];
    if (activation == Activation::relu) return x <= T{0} ? T{0} : x;  // a NaN stays
    return activation == Activation::none || x > T{0} ? x : slope * x;
  }
};

// One product, or several that are computed by one launch: `rows`, `cols` and `depth` are then the largest of any part,
// and part(i) is one of them. Parts write to different places, which together are the whole destination.
template <class A, class B, class Out, class Epilogue = Identity>
struct Product {
  using Scalar = typename A::Scalar;
  A a;
  B b;
  Out out;
  int rows, cols, depth;
  Epilogue epilogue{};

  static constexpr int parts = 1;
  __device__ const Product& part(int) const { return *this; }
};

// ---- multiplying panels ---------------------------------------------------------------------------------------------
//
// owns(rows, cols): whether C, which ends after so many rows and columns of the tile, has any number of this thread's.
// Threads without one copy panels and leave the multiplying to others.

// On plain multiply-adds. Thread (v, h) of (16, Threads/16) owns the micro-tile of some rows and some columns of C. A
// warp is 4 x 8 such threads, so that it reads few different addresses at a time.
template <class T, class Tile, class A, class B>
class Fma {
 public:
  static constexpr int stages = 3;

  __device__ static bool owns(int c_rows, int c_cols) {
    return row_of<A, side_v>(v(), 0) < c_rows && row_of<B, side_h>(h(), 0) < c_cols;
  }

  __device__ __forceinline__ void multiply(const T* a, const T* b) {
#pragma unroll 1
    for (int k = 0; k < tile_depth; k += pack) {
      T a_part[rows][pack];
#pragma unroll
      for (int i = 0; i < rows; i += pack) load<A, side_v>(a, v(), i, k, &a_part[i]);
#pragma unroll
      for (int j = 0; j < cols; j += pack) {
        T b_part[pack][pack];
        load<B, side_h>(b, h(), j, k, b_part);
#pragma unroll
        for (int p = 0; p < pack; p++) {
#pragma unroll
          for (int i = 0; i < rows; i++) {
#pragma unroll
            for (int c = 0; c < pack; c++) sums_[i][j + c] += a_part[i][p] * b_part[c][p];
          }
        }
      }
    }
  }

  // store(begin(row), column, sums) for this thread's numbers of the tile, those together that are neighbours in a row.
  template <class Begin, class Store>
  __device__ __forceinline__ void for_each(const Begin& begin, const Store& store) const {
    constexpr int width = B::by_rows || rows * cols > 32 ? 1 : pack;  // 8x8 leave no registers to put them together
#pragma unroll
    for (int i = 0; i < rows; i++) {
      const auto line = begin(row_of<A, side_v>(v(), i));
#pragma unroll
      for (int j = 0; j < cols; j += width) {
        T run[width];
#pragma unroll
        for (int k = 0; k < width; k++) run[k] = sums_[i][j + k];
        store(line, row_of<B, side_h>(h(), j), run);
      }
    }
  }

 private:
  static constexpr int pack = Pack<T>::size;
  static constexpr int side_v = 16, side_h = Tile::threads / 16;
  static constexpr int rows = Tile::rows / side_v, cols = Tile::cols / side_h;  // of a micro-tile

  __device__ static int v() {
    return static_cast<int>(threadIdx.x) / (4 * side_h) * 4 + static_cast<int>(threadIdx.x) % 32 / 8;
  }
  __device__ static int h() {
    return static_cast<int>(threadIdx.x) / 32 % (side_h / 8) * 8 + static_cast<int>(threadIdx.x) % 8;
  }

  // The rows of a panel that a thread owns: every `Side`-th, in packs if neighbours lie together.
  template <class P, int Side>
  __device__ static constexpr int row_of(int thread, int i) {
    return P::by_rows ? i * Side + thread : (i / pack * Side + thread) * pack + i % pack;
  }

  // part[i][p] = the panel at this thread's row first + i, depth k + p
  template <class P, int Side>
  __device__ __forceinline__ static void load(const T* panel, int thread, int first, int k, T (*part)[pack]) {
#pragma unroll
    for (int i = 0; i < pack; i++) {
      const int row = row_of<P, Side>(thread, P::by_rows ? first + i : first);
      const Pack<T> words = load_pack(panel + P::at(row, P::by_rows ? k : k + i));
#pragma unroll
      for (int p = 0; p < pack; p++) (P::by_rows ? part[i][p] : part[p][i]) = words.v[p];
    }
  }

  T sums_[rows][cols] = {};
};

// On tensor cores. A warp owns 32 columns of the tile and its share of the rows, as tiles of 16x8. The fragments of
// mma_tf32 are read number by number, since a lane's are not neighbours.
template <class T, class Tile, class A, class B>
class Tf32 {
 public:
  static constexpr int stages = 4;

  __device__ static bool owns(int c_rows, int c_cols) { return first_row() < c_rows && first_col() < c_cols; }

  __device__ __forceinline__ void multiply(const T* a, const T* b) {
#pragma unroll
    for (int k = 0; k < tile_depth; k += 8) {
      uint32_t a_part[tiles_v][4], b_part[tiles_h][2];
#pragma unroll
      for (int i = 0; i < tiles_v; i++) {
#pragma unroll
        for (int f = 0; f < 4; f++) {
          a_part[i][f] = to_tf32(a[A::at(first_row() + 16 * i + f % 2 * 8 + group(), k + f / 2 * 4 + lane())]);
        }
      }
#pragma unroll
      for (int j = 0; j < tiles_h; j++) {
#pragma unroll
        for (int f = 0; f < 2; f++) {
          b_part[j][f] = to_tf32(b[B::at(first_col() + 8 * j + group(), k + 4 * f + lane())]);
        }
      }
#pragma unroll
      for (int i = 0; i < tiles_v; i++) {
#pragma unroll
        for (int j = 0; j < tiles_h; j++) mma_tf32(sums_[i][j], a_part[i], b_part[j]);
      }
    }
  }

  template <class Begin, class Store>
  __device__ __forceinline__ void for_each(const Begin& begin, const Store& store) const {
#pragma unroll
    for (int i = 0; i < 2 * tiles_v; i++) {
      const auto line = begin(first_row() + 8 * i + group());
#pragma unroll
      for (int j = 0; j < tiles_h; j++) {
        T run[2] = {sums_[i / 2][j][i % 2 * 2], sums_[i / 2][j][i % 2 * 2 + 1]};
        store(line, first_col() + 8 * j + 2 * lane(), run);
      }
    }
  }

 private:
  static constexpr int warps_h = Tile::cols / 32, warps_v = Tile::threads / 32 / warps_h;
  static constexpr int rows = Tile::rows / warps_v, tiles_v = rows / 16, tiles_h = 4;  // of a warp

  __device__ static int group() { return static_cast<int>(threadIdx.x) % 32 / 4; }
  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 4; }  // of the group
  __device__ static int first_row() { return static_cast<int>(threadIdx.x) / 32 / warps_h * rows; }
  __device__ static int first_col() { return static_cast<int>(threadIdx.x) / 32 % warps_h * 32; }

  float sums_[tiles_v][tiles_h][4] = {};
};

// ---- the loop -------------------------------------------------------------------------------------------------------

// Where a product goes: to its destination, or, the depth being split, each share of it to memory between. The last of
// a tile's blocks to end, known by the tile's ticket, then adds up what all of them left there, in the order of the
// splits, 16 bytes at a time.
template <class T>
struct Target {
  T* data;
  bool packed;  // whether every row of C there is made of whole, aligned packs
  int splits;
  T* shares;          // (part, tile, split, Tile::rows, Tile::cols); null when there is one split
  unsigned* tickets;  // (part, tile), drawn when there are several
};

template <template <class, class, class, class> class Math, class Tile, class Problem>
struct Loop {
  using T = typename Problem::Scalar;
  using A = typename decltype(Problem::a)::template PanelOf<Tile::rows>;
  using B = typename decltype(Problem::b)::template PanelOf<Tile::cols>;
  using Multiply = Math<T, Tile, A, B>;
  static constexpr int stages = Multiply::stages, stage_size = A::size + B::size;
  static constexpr size_t shared_bytes = stages * stage_size * sizeof(T);
};

// Block (x, y): tile x, column by column of tiles, so that blocks that run together read the same rows; share y.
template <template <class, class, class, class> class Math, class Tile, class Problem>
__global__ void __launch_bounds__(Tile::threads, resident_threads / Tile::threads)
    multiply(Problem problem, Target<typename Problem::Scalar> target) {
  using L = Loop<Math, Tile, Problem>;
  using T = typename L::T;
  const int split = static_cast<int>(blockIdx.y) % target.splits, part = static_cast<int>(blockIdx.y) / target.splits;
  const auto& product = problem.part(part);
  const int tiles_h = ceil_div(product.cols, Tile::cols), tile = static_cast<int>(blockIdx.x);
  const int row = tile / tiles_h * Tile::rows, col = tile % tiles_h * Tile::cols;
  if (row >= product.rows) return;  // this part has fewer than others

  const int all_steps = ceil_div(product.depth, tile_depth), share = ceil_div(all_steps, target.splits);
  const int begin = split * share * tile_depth, end = min(product.depth, begin + share * tile_depth);
  const int steps = begin < end ? ceil_div(end - begin, tile_depth) : 0;

  T* const panels = dynamic_shared<T>();
  const auto copy = [&](int step) {
    if (step < steps) {
      T* const a = panels + step % L::stages * L::stage_size;
      const int k = begin + step * tile_depth;
      product.a.template copy<Tile::rows, Tile::threads>(row, product.rows, k, end, a);
      product.b.template copy<Tile::cols, Tile::threads>(col, product.cols, k, end, a + L::A::size);
    }
    cp_async_commit();  // empty groups too: they keep the count
  };

  typename L::Multiply math;
  const bool owns = math.owns(product.rows - row, product.cols - col);
#pragma unroll 1  // `copy` is long
  for (int step = 0; step < L::stages - 1; step++) copy(step);
  for (int step = 0; step < steps; step++) {
    cp_async_wait<L::stages - 2>();
    __syncthreads();             // this step's panels have come, and all threads are done with the last step's
    copy(step + L::stages - 1);  // into the last step's
    const T* const a = panels + step % L::stages * L::stage_size;
    if (owns) math.multiply(a, a + L::A::size);
  }

  constexpr int share_size = Tile::rows * Tile::cols, pack = Pack<T>::size;
  const bool whole = target.splits == 1;
  const int place = part * static_cast<int>(gridDim.x) + tile;
  T* const shares = whole ? nullptr : target.shares + int64_t{place} * target.splits * share_size;
  const auto destination = [&](int i) { return target.data + product.out.line(row + i) + col; };
  math.for_each(
      [&](int i) -> T* {
        if (row + i >= product.rows) return nullptr;
        return whole ? destination(i) : shares + split * share_size + i * Tile::cols;
      },
      [&]<int Width>(T* line, int j, T(&sums)[Width]) {
        const int count = product.cols - col - j;
        if (!line || count <= 0) return;
#pragma unroll
        for (int k = 0; k < Width; k++)
          if (whole && k < count) sums[k] = problem.epilogue(sums[k], col + j + k);
        store_run(line + j, sums, !whole || target.packed, count);
      });
  if (whole || !last_block(target.tickets + place, static_cast<unsigned>(target.splits))) return;

  const int rows = min(Tile::rows, product.rows - row), cols = min(Tile::cols, product.cols - col);
  const int packs = ceil_div(cols, pack);
#pragma unroll 4
  for (int k = static_cast<int>(threadIdx.x); k < rows * packs; k += Tile::threads) {
    const int i = k / packs, j = k % packs * pack;
    const T* const at = shares + i * Tile::cols + j;
    Pack<T> sum = load_pack(at);
    for (int other = 1; other < target.splits; other++) {
      const Pack<T> more = load_pack(at + other * share_size);
#pragma unroll
      for (int p = 0; p < pack; p++) sum.v[p] += more.v[p];
    }
#pragma unroll
    for (int p = 0; p < pack; p++)
      if (j + p < cols) sum.v[p] = problem.epilogue(sum.v[p], col + j + p);
    store_run(destination(i) + j, sum.v, target.packed, cols - j);
  }
}

// ---- launching ------------------------------------------------------------------------------------------------------

// Too few blocks to fill the GPU share out the depth: as many splits as fill it twice, none shallower than this. So
// there are several only where parts * tiles are no more than the multiprocessors, hence than the tickets. And parts *
// splits, which the grid's second axis counts, is at most twice the multiprocessors, or parts alone: a transposed
// convolution's phases, stride_h * stride_w of them, far below the 65,535 of that axis.
constexpr int split_depth = 256;

template <template <class, class, class, class> class Math, class Tile, class Problem>
void multiply_on(const Problem& problem, typename Problem::Scalar* y) {
  using T = typename Problem::Scalar;
  using L = Loop<Math, Tile, Problem>;
  const int64_t tiles = ceil_div<int64_t>(problem.rows, Tile::rows) * ceil_div<int64_t>(problem.cols, Tile::cols);
  const int64_t room = 2 * std::min(multiprocessors(), ticket_count) / std::max<int64_t>(1, tiles * problem.parts);
  const int splits = static_cast<int>(std::clamp<int64_t>(problem.depth / split_depth, 1, std::max<int64_t>(1, room)));

  Target<T> target{y, packable(problem.cols, y), splits, nullptr, tickets()};
  if (splits > 1) {
    const int64_t blocks = tiles * problem.parts * splits;
    target.shares = static_cast<T*>(scratch(static_cast<size_t>(blocks * Tile::rows * Tile::cols) * sizeof(T)));
  }
  const double operations = 2.0 * problem.rows * problem.cols * problem.depth * problem.parts;
  const Grid grid{dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(problem.parts * splits)), Tile::threads,
                  L::shared_bytes, operations};
  launch<multiply<Math, Tile, Problem>>(grid, problem, target);
}

// Large tiles do the most with what they read, if they find enough work; small sides leave most of them empty.
template <template <class, class, class, class> class Math, class Problem>
void multiply_by_shape(const Problem& problem, typename Problem::Scalar* y) {
  const int64_t large = ceil_div<int64_t>(problem.rows, LargeTile::rows) *
                        ceil_div<int64_t>(problem.cols, LargeTile::cols) * problem.parts *
                        std::max(1, problem.depth / split_depth);
  if (problem.cols <= NarrowTile::cols) {
    multiply_on<Math, NarrowTile>(problem, y);
  } else if (problem.rows <= SmallTile::rows || problem.cols <= SmallTile::cols || large < multiprocessors()) {
    multiply_on<Math, SmallTile>(problem, y);
  } else {
    multiply_on<Math, LargeTile>(problem, y);
  }
}

inline bool has_tensor_cores() {
#ifdef __CUDACC__
  static const bool found = [] {
    int major = 0;
    check_cuda(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), "asking for compute capability");
    return major >= 8;
  }();
  return found;
#else
  return true;
#endif
}

// y (size) = the product, or all parts of it.
template <class Problem>
void run(const Problem& problem, typename Problem::Scalar* y, int64_t size) {
  if (size == 0) return;
  if constexpr (sizeof(typename Problem::Scalar) == 8) {
    multiply_on<Fma, SmallTile>(problem, y);
  } else if (math_mode() == MathMode::tf32 && has_tensor_cores()) {
    multiply_by_shape<Tf32>(problem, y);
  } else {
    multiply_by_shape<Fma>(problem, y);
  }
}

}  // namespace
}  // namespace forger::kernels
