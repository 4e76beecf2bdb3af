// What a kernel does to its results while they are still in registers or the L1: an activation, a bias.
#pragma once
#include "kernels/activation.h"
#include "kernels/cpu/simd.h"

namespace forger::kernels {

template <Activation act, class V>
inline V activate(V pre, V slope) {
  if constexpr (act == Activation::relu) return pre <= V{} ? V{} : pre;  // a NaN stays
  if constexpr (act == Activation::leaky_relu) return pre > V{} ? pre : slope * pre;
  return pre;
}

// y = act(y + bias), the bias (columns) or null.
template <class T>
struct BiasActivation {
  const T* bias;
  Activation act;
  T slope;

  // Neighbouring columns, of which the bias is given.
  template <class V>
  V operator()(V y, V bias_of) const {
    const V pre = y + bias_of, slopes = V{} + slope;
    switch (act) {
      case Activation::relu:
        return activate<Activation::relu>(pre, slopes);
      case Activation::leaky_relu:
        return activate<Activation::leaky_relu>(pre, slopes);
      default:
        return pre;
    }
  }
  // The columns [column, column + count) of a row.
  void finish(T* row, int64_t column, int64_t count) const {
    using V = Vec<T, native_bytes>;
    constexpr int64_t lanes = native_bytes / sizeof(T);
    for (int64_t i = 0; i < count; i += lanes) {
      const int64_t n = std::min(lanes, count - i), at = column + i;
      store_first(row + at, (*this)(load_first<V>(row + at, n), bias ? load_first<V>(bias + at, n) : V{}), n);
    }
  }
};

}  // namespace forger::kernels
