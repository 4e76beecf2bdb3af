// The arithmetic of Winograd's transforms, and the memory that holds transformed values.
#pragma once
#include <utility>

#include "kernels/cpu/gemm_panels.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/winograd_matrices.h"

namespace forger::kernels::winograd {

constexpr int64_t all_columns = INT64_MAX;

// Row I of m times the vectors x: only what is not zero, signs instead of multiplications by -1.
template <const auto& m, int I, int J, bool Started, class V>
inline V add_terms(V sum, const V* x) {
  if constexpr (J == std::remove_cvref_t<decltype(m)>::cols) {
    return sum;
  } else {
    constexpr auto factor = m.at[I][J];
    if constexpr (factor == 0) {
      return add_terms<m, I, J + 1, Started>(sum, x);
    } else if constexpr (factor == 1) {
      return add_terms<m, I, J + 1, true>(Started ? sum + x[J] : x[J], x);
    } else if constexpr (factor == -1) {
      return add_terms<m, I, J + 1, true>(Started ? sum - x[J] : -x[J], x);
    } else {
      return add_terms<m, I, J + 1, true>(Started ? sum + factor * x[J] : factor * x[J], x);
    }
  }
}

// y (v rows, h rows) = v x h^T for x (v cols, h cols), element i being read by get(i) and written by put(i, value) when
// it is due: all that lives in between fits the registers.
template <const auto& v, const auto& h, class V, size_t... I, size_t... J, class Get, class Put>
inline void sandwich(std::index_sequence<I...>, std::index_sequence<J...>, const Get& get, const Put& put) {
  using Down = std::remove_cvref_t<decltype(v)>;
  using Across = std::remove_cvref_t<decltype(h)>;
  V half[Down::rows * Across::cols];
#pragma GCC unroll 8
  for (int j = 0; j < Across::cols; j++) {
    V column[Down::cols];
#pragma GCC unroll 8
    for (int l = 0; l < Down::cols; l++) column[l] = get(l * Across::cols + j);
    ((half[static_cast<int>(I) * Across::cols + j] = add_terms<v, static_cast<int>(I), 0, false>(V{}, column)), ...);
  }
#pragma GCC unroll 8
  for (int i = 0; i < Down::rows; i++)
    (put(i * Across::rows + static_cast<int>(J),
         add_terms<h, static_cast<int>(J), 0, false>(V{}, half + i * Across::cols)),
     ...);
}
template <const auto& v, const auto& h, class V, class Get, class Put>
inline void sandwich(const Get& get, const Put& put) {
  sandwich<v, h, V>(std::make_index_sequence<std::remove_cvref_t<decltype(v)>::rows>{},
                    std::make_index_sequence<std::remove_cvref_t<decltype(h)>::rows>{}, get, put);
}

// A filter's matrices as numbers.
template <class T, class Filter>
struct Transforms {
  static constexpr Filter exact{};
  static constexpr auto a = exact.a.template as<T>(), b = exact.b.template as<T>();
  static constexpr auto g = exact.g.template as<T>();
  static constexpr auto a_t = a.transposed(), b_t = b.transposed();
  static constexpr auto g_t = g.transposed();
};

// Transformed values: points x (rows, columns). By panels of `panel` columns as gemm packs B, or plainly by rows.
template <class T>
struct Points {
  T* data;
  int64_t plane;  // from a point to the next
  int64_t row;    // from a row to the next
  int64_t panel;  // columns of a panel; `all_columns` for plain rows
  int64_t panel_step;

  T* at(int64_t i, int64_t column) const {
    if (panel == all_columns) return data + i * row + column;
    return data + column / panel * panel_step + i * row + column % panel;
  }
};

int64_t odd_lines(int64_t elements, size_t size) {
  const int64_t line = 64 / static_cast<int64_t>(size);
  return ((elements + line - 1) / line | 1) * line;
}

template <class T>
Points<T> plain_points(Scratch slot, int64_t points, int64_t rows, int64_t columns) {
  const int64_t plane = odd_lines(rows * columns, sizeof(T));
  T* const data = static_cast<T*>(scratch(slot, static_cast<size_t>(points * plane) * sizeof(T)));
  return {data, plane, columns, all_columns, 0};
}
// Rows as the micro-kernels read them in place (gemm.h).
template <class T>
Points<T> row_points(Scratch slot, int64_t points, int64_t rows, int64_t columns) {
  constexpr int64_t panel = gemm::max_kc<T>, row = gemm::row_step<T>;
  const int64_t plane = odd_lines(gemm::block_count(columns, panel) * rows * row, sizeof(T));
  T* const data = static_cast<T*>(scratch(slot, static_cast<size_t>(points * plane) * sizeof(T)));
  return {data, plane, row, panel, rows * row};
}
template <class T>
Points<T> packed_points(Scratch slot, int64_t points, int64_t rows, int64_t columns, int64_t panel) {
  const int64_t plane = odd_lines(rows * gemm::block_count(columns, panel) * panel, sizeof(T));
  T* const data = static_cast<T*>(scratch(slot, static_cast<size_t>(points * plane) * sizeof(T)));
  return {data, plane, panel, panel, rows * panel};
}

}  // namespace forger::kernels::winograd
