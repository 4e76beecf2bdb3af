// Convolutions of images with few channels, a discriminator's first layer and a generator's last, without packing.
#pragma once
#include "kernels/cpu/epilogue.h"
#include "kernels/kernels.h"

namespace forger::kernels {

// Each computes what the function of the contract of that name does (kernels/contract.h) and returns true, or returns
// false and does nothing for layers of another kind. `epilogue` may be null.
template <class T>
bool thin_conv2d(const ConvShape& s, const T* image, const T* weight, const BiasActivation<T>* epilogue, T* map);
template <class T>
bool thin_conv_transpose2d(const ConvShape& s, const T* map, const T* weight, T* image);
template <class T>
bool thin_weight_grad(const ConvShape& s, const T* image, const T* map, T* weight);

}  // namespace forger::kernels
