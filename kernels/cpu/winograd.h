// Winograd convolution on the packed product of gemm.h: the whole triangle with a fraction of the multiplications.
#pragma once
#include "kernels/cpu/epilogue.h"
#include "kernels/kernels.h"

namespace forger::kernels {

// Each computes what the function of the contract of that name does (kernels/contract.h) and returns true, or returns
// false and does nothing where the direct product is expected to be faster, or is asked for by set_conv_method.
// `epilogue` may be null.
template <class T>
bool winograd_conv2d(const ConvShape& s, const T* image, const T* weight, const BiasActivation<T>* epilogue, T* map);
template <class T>
bool winograd_conv_transpose2d(const ConvShape& s, const T* map, const T* weight, T* image);
template <class T>
bool winograd_weight_grad(const ConvShape& s, const T* image, const T* map, T* weight);

}  // namespace forger::kernels
