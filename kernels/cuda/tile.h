// The tile main loop: the one matrix product on which the whole convolution triangle runs.
//
//   C (rows, cols) = A (rows, depth) B (depth, cols)
//
// An operand is a *source*, a virtual matrix whose elements are found on the fly (conv.cu has the patches of an image),
// so no patch matrix ever exists in memory. A block computes one tile of C. It walks along the depth in steps of 16 (of
// 32 where A is bfloat16); the panels of A and B that the next steps need are on their way into shared memory while this
// one is multiplied:
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
// There are three ways to multiply panels. Fma holds a micro-tile of C in each thread's registers, 8x8 or less, and reads
// 16 bytes at a time: 16 loads per 256 multiply-adds. Tf32 holds 16x8 tiles in the registers of a warp, for the tensor
// cores, and so does Bf16, whose panels are of bfloat16, or of floats that it rounds (weights). The choice of tile and of
// the number of splits of the depth is made by the launcher, at the end of this page.
#pragma once
#include <algorithm>

#include "kernels/cuda/device.h"
#include "kernels/cuda/index.h"

namespace forger::kernels {
namespace {

// ---- sizes ----------------------------------------------------------------------------------------------------------

template <class T>
constexpr int step_depth = sizeof(T) == 2 ? 32 : 16;  // of a product whose A is of type T

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

// Shared memory for the (Rows, Depth) block of an operand. The padding is what the reads of each way to multiply ask for:
// of 16 bytes by rows and of numbers by depth (Fma and Tf32), of rows of matrices (Bf16), of pairs by rows and of every
// other number by depth (Bf16, of floats).
template <class T, int Rows, bool ByRows, int Depth>
struct Panel {
  using Scalar = T;
  static constexpr bool by_rows = ByRows;
  static constexpr int lines = ByRows ? Rows : Depth, columns = ByRows ? Depth : Rows;
  static constexpr int padding = sizeof(T) == 2 || ByRows == (Depth == 16) ? 16 : 32;  // bytes
  static constexpr int step = columns + padding / int{sizeof(T)};
  static constexpr int size = lines * step, bytes = size * int{sizeof(T)};
  __device__ static constexpr int at(int row, int k) { return by_rows ? row * step + k : k * step + row; }
};

// The part of a source that begins at (line, column), up to its ends, into a panel; zeros beyond them. A thread copies
// always the same column, of every few lines. In a panel by rows, two lines that 8 lanes write in packs are 4 apart: 320
// bytes, 16 banks, so that they have 32 banks to themselves. (Neighbouring lines would share 4, as they do in
// large tiles, which have no register left for this.)
template <class Panel, int Threads, int Width, class Source>
__device__ __forceinline__ void copy_panel(const Source& source, int line, int lines, int column, int columns,
                                           typename Source::Scalar* panel) {
  constexpr int per_line = Panel::columns / Width;
  static_assert(Threads % per_line == 0);
  const int offset = static_cast<int>(threadIdx.x) % per_line * Width;
  const auto at_column = source.column(column + offset);
  int first = static_cast<int>(threadIdx.x) / per_line;
  if constexpr (Panel::by_rows && per_line == 4 && Threads < LargeTile::threads) {
    static_assert(Threads / per_line % 8 == 0);
    first = first / 8 * 8 + first % 2 * 4 + first % 8 / 2;
  }
#pragma unroll(Width == 1 || Width == 8 ? 1 : 4)  // unrolled, lines of other widths would fill the registers
  for (int i = first; i < Panel::lines; i += Threads / per_line) {
    const bool inside = line + i < lines && column + offset < columns;
    const auto* from = inside ? source.at(source.line(line + i), at_column) : nullptr;
    cp_async<Width* int{sizeof(*from)}>(panel + i * Panel::step + offset, from, from != nullptr);
  }
}

// The same of bfloat16 that are no neighbours, or do not lie by packs: less than cp.async can copy. In pairs, since two
// threads would meet in a word of shared memory.
template <class Panel, int Threads, class Source>
__device__ __forceinline__ void copy_pairs(const Source& source, int line, int lines, int column, int columns,
                                           bfloat16* panel) {
  constexpr int per_line = Panel::columns / 2;
  static_assert(Threads % per_line == 0);
  const int offset = static_cast<int>(threadIdx.x) % per_line * 2;
  const auto low = source.column(column + offset), high = source.column(column + offset + 1);
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x) / per_line; i < Panel::lines; i += Threads / per_line) {
    float pair[2] = {};
    if (line + i < lines) {
      const auto at_line = source.line(line + i);
      const bfloat16* const from[] = {column + offset < columns ? source.at(at_line, low) : nullptr,
                                      column + offset + 1 < columns ? source.at(at_line, high) : nullptr};
      if (from[0]) pair[0] = *from[0];
      if (from[1]) pair[1] = *from[1];
    }
    store(panel + i * Panel::step + offset, pair);
  }
}

template <class S, bool ByRows>
struct Operand {
  using Source = S;
  using Scalar = typename Source::Scalar;
  template <int Rows, int Depth>
  using PanelOf = Panel<Scalar, Rows, ByRows, Depth>;
  Source source;
  bool packed;  // whether 16 bytes can be copied at a time

  template <class P, int Threads>
  __device__ __forceinline__ void copy(int row, int rows, int k, int depth, Scalar* panel) const {
    constexpr int pack = Pack<Scalar>::size;
    const int line = ByRows ? row : k, lines = ByRows ? rows : depth;
    const int column = ByRows ? k : row, columns = ByRows ? depth : rows;
    if (packed) {
      copy_panel<P, Threads, pack>(source, line, lines, column, columns, panel);
    } else if constexpr (sizeof(Scalar) == 2) {
      copy_pairs<P, Threads>(source, line, lines, column, columns, panel);
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
__device__ __forceinline__ void store_run(T* to, const Wide<T> (&numbers)[Width], bool packed, int count) {
  if constexpr (Width > 1) {
    if (packed) {
      if constexpr (Width * sizeof(T) == 8) {
        *reinterpret_cast<float2*>(to) = make_float2(numbers[0], numbers[1]);
      } else {
        store(to, numbers);
      }
      return;
    }
  }
#pragma unroll
  for (int i = 0; i < Width; i++)
    if (i < count) to[i] = T(numbers[i]);
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
  using Left = typename A::Scalar;
  using Right = typename B::Scalar;
  using Sum = Wide<Left>;
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
    for (int k = 0; k < step_depth<T>; k += pack) {
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

// On tensor cores. A warp owns 32 columns of the tile and its share of the rows, as tiles of 16x8.
template <class Tile>
class WarpTiles {
 public:
  __device__ static bool owns(int c_rows, int c_cols) { return first_row() < c_rows && first_col() < c_cols; }

  template <class Begin, class Store>
  __device__ __forceinline__ void for_each(const Begin& begin, const Store& store) const {
#pragma unroll
    for (int i = 0; i < 2 * tiles_v; i++) {
      const auto line = begin(first_row() + 8 * i + group());
#pragma unroll
      for (int j = 0; j < tiles_h; j++) {
        float run[2] = {sums_[i / 2][j][i % 2 * 2], sums_[i / 2][j][i % 2 * 2 + 1]};
        store(line, first_col() + 8 * j + 2 * lane(), run);
      }
    }
  }

 protected:
  static constexpr int warps_h = Tile::cols / 32, warps_v = Tile::threads / 32 / warps_h;
  static constexpr int rows = Tile::rows / warps_v, tiles_v = rows / 16, tiles_h = 4;  // of a warp

  __device__ static int group() { return static_cast<int>(threadIdx.x) % 32 / 4; }
  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 4; }  // of the group
  __device__ static int first_row() { return static_cast<int>(threadIdx.x) / 32 / warps_h * rows; }
  __device__ static int first_col() { return static_cast<int>(threadIdx.x) / 32 % warps_h * 32; }

  float sums_[tiles_v][tiles_h][4] = {};
};

// The fragments of mma_tf32 are read number by number, since a lane's are not neighbours.
template <class T, class Tile, class A, class B>
class Tf32 : public WarpTiles<Tile> {
  using Warp = WarpTiles<Tile>;
  using Warp::first_row, Warp::first_col, Warp::group, Warp::lane, Warp::tiles_v, Warp::tiles_h, Warp::sums_;

 public:
  static constexpr int stages = 4;

  __device__ __forceinline__ void multiply(const T* a, const T* b) {
#pragma unroll
    for (int k = 0; k < step_depth<T>; k += 8) {
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
};

// The fragments of mma_bf16 come as matrices of 8x8, four by one instruction: of A the quarters of 16x16, of B the halves
// of two tiles' 16x8. Where B is of floats, its numbers are read and rounded in pairs.
template <class T, class Tile, class A, class B>
class Bf16 : public WarpTiles<Tile> {
  using Warp = WarpTiles<Tile>;
  using Warp::first_row, Warp::first_col, Warp::group, Warp::lane, Warp::tiles_v, Warp::tiles_h, Warp::sums_;
  using Weight = typename B::Scalar;

 public:
  static constexpr int stages = 3;

  __device__ __forceinline__ void multiply(const bfloat16* a, const Weight* b) {
    const int within = static_cast<int>(threadIdx.x) % 8, matrix = static_cast<int>(threadIdx.x) % 32 / 8;
#pragma unroll 1  // both halves of the step at once would fill the registers
    for (int k = 0; k < step_depth<bfloat16>; k += 16) {
      uint32_t a_part[tiles_v][4];
#pragma unroll
      for (int i = 0; i < tiles_v; i++)
        load_part<A>(a, first_row() + 16 * i + matrix % 2 * 8, k + matrix / 2 * 8, within, a_part[i]);
#pragma unroll
      for (int j = 0; j < tiles_h; j += 2) {
        uint32_t b_part[4];  // two tiles' two
        if constexpr (sizeof(Weight) == 2) {
          load_part<B>(b, first_col() + 8 * j + matrix / 2 * 8, k + matrix % 2 * 8, within, b_part);
        } else {
#pragma unroll
          for (int f = 0; f < 4; f++)
            b_part[f] = pair_of(b, first_col() + 8 * (j + f / 2) + group(), k + f % 2 * 8 + 2 * lane());
        }
#pragma unroll
        for (int i = 0; i < tiles_v; i++) {
          mma_bf16(sums_[i][j], a_part[i], {b_part[0], b_part[1]});
          mma_bf16(sums_[i][j + 1], a_part[i], {b_part[2], b_part[3]});
        }
      }
    }
  }

 private:
  // The matrix of this lane's eight begins at (row, k) of the panel; the lane names the one of its lines `within` it.
  template <class P>
  __device__ __forceinline__ static void load_part(const bfloat16* panel, int row, int k, int within,
                                                   uint32_t (&part)[4]) {
    load_matrices<!P::by_rows>(panel + (P::by_rows ? P::at(row + within, k) : P::at(row, k + within)), part);
  }
  // (column, k) and (column, k + 1)
  __device__ __forceinline__ static uint32_t pair_of(const float* panel, int column, int k) {
    if constexpr (B::by_rows) {
      const float2 pair = *reinterpret_cast<const float2*>(panel + B::at(column, k));
      return bfloat16_pair(pair.x, pair.y);
    } else {
      return bfloat16_pair(panel[B::at(column, k)], panel[B::at(column, k + 1)]);
    }
  }
};

// ---- the loop -------------------------------------------------------------------------------------------------------

// Where a product goes: to its destination, or, the depth being split, each share of it to memory between. The last of
// a tile's blocks to end, known by the tile's ticket, then adds up what all of them left there, in the order of the
// splits, 16 bytes at a time. A tile of bfloat16 is left in shared memory, whence it goes on in the same way: what a
// thread has of a row is too little for a sector.
template <class T>
struct Target {
  T* data;
  bool packed;  // whether every row of C there is made of whole, aligned packs
  int splits;
  Wide<T>* shares;    // (part, tile, split, Tile::rows, Tile::cols); null when there is one split
  unsigned* tickets;  // (part, tile), drawn when there are several
};

template <template <class, class, class, class> class Math, class Tile, class Problem, class T>
struct Loop {
  using Left = typename Problem::Left;
  using Right = typename Problem::Right;
  using Sum = typename Problem::Sum;
  static constexpr int depth = step_depth<Left>;
  using A = typename decltype(Problem::a)::template PanelOf<Tile::rows, depth>;
  using B = typename decltype(Problem::b)::template PanelOf<Tile::cols, depth>;
  using Multiply = Math<Sum, Tile, A, B>;
  static constexpr bool staged = !std::is_same_v<T, Sum>;  // C is
  static constexpr int staged_step = Tile::cols + 8;       // so that pairs of 4 rows have 32 banks
  static constexpr int stages = Multiply::stages;
  static constexpr int stage_size = (A::bytes + B::bytes) / int{sizeof(Left)};  // in numbers of A
  static constexpr size_t shared_bytes =
      std::max(stages * (A::bytes + B::bytes), staged ? Tile::rows* staged_step* int{sizeof(Sum)} : 0);
};

// Block (x, y): tile x, column by column of tiles, so that blocks that run together read the same rows; share y.
template <template <class, class, class, class> class Math, class Tile, class Problem, class T>
__global__ void __launch_bounds__(Tile::threads, resident_threads / Tile::threads)
    multiply(Problem problem, Target<T> target) {
  using L = Loop<Math, Tile, Problem, T>;
  using Sum = typename L::Sum;
  const int split = static_cast<int>(blockIdx.y) % target.splits, part = static_cast<int>(blockIdx.y) / target.splits;
  const auto& product = problem.part(part);
  const int tiles_h = ceil_div(product.cols, Tile::cols), tile = static_cast<int>(blockIdx.x);
  const int row = tile / tiles_h * Tile::rows, col = tile % tiles_h * Tile::cols;
  if (row >= product.rows) return;  // this part has fewer than others

  const int all_steps = ceil_div(product.depth, L::depth), share = ceil_div(all_steps, target.splits);
  const int begin = split * share * L::depth, end = min(product.depth, begin + share * L::depth);
  const int steps = begin < end ? ceil_div(end - begin, L::depth) : 0;

  using Left = typename L::Left;
  using Right = typename L::Right;
  Left* const panels = dynamic_shared<Left>();
  const auto copy = [&](int step) {
    if (step < steps) {
      Left* const a = panels + step % L::stages * L::stage_size;
      const int k = begin + step * L::depth;
      product.a.template copy<typename L::A, Tile::threads>(row, product.rows, k, end, a);
      product.b.template copy<typename L::B, Tile::threads>(col, product.cols, k, end,
                                                            reinterpret_cast<Right*>(a + L::A::size));
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
    const Left* const a = panels + step % L::stages * L::stage_size;
    if (owns) math.multiply(a, reinterpret_cast<const Right*>(a + L::A::size));
  }

  constexpr int share_size = Tile::rows * Tile::cols, pack = Pack<T>::size;
  const bool whole = target.splits == 1;
  const int place = part * static_cast<int>(gridDim.x) + tile;
  Sum* shares = whole ? nullptr : target.shares + int64_t{place} * target.splits * share_size;
  int shares_step = Tile::cols;
  if constexpr (L::staged) {
    if (whole) {
      shares = reinterpret_cast<Sum*>(panels);
      shares_step = L::staged_step;
      __syncthreads();  // all threads are done with the panels
    }
  }
  const auto destination = [&](int i) { return target.data + product.out.line(row + i) + col; };
  math.for_each(
      [&](int i) -> Sum* {
        if (row + i >= product.rows) return nullptr;
        if constexpr (!L::staged)
          if (whole) return destination(i);
        return shares + split * share_size + i * shares_step;
      },
      [&]<int Width>(Sum* line, int j, Sum(&sums)[Width]) {
        if (!line) return;
        if constexpr (L::staged) {
          store_run(line + j, sums, true, Width);  // also beyond the last column, where packs reach
        } else {
          const int count = product.cols - col - j;
          if (count <= 0) return;
#pragma unroll
          for (int k = 0; k < Width; k++)
            if (whole && k < count) sums[k] = problem.epilogue(sums[k], col + j + k);
          store_run(line + j, sums, !whole || target.packed, count);
        }
      });
  if (whole && !L::staged) return;
  if (whole) {
    __syncthreads();
  } else if (!last_block(target.tickets + place, static_cast<unsigned>(target.splits))) {
    return;
  }

  const int rows = min(Tile::rows, product.rows - row), cols = min(Tile::cols, product.cols - col);
  const int packs = ceil_div(cols, pack);
#pragma unroll 4
  for (int k = static_cast<int>(threadIdx.x); k < rows * packs; k += Tile::threads) {
    const int i = k / packs, j = k % packs * pack;
    const Sum* const at = shares + i * shares_step + j;
    Sum sum[pack];
    load(at, sum);
    for (int other = 1; other < target.splits; other++) {
      Sum more[pack];
      load(at + other * share_size, more);
#pragma unroll
      for (int p = 0; p < pack; p++) sum[p] += more[p];
    }
#pragma unroll
    for (int p = 0; p < pack; p++)
      if (j + p < cols) sum[p] = problem.epilogue(sum[p], col + j + p);
    store_run(destination(i) + j, sum, target.packed, cols - j);
  }
}

// ---- launching ------------------------------------------------------------------------------------------------------

// Too few blocks to fill the GPU share out the depth: as many splits as fill it twice, none shallower than this. So
// there are several only where parts * tiles are no more than the multiprocessors, hence than the tickets. And parts *
// splits, which the grid's second axis counts, is at most twice the multiprocessors, or parts alone: a transposed
// convolution's phases, stride_h * stride_w of them, far below the 65,535 of that axis.
constexpr int split_depth = 256;

template <template <class, class, class, class> class Math, class Tile, class Problem, class T>
void multiply_on(const Problem& problem, T* y) {
  using L = Loop<Math, Tile, Problem, T>;
  const int64_t tiles = ceil_div<int64_t>(problem.rows, Tile::rows) * ceil_div<int64_t>(problem.cols, Tile::cols);
  const int64_t room = 2 * std::min(multiprocessors(), ticket_count) / std::max<int64_t>(1, tiles * problem.parts);
  const int splits = static_cast<int>(std::clamp<int64_t>(problem.depth / split_depth, 1, std::max<int64_t>(1, room)));

  Target<T> target{y, packable(problem.cols, y), splits, nullptr, tickets()};
  if (splits > 1) {
    const int64_t blocks = tiles * problem.parts * splits;
    const size_t bytes = static_cast<size_t>(blocks * Tile::rows * Tile::cols) * sizeof(Wide<T>);
    target.shares = static_cast<Wide<T>*>(scratch(bytes));
  }
  const double operations = 2.0 * problem.rows * problem.cols * problem.depth * problem.parts;
  const Grid grid{dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(problem.parts * splits)), Tile::threads,
                  L::shared_bytes, operations};
  launch<multiply<Math, Tile, Problem, T>>(grid, problem, target);
}

// Large tiles do the most with what they read, if they find enough work; small sides leave most of them empty.
template <template <class, class, class, class> class Math, class Problem, class T>
void multiply_by_shape(const Problem& problem, T* y) {
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
template <class Problem, class T>
void run(const Problem& problem, T* y, int64_t size) {
  if (size == 0) return;
  if constexpr (sizeof(typename Problem::Left) == 8) {
    multiply_on<Fma, SmallTile>(problem, y);
  } else if constexpr (sizeof(typename Problem::Left) == 2) {
    if (!has_tensor_cores()) throw DeviceError("--math bf16 needs a GPU of compute capability 8.0 or later");
    multiply_by_shape<Bf16>(problem, y);
  } else if (math_mode() != MathMode::fp32 && has_tensor_cores()) {
    multiply_by_shape<Tf32>(problem, y);
  } else {
    multiply_by_shape<Fma>(problem, y);
  }
}

}  // namespace
}  // namespace forger::kernels
