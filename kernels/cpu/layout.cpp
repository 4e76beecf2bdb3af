// Moving elements: fill, copy, strided copies (slice, concat, pad, permute, broadcast), conversions, rows by index.
//
// Memory traffic is all there is: 2 elements per element moved. What matters is to touch memory in long runs.
//
//   strided_copy  axes are merged (strides.h), then
//     runs        the innermost stride is 1 on both sides: contiguous pieces, short ones by a loop, long ones by memcpy
//     transpose   dst runs along the last axis, src along another axis t: tiles of 32 x 32 through a buffer, so that
//                 each cache line is read once and written once
//                       src (.., i, t)     tile[i][t]     dst (.., t, i)
//     repeat      the innermost stride is 0 on src: each value fills a run
//     any other   element by element
//   gather        memcpy per row
//   scatter_add   every table row must receive its rows in the order of i. Threads therefore share out the table, not
//                 the rows: by columns where rows are wide, else by table entries, each thread looking through the
//                 whole index.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/strides.h"

namespace forger::kernels {
namespace {

constexpr int64_t grain = 65536;  // elements
constexpr int64_t tile_size = 32;

// A call of memcpy costs as much as moving a few vectors.
template <class T>
void copy_run(int64_t n, const T* src, T* dst) {
  if (n >= 64)
    std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(T));
  else
    for (int64_t i = 0; i < n; i++) dst[i] = src[i];
}

template <class T>
void copy_runs(const Walk& w, const T* src, T* dst) {
  const int64_t src_stride = w.a[w.rank - 1], dst_stride = w.b[w.rank - 1];
  parallel_for(w.numel(), grain, [&](int64_t begin, int64_t end) {
    w.runs(begin, end, [&](int64_t src_at, int64_t dst_at, int64_t, int64_t n) {
      const T* from = src + src_at;
      T* to = dst + dst_at;
      if (src_stride == 1 && dst_stride == 1)
        copy_run(n, from, to);
      else if (src_stride == 0 && dst_stride == 1)
        std::fill_n(to, n, *from);
      else
        for (int64_t i = 0; i < n; i++) to[i * dst_stride] = from[i * src_stride];
    });
  });
}

// The last axis has stride 1 on dst, axis t has stride 1 on src.
template <class T>
void copy_transposed(const Walk& w, int t, const T* src, T* dst) {
  const int last = w.rank - 1;
  const int64_t rows = w.sizes[t], cols = w.sizes[last], row_stride = w.b[t], col_stride = w.a[last];
  const int64_t bands = (rows + tile_size - 1) / tile_size;  // of each of the `outer` matrices
  const int64_t outer = rows * cols > 0 ? w.numel() / (rows * cols) : 0;
  parallel_for(outer * bands, grain / (tile_size * cols + 1) + 1, [&](int64_t begin, int64_t end) {
    T tile[tile_size][tile_size];
    for (int64_t band = begin; band < end; band++) {
      int64_t src_at = 0, dst_at = 0, rest = band / bands;
      for (int i = last - 1; i >= 0; i--) {
        if (i == t) continue;
        src_at += rest % w.sizes[i] * w.a[i];
        dst_at += rest % w.sizes[i] * w.b[i];
        rest /= w.sizes[i];
      }
      const int64_t r0 = band % bands * tile_size, height = std::min(tile_size, rows - r0);
      for (int64_t c0 = 0; c0 < cols; c0 += tile_size) {
        const int64_t width = std::min(tile_size, cols - c0);
        for (int64_t c = 0; c < width; c++) {
          const T* from = src + src_at + r0 + (c0 + c) * col_stride;
          for (int64_t r = 0; r < height; r++) tile[c][r] = from[r];
        }
        for (int64_t r = 0; r < height; r++) {
          T* to = dst + dst_at + (r0 + r) * row_stride + c0;
          for (int64_t c = 0; c < width; c++) to[c] = tile[c][r];
        }
      }
    }
  });
}

template <class From, class To>
void convert(int64_t n, const From* x, To* y) {
  parallel_for(n, grain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) y[i] = static_cast<To>(x[i]);
  });
}

}  // namespace

template <class T>
void Cpu<T>::fill(int64_t n, T value, T* y) {
  parallel_for(n, grain, [=](int64_t begin, int64_t end) { std::fill(y + begin, y + end, value); });
}

template <class T>
void Cpu<T>::copy(int64_t n, const T* x, T* y) {
  parallel_for(n, grain, [=](int64_t begin, int64_t end) { copy_run(end - begin, x + begin, y + begin); });
}

template <class T>
void Cpu<T>::strided_copy(const StridedCopy& s, const T* src, T* dst) {
  const Walk w(s.rank, s.sizes, s.src_strides, s.dst_strides);
  const int last = w.rank - 1;
  src += s.src_offset;
  dst += s.dst_offset;
  if (w.b[last] == 1 && w.a[last] > 1)
    for (int t = 0; t < last; t++)
      if (w.a[t] == 1) return copy_transposed(w, t, src, dst);
  copy_runs(w, src, dst);
}

template <class T>
void Cpu<T>::from_float(int64_t n, const float* x, T* y) {
  convert(n, x, y);
}

template <class T>
void Cpu<T>::from_double(int64_t n, const double* x, T* y) {
  convert(n, x, y);
}

template <class T>
void Cpu<T>::from_bfloat16(int64_t n, const bfloat16* x, T* y) {
  convert(n, x, y);
}

template <class T>
void Cpu<T>::gather(int64_t n, int64_t width, const T* table, const int64_t* index, T* rows) {
  parallel_for(n, grain / (width + 1) + 1, [=](int64_t begin, int64_t end) {
    if (width == 1) {
      for (int64_t i = begin; i < end; i++) rows[i] = table[index[i]];
      return;
    }
    for (int64_t i = begin; i < end; i++) copy_run(width, table + index[i] * width, rows + i * width);
  });
}

template <class T>
void Cpu<T>::scatter_add(int64_t n, int64_t width, int64_t entries, const T* rows, const int64_t* index, T* table) {
  fill(entries * width, T(0), table);
  const auto add = [=](int64_t i, int64_t begin, int64_t end) {
    const T* __restrict from = rows + i * width;
    T* __restrict to = table + index[i] * width;
    for (int64_t c = begin; c < end; c++) to[c] += from[c];
  };
  if (width >= 256) {
    parallel_for(
        width, std::max<int64_t>(64, grain / (n + 1)),
        [&](int64_t begin, int64_t end) {
          for (int64_t i = 0; i < n; i++) add(i, begin, end);
        },
        16);
  } else {
    const int64_t work = std::max<int64_t>(1, n * width / (entries + 1));  // per entry
    parallel_for(entries, grain / work + 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < n; i++)
        if (index[i] >= begin && index[i] < end) add(i, 0, width);
    });
  }
}

FORGER_KERNEL(Cpu, fill);
FORGER_KERNEL(Cpu, copy);
FORGER_KERNEL(Cpu, strided_copy);
FORGER_KERNEL(Cpu, from_float);
FORGER_KERNEL(Cpu, from_double);
FORGER_KERNEL(Cpu, from_bfloat16);
FORGER_KERNEL(Cpu, gather);
FORGER_KERNEL(Cpu, scatter_add);

}  // namespace forger::kernels
