// Moving elements: fill, copy, strided copies (slice, concat, pad, permute, broadcast), conversions, rows by index.
// Memory-bound: 16 bytes per access in fill and copy, neighbours by neighbouring threads in the others.
//
//   fill           y[i] = value                              bytes: n written             a thread per pack of 16 bytes
//   copy           y[i] = x[i]                               bytes: n read, n written     a thread per pack
//   from_float, ...   conversions                             bytes: n read, n written     a thread per 4 numbers
//   strided_copy   dst[sum i_k d_k] = src[sum i_k s_k]       bytes: n read, n written
//     axes are merged (kernels/cpu/strides.h), then
//     contiguous   copy
//     transpose    dst runs along the last axis, src along another axis t: a block per tile of 32 x 32, turned in
//                  shared memory, so that both sides are touched in runs of 32
//                       src (.., i, t)    tile[i][t], rows of 33: no two threads on one bank    dst (.., t, i)
//     any other    a thread per element
//   gather         rows[i] = table[index[i]]                 bytes: n*width read, written; a thread per element
//   scatter_add    table[index[i]] += rows[i], in the order of i and without atomics: a warp owns some table entries
//                  and 32 columns of them, looks through the whole index, 128 at a time, and adds the rows that are
//                  its own. So every sum has one thread, which makes its order that of the CPU.
//                    bytes: n*width read and as many times read and written in the table, entries*width written
//                    and the index n*8 times per warp, nearly all from the L1 cache; 16 warps per multiprocessor
#include <algorithm>

#include "kernels/cuda/index.h"
#include "kernels/cuda/packs.h"

namespace forger::kernels {
namespace {

// ---- fill, copy, convert --------------------------------------------------------------------------------------------

template <class T>
__global__ void fill_kernel(int64_t n, int64_t packs, T value, T* y) {
  Pack<T> pack;
#pragma unroll
  for (T& v : pack.v) v = value;
  for (int64_t i = global_thread(); i < packs; i += thread_count()) store_pack(y + i * Pack<T>::size, pack);
  for (int64_t i = packs * Pack<T>::size + global_thread(); i < n; i += thread_count()) y[i] = value;
}

template <class T>
__global__ void copy_kernel(int64_t n, int64_t packs, const T* x, T* y) {
  constexpr int size = Pack<T>::size;
  for (int64_t i = global_thread(); i < packs; i += thread_count()) store_pack(y + i * size, load_pack(x + i * size));
  for (int64_t i = packs * size + global_thread(); i < n; i += thread_count()) y[i] = x[i];
}

template <class From, class To>
__global__ void convert_kernel(int64_t n, int64_t quads, const From* x, To* y) {
  for (int64_t i = global_thread(); i < quads; i += thread_count()) {
    Wide<From> from[4];
    load(x + 4 * i, from);
    Wide<To> to[4];
#pragma unroll
    for (int k = 0; k < 4; k++) to[k] = static_cast<Wide<To>>(from[k]);
    store(y + 4 * i, to);
  }
  for (int64_t i = 4 * quads + global_thread(); i < n; i += thread_count()) y[i] = To(Wide<From>{x[i]});
}

template <class From, class To>
void convert(int64_t n, const From* x, To* y) {
  const int64_t quads = packable(0, x, y) ? n / 4 : 0;
  launch<convert_kernel<From, To>>(striding(std::max(quads, n - 4 * quads)), n, quads, x, y);
}

// ---- strided_copy ---------------------------------------------------------------------------------------------------

template <class T, class I>
__global__ void strided_copy_kernel(I n, Strided<I> s, const T* src, T* dst) {
  const I step = static_cast<I>(thread_count());
  for (I i = static_cast<I>(global_thread()); i < n; i += step) {
    const auto at = s.at(i);
    dst[at.b] = src[at.a];
  }
}

constexpr int tile = 32, tile_rows = 8;  // a tile is moved by 32 x 8 threads

// Matrices (cols, rows) in src, (rows, cols) in dst; `outer` walks over the matrices.
struct Transpose {
  int64_t rows, cols, src_stride, dst_stride;  // of the axis along which the side does not run
  int64_t row_tiles, col_tiles;
};

template <class T>
__global__ void transpose_kernel(Transpose m, Strided<uint32_t> outer, const T* src, T* dst) {
  __shared__ Wide<T> turned[tile][tile + 1];  // (cols, rows)
  const int64_t tiles = m.row_tiles * m.col_tiles, place = blockIdx.x % tiles;
  const int64_t r0 = place % m.row_tiles * tile, c0 = place / m.row_tiles * tile;
  const auto at = outer.at(static_cast<uint32_t>(blockIdx.x / tiles));
  src += at.a;
  dst += at.b;
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
#pragma unroll
  for (int c = y; c < tile; c += tile_rows)
    if (r0 + x < m.rows && c0 + c < m.cols) turned[c][x] = src[r0 + x + (c0 + c) * m.src_stride];
  __syncthreads();
#pragma unroll
  for (int r = y; r < tile; r += tile_rows)
    if (r0 + r < m.rows && c0 + x < m.cols) dst[(r0 + r) * m.dst_stride + c0 + x] = T(turned[x][r]);
}

template <class T>
void copy_transposed(const Walk& w, int t, const T* src, T* dst) {
  const int last = w.rank - 1;
  Transpose m{w.sizes[t], w.sizes[last], w.a[last], w.b[t], 0, 0};
  m.row_tiles = ceil_div<int64_t>(m.rows, tile);
  m.col_tiles = ceil_div<int64_t>(m.cols, tile);
  Walk outer = w;  // the other axes
  outer.rank = 1;
  outer.sizes[0] = 1;
  for (int k = 0; k < last; k++) {
    if (k == t) continue;
    const int to = outer.rank++;
    outer.sizes[to] = w.sizes[k], outer.a[to] = w.a[k], outer.b[to] = w.b[k];
  }
  const int64_t blocks = outer.numel() * m.row_tiles * m.col_tiles;
  launch<transpose_kernel<T>>({dim3(static_cast<unsigned>(blocks)), dim3(tile, tile_rows)}, m, Strided<uint32_t>(outer),
                              src, dst);
}

// ---- rows by index --------------------------------------------------------------------------------------------------

template <class T, class I>
__global__ void gather_kernel(I n, Divider<I> width, int64_t row, const T* table, const int64_t* index, T* rows) {
  const I step = static_cast<I>(thread_count());
  for (I i = static_cast<I>(global_thread()); i < n; i += step) {
    I from = i;
    const I c = width.split(from);
    rows[i] = table[index[from] * row + c];
  }
}

// Warp w: columns 32 (w % tiles) and up, table entries `share` (w / tiles) and up.
template <class T>
__global__ void scatter_add_kernel(int64_t n, int64_t width, int64_t share, int64_t tiles, const T* rows,
                                   const int64_t* __restrict__ index, T* table) {
  constexpr int ahead = 4;  // loads under way
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int64_t warp = global_thread() / 32, column = warp % tiles * 32 + lane, first = warp / tiles * share;
  for (int64_t i0 = 0; i0 < n; i0 += 32 * ahead) {
    int64_t entry[ahead];
#pragma unroll
    for (int k = 0; k < ahead; k++) {
      const int64_t i = i0 + 32 * k + lane;
      entry[k] = i < n ? index[i] : -1;
    }
#pragma unroll
    for (int k = 0; k < ahead; k++) {
      unsigned mine = __ballot_sync(full_mask, entry[k] >= first && entry[k] < first + share);
      for (; mine != 0; mine &= mine - 1) {
        const int found = __ffs(static_cast<int>(mine)) - 1;
        const int64_t to = __shfl_sync(full_mask, entry[k], found);
        if (column < width) table[to * width + column] += rows[(i0 + 32 * k + found) * width + column];
      }
    }
  }
}

}  // namespace

template <class T>
void Gpu<T>::fill(int64_t n, T value, T* y) {
  const int64_t packs = packs_of(n, y);
  launch<fill_kernel<T>>(striding(std::max(packs, n - packs * Pack<T>::size)), n, packs, value, y);
}

template <class T>
void Gpu<T>::copy(int64_t n, const T* x, T* y) {
  const int64_t packs = packs_of(n, x, y);
  launch<copy_kernel<T>>(striding(std::max(packs, n - packs * Pack<T>::size)), n, packs, x, y);
}

template <class T>
void Gpu<T>::from_float(int64_t n, const float* x, T* y) {
  convert(n, x, y);
}

template <class T>
void Gpu<T>::from_double(int64_t n, const double* x, T* y) {
  convert(n, x, y);
}

template <class T>
void Gpu<T>::from_bfloat16(int64_t n, const bfloat16* x, T* y) {
  convert(n, x, y);
}

template <class T>
void Gpu<T>::strided_copy(const StridedCopy& s, const T* src, T* dst) {
  const Walk w(s.rank, s.sizes, s.src_strides, s.dst_strides);
  const int64_t n = w.numel();
  const int last = w.rank - 1;
  src += s.src_offset;
  dst += s.dst_offset;
  if (n == 0) return;
  if (last == 0 && w.a[0] == 1 && w.b[0] == 1) return copy(n, src, dst);
  if (w.b[last] == 1 && w.a[last] > 1 && n < int64_t{1} << 31)
    for (int t = 0; t < last; t++)
      if (w.a[t] == 1 && w.sizes[t] >= 8 && w.sizes[last] >= 8) return copy_transposed(w, t, src, dst);
  with_index(n, [&]<class I>(I) {
    launch<strided_copy_kernel<T, I>>(striding(n), static_cast<I>(n), Strided<I>(w), src, dst);
  });
}

template <class T>
void Gpu<T>::gather(int64_t n, int64_t width, const T* table, const int64_t* index, T* rows) {
  with_index(n * width, [&]<class I>(I) {
    launch<gather_kernel<T, I>>(striding(n * width), static_cast<I>(n * width), Divider<I>(width), width, table, index,
                                rows);
  });
}

template <class T>
void Gpu<T>::scatter_add(int64_t n, int64_t width, int64_t entries, const T* rows, const int64_t* index, T* table) {
  fill(entries * width, T(0), table);
  if (n == 0 || width == 0) return;
  const int64_t tiles = ceil_div<int64_t>(width, 32);
  const int64_t share = ceil_div(entries, std::max<int64_t>(1, 16 * multiprocessors() / tiles));
  const int64_t threads = 32 * tiles * ceil_div(entries, share);
  launch<scatter_add_kernel<T>>(over(threads, 128), n, width, share, tiles, rows, index, table);
}

FORGER_KERNEL(Gpu, fill);
FORGER_KERNEL(Gpu, copy);
FORGER_KERNEL(Gpu, strided_copy);
FORGER_KERNEL(Gpu, from_float);
FORGER_KERNEL(Gpu, from_double);
FORGER_KERNEL(Gpu, from_bfloat16);
FORGER_KERNEL(Gpu, gather);
FORGER_KERNEL(Gpu, scatter_add);
FORGER_KERNEL_BF16(Gpu, fill);
FORGER_KERNEL_BF16(Gpu, copy);
FORGER_KERNEL_BF16(Gpu, strided_copy);
FORGER_KERNEL_BF16(Gpu, from_float);
FORGER_KERNEL_BF16(Gpu, from_double);
FORGER_KERNEL_BF16(Gpu, from_bfloat16);

}  // namespace forger::kernels
