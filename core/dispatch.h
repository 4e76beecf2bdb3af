// From a tensor's device and dtype to the backend's kernels: the one place where ops meet Cpu, Cuda and Simt.
//   dispatch(x, [&]<class K>() { K::unary(..., x.data<typename K::Scalar>(), ...); });
#pragma once
#include "core/tensor.h"
#include "kernels/kernels.h"

namespace forger {

// WithBf16: whether the kernels that `f` calls are there for bfloat16.
template <template <class> class Backend, bool WithBf16, class F>
decltype(auto) dispatch_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f.template operator()<Backend<float>>();
    case DType::f64:
      return f.template operator()<Backend<double>>();
    case DType::i64:
      throw ShapeError("int64 tensors hold indices and carry no arithmetic");
    case DType::bf16:
      if constexpr (WithBf16) return f.template operator()<Backend<bfloat16>>();
      break;
  }
  throw ShapeError("bfloat16 tensors are for a GPU's activations: cast() to float32 what is meant for anything else");
}

template <bool WithBf16 = false, class F>
decltype(auto) dispatch(const Tensor& like, F&& f) {
  check<ShapeError>(like.defined(), "an op was given an undefined tensor");
  switch (like.device()) {
    case Device::cpu:
      return dispatch_dtype<kernels::Cpu, false>(like.dtype(), f);
    case Device::simt:
      return dispatch_dtype<kernels::Simt, WithBf16>(like.dtype(), f);
    case Device::cuda:
#ifdef FORGER_CUDA
      return dispatch_dtype<kernels::Cuda, WithBf16>(like.dtype(), f);
#else
      break;
#endif
  }
  throw DeviceError(text("this build has no kernels for '", name_of(like.device()), "'"));
}

// The same for what is instantiated for bfloat16 as well (FORGER_KERNEL_BF16).
template <class F>
decltype(auto) dispatch_with_bf16(const Tensor& like, F&& f) {
  return dispatch<true>(like, f);
}

}  // namespace forger
