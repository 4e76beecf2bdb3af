// Folding the columns of many rows, x (groups, rows, cols) with columns innermost: what normalisation and power
// iteration are built from, the counterpart of cpu/fold.h. One launch, two stages, no order left open:
//
//   a block      takes a tile of up to 128 bytes of columns (a line of the cache) and a chunk of one group's rows
//                          packs of the tile, `width` of them
//                          t0      t1      ...          a thread has a pack's columns and every 256/width-th row;
//                          t_w     t_w+1   ...          its own rows it folds in registers,
//                          ...                          then the block's threads are folded as a tree
//   a partial    per chunk and column goes to scratch memory;
//   the last     block of a tile to end, known by its ticket, folds the chunks' partials in double.
//
// A pack is 16 bytes (of bfloat16 8: four columns), or one element where columns or pointers do not allow it. Kernels without a fold use the same
// map: a thread loads what belongs to its columns once and then walks down the rows.
#pragma once
#include <algorithm>

#include "kernels/cuda/device.h"

namespace forger::kernels {
inline namespace gpu_words {

constexpr int column_threads = 256;

// How x is cut into blocks: tile innermost, then chunk, then group.
struct Cut {
  int64_t groups, rows, cols, chunk_rows;
  int width, tiles, chunks;

  Grid grid() const { return {dim3(static_cast<unsigned>(groups * chunks * tiles)), dim3(column_threads)}; }
  size_t partials() const { return static_cast<size_t>(groups * chunks * cols); }
};

// P columns to a thread. About `blocks` blocks in all, if there are rows enough.
template <class T, int P>
Cut cut_columns(int64_t groups, int64_t rows, int64_t cols, int64_t blocks) {
  constexpr int64_t widest = 128 / (P * sizeof(T));
  const int64_t packs = cols / P, tiles = ceil_div(packs, widest);
  const int64_t width = tiles > 0 ? ceil_div(packs, tiles) : 1;
  const int64_t most = ceil_div(rows, column_threads / width);  // a row for every thread
  const int64_t wanted = std::min(blocks, int64_t{ticket_count}) / std::max<int64_t>(groups * tiles, 1);
  const int64_t chunk_rows = std::max<int64_t>(ceil_div(rows, std::max<int64_t>(std::min(most, wanted), 1)), 1);
  const int64_t chunks = std::max<int64_t>(ceil_div(rows, chunk_rows), 1);
  return {groups, rows, cols, chunk_rows, static_cast<int>(width), static_cast<int>(tiles), static_cast<int>(chunks)};
}

// f(integral constant P): whole packs, of 4 numbers at most, when the caller found that they fit, else single elements.
template <class T, class F>
void with_packs(bool fit, const F& f) {
  if (fit) {
    f(std::integral_constant<int, std::min(Pack<T>::size, 4)>{});
  } else {
    f(std::integral_constant<int, 1>{});
  }
}

// Where a thread stands.
template <int P>
struct Place {
  int tile, chunk, row_step;
  int64_t group, column, row, end;  // column: the first of P; rows: row, row + row_step, ... before end

  __device__ __forceinline__ explicit Place(const Cut& cut) {
    const unsigned block = blockIdx.x, tiles = static_cast<unsigned>(cut.tiles);
    const unsigned strip = block / tiles, chunks = static_cast<unsigned>(cut.chunks);
    tile = static_cast<int>(block % tiles);
    chunk = static_cast<int>(strip % chunks);
    group = strip / chunks;
    const int thread = static_cast<int>(threadIdx.x);
    row_step = column_threads / cut.width;
    column = (int64_t{tile} * cut.width + thread % cut.width) * P;
    row = chunk * cut.chunk_rows + thread / cut.width;
    end = min(cut.rows, (chunk + 1) * cut.chunk_rows);
    if (thread / cut.width >= row_step || column >= cut.cols) row = end;  // left over: no rows
  }
  __device__ __forceinline__ int64_t offset(const Cut& cut, int64_t at_row) const {
    return (group * cut.rows + at_row) * cut.cols + column;
  }
};

// Folds over the block's rows of threads, `width` threads each: row 0 has the results. A tree, so the order is fixed.
template <int P, class Item, class Combine>
__device__ __forceinline__ void fold_rows(int width, Item (&mine)[P], Combine combine) {
  __shared__ Item memory[P][column_threads];
  const int thread = static_cast<int>(threadIdx.x), row = thread / width, rows = column_threads / width;
  int half = 1;
  while (half < rows) half *= 2;
#pragma unroll
  for (int p = 0; p < P; p++) memory[p][thread] = mine[p];
  for (half /= 2; half > 0; half /= 2) {
    __syncthreads();
    if (row < half && row + half < rows) {
#pragma unroll
      for (int p = 0; p < P; p++) memory[p][thread] = mine[p] = combine(mine[p], memory[p][thread + half * width]);
    }
  }
}

// The end of a fold: the block's threads, then, in the last block of the tile, its chunks. `widen(item, first)` turns
// the partial of a chunk into what is added up in double, given that of the first chunk; done(column, sum, first) is
// called once for every column of the group. `partial` has room for cut.partials() items. True in the block that ended
// the tile.
template <int P, class Item, class Combine, class Widen, class Done>
__device__ __forceinline__ bool fold_columns(const Cut& cut, const Place<P>& at, Item (&mine)[P], Combine combine,
                                             Item* partial, unsigned* tickets, Widen widen, Done done) {
  const int thread = static_cast<int>(threadIdx.x);
  Item* const of_group = partial + at.group * cut.chunks * cut.cols;  // (chunks, cols)
  fold_rows(cut.width, mine, combine);
  if (thread < cut.width && at.column < cut.cols) {
#pragma unroll
    for (int p = 0; p < P; p++) of_group[at.chunk * cut.cols + at.column + p] = mine[p];
  }
  // Tickets are drawn only where there are several chunks, hence few groups and tiles.
  if (!last_block(tickets + at.group * cut.tiles + at.tile, static_cast<unsigned>(cut.chunks))) return false;

  const int64_t first_column = int64_t{at.tile} * cut.width * P;
  const int count = static_cast<int>(min(cut.cols - first_column, int64_t{cut.width} * P));
  const int shares = column_threads / count;  // of the chunks: a thread per column and share
  const int64_t column = first_column + thread % count;
  const Item first = of_group[column];
  decltype(widen(first, first)) sum[1] = {};
  if (thread / count < shares) {
    for (int chunk = thread / count; chunk < cut.chunks; chunk += shares)
      sum[0] = sum[0] + widen(of_group[chunk * cut.cols + column], first);
  }
  fold_rows(count, sum, Plus{});
  if (thread < count) done(column, sum[0], first);
  return true;
}

// Two sums that are folded together.
template <class T>
struct Two {
  T a, b;
  __device__ __forceinline__ friend Two operator+(Two x, Two y) { return {x.a + y.a, x.b + y.b}; }
  __device__ __forceinline__ Two<double> widened() const { return {static_cast<double>(a), static_cast<double>(b)}; }
};

}  // namespace gpu_words
}  // namespace forger::kernels
