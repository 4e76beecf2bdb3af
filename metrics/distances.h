// What the scores of clouds share: rows widened to float64 and checked, inner products and squared distances tile by
// tile. The value of a pair of rows depends on the two rows alone (and on a cloud's centre): not on where they stand,
// on the tile nor on the number of threads, and it is the same from either side. So ties stay ties.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "kernels/cpu/parallel.h"

namespace forger::metrics {

// A matrix (count, dims), row-major; dims are all sizes of a tensor but the first, multiplied.
struct Rows {
  int64_t count = 0, dims = 0;
  std::vector<double> values;
  double* at(int64_t row) { return values.data() + row * dims; }
  const double* at(int64_t row) const { return values.data() + row * dims; }
};

// x (N, ...) of float32 or float64 on the CPU. ShapeError when it is something else, DataError when an element is not
// finite or there are fewer than `least` rows: "[caller] name ...".
void check_rows(const Tensor& x, const std::string& caller, const std::string& name, int64_t least = 1);
Rows rows_of(const Tensor& x, const std::string& caller, const std::string& name, int64_t least = 1);
void widen(const Tensor& x, int64_t begin, int64_t end, double* out);  // rows [begin, end), no checks

// out (m, n) = a (m, k) times the transpose of b (n, k)
void products(int64_t m, int64_t n, int64_t k, const double* a, const double* b, double* out);

// Rows less a common centre, which distances do not feel and rounding does.
struct Cloud {
  Rows rows;
  std::vector<double> squares;  // |row|^2
};
Cloud cloud_of(const Tensor& x, const std::string& caller, const std::string& name, int64_t least = 1);
// Two clouds with one centre; ShapeError when their rows differ in length.
struct Clouds {
  Cloud a, b;
};
Clouds clouds_of(const Tensor& a, const std::string& name_a, int64_t least_a, const Tensor& b,
                 const std::string& name_b, int64_t least_b, const std::string& caller);

// d (m, n) = |a_i - b_j|^2 for the rows [i, i + m) of a and [j, j + n) of b, as |a|^2 + |b|^2 - 2 a.b; where that
// cancels, from the differences. Equal rows are at distance 0.
void squared_distances(const Cloud& a, int64_t i, int64_t m, const Cloud& b, int64_t j, int64_t n, double* d);

double median(std::vector<double> values);  // at least one

constexpr int64_t tile_rows = 768;  // the tile, 4.5 MiB, stays in the cache

// f(i, m, j, n, d) for tiles of all pairs of a row of a and a row of b.
template <class F>
void for_each_tile(const Cloud& a, const Cloud& b, const F& f) {
  std::vector<double> d(static_cast<size_t>(tile_rows * tile_rows));
  for (int64_t i = 0; i < a.rows.count; i += tile_rows) {
    for (int64_t j = 0; j < b.rows.count; j += tile_rows) {
      const int64_t m = std::min(tile_rows, a.rows.count - i), n = std::min(tile_rows, b.rows.count - j);
      squared_distances(a, i, m, b, j, n, d.data());
      f(i, m, j, n, d.data());
    }
  }
}

// The same within one cloud, for j <= i only: the tiles with i == j hold each pair twice and the diagonal.
template <class F>
void for_each_tile(const Cloud& a, const F& f) {
  std::vector<double> d(static_cast<size_t>(tile_rows * tile_rows));
  for (int64_t i = 0; i < a.rows.count; i += tile_rows) {
    for (int64_t j = 0; j <= i; j += tile_rows) {
      const int64_t m = std::min(tile_rows, a.rows.count - i), n = std::min(tile_rows, a.rows.count - j);
      squared_distances(a, i, m, a, j, n, d.data());
      f(i, m, j, n, d.data());
    }
  }
}

}  // namespace forger::metrics
