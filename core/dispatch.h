// From a tensor's device and dtype to the backend's kernels: the one place where ops meet Cpu<float> and Cpu<double>.
//   dispatch(x, [&]<class K>() { K::relu(..., x.data<typename K::Scalar>(), ...); });
#pragma once
#include "core/tensor.h"
#include "kernels/kernels.h"

namespace forger {

template <class F>
decltype(auto) dispatch(const Tensor& like, F&& f) {
  check<ShapeError>(like.defined(), "an op was given an undefined tensor");
  switch (like.dtype()) {
    case DType::f32:
      return f.template operator()<kernels::Cpu<float>>();
    case DType::f64:
      return f.template operator()<kernels::Cpu<double>>();
    case DType::i64:
      break;
  }
  throw ShapeError("int64 tensors hold indices and carry no arithmetic");
}

}  // namespace forger
