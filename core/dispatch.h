// From a tensor's device and dtype to the backend's kernels: the one place where ops meet Cpu, Cuda and Simt.
//   dispatch(x, [&]<class K>() { K::unary(..., x.data<typename K::Scalar>(), ...); });
#pragma once
#include "core/tensor.h"
#include "kernels/kernels.h"

namespace forger {

template <template <class> class Backend, class F>
decltype(auto) dispatch_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f.template operator()<Backend<float>>();
    case DType::f64:
      return f.template operator()<Backend<double>>();
    case DType::i64:
      break;
  }
  throw ShapeError("int64 tensors hold indices and carry no arithmetic");
}

template <class F>
decltype(auto) dispatch(const Tensor& like, F&& f) {
  check<ShapeError>(like.defined(), "an op was given an undefined tensor");
  switch (like.device()) {
    case Device::cpu:
      return dispatch_dtype<kernels::Cpu>(like.dtype(), f);
    case Device::simt:
      return dispatch_dtype<kernels::Simt>(like.dtype(), f);
    case Device::cuda:
#ifdef FORGER_CUDA
      return dispatch_dtype<kernels::Cuda>(like.dtype(), f);
#else
      break;
#endif
  }
  throw DeviceError(text("this build has no kernels for '", name_of(like.device()), "'"));
}

}  // namespace forger
