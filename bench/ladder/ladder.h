// Two ladders from a naive kernel to tensor cores: one for the matrix product, one for the convolution. A step is a
// page that changes one thing of the step before it and says what the counts make of that; ladder.cu has them in order.
// Like the production kernels the pages are compiled twice, for a GPU and for the software device. What they share with
// the host is here: shapes, the table of steps, and the plain loops that every step has to agree with.
//
// Counts. A kernel *asks* for bytes of global memory; what *moves* are sectors of 32 bytes, each of them once for all
// lanes of a warp whose request touches it. Shared memory has 32 banks, words 0, 32, 64, ... being in bank 0: a request
// takes as many turns as it has different words in one bank.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/kernels.h"

namespace forger::ladder {

struct Sizes {
  int64_t a, b, c;  // numbers of both operands and of the result
};

// C (m, n) = A (m, k) B (k, n), row-major.
struct Gemm {
  int m, n, k;
  constexpr Gemm product() const { return *this; }
  constexpr Sizes sizes() const { return {int64_t{m} * k, int64_t{k} * n, int64_t{m} * n}; }
};

// map (n, oh, ow, oc) = image (n, h, w, c) under weight (oc, kernel, kernel, c): the contract's conv2d, square windows.
struct Conv {
  int n, h, w, c, oc, kernel, stride, pad;
  constexpr int oh() const { return (h + 2 * pad - kernel) / stride + 1; }
  constexpr int ow() const { return (w + 2 * pad - kernel) / stride + 1; }
  // As a matrix product: map (pixels, oc) = patches (pixels, numbers of a window) weight^T.
  constexpr Gemm product() const { return {n * oh() * ow(), oc, kernel * kernel * c}; }
  constexpr Sizes sizes() const {
    return {int64_t{n} * h * w * c, int64_t{oc} * kernel * kernel * c, int64_t{n} * oh() * ow() * oc};
  }
  kernels::ConvShape shape() const { return {n, h, w, c, oh(), ow(), oc, kernel, kernel, stride, stride, pad, pad}; }
};

// What a step claims to ask for less of than the step before it. Most of the rest is in time alone.
enum Saves : unsigned { nothing_counted = 0, bytes = 1, launches = 2, sectors = 4, turns = 8 };

template <class Shape>
struct Step {
  std::string_view name, change;
  unsigned saves;
  void (*run)(const Shape&, const float* a, const float* b, float* c);
  kernels::MathMode math = kernels::MathMode::fp32;  // tf32: inputs rounded to 10 fraction bits
};

// The steps as nvcc and as the host compiler made them.
namespace cuda_words {
const std::vector<Step<Gemm>>& gemm_steps();
const std::vector<Step<Conv>>& conv_steps();
}  // namespace cuda_words
namespace simt_words {
const std::vector<Step<Gemm>>& gemm_steps();
const std::vector<Step<Conv>>& conv_steps();
}  // namespace simt_words

// Number `at` of the result, in double.
template <class T>
double plain(const Gemm& s, const T* a, const T* b, int64_t at) {
  const int64_t row = at / s.n, col = at % s.n;
  double sum = 0;
  for (int64_t i = 0; i < s.k; i++)
    sum += static_cast<double>(a[row * s.k + i]) * static_cast<double>(b[i * s.n + col]);
  return sum;
}

template <class T>
double plain(const Conv& s, const T* image, const T* weight, int64_t at) {
  const int64_t o = at % s.oc, q = at / s.oc % s.ow(), p = at / s.oc / s.ow() % s.oh(), n = at / s.oc / s.ow() / s.oh();
  double sum = 0;
  for (int64_t i = 0; i < s.kernel; i++) {
    for (int64_t j = 0; j < s.kernel; j++) {
      const int64_t y = p * s.stride - s.pad + i, x = q * s.stride - s.pad + j;
      if (y < 0 || y >= s.h || x < 0 || x >= s.w) continue;
      const T *pixel = image + ((n * s.h + y) * s.w + x) * s.c,
              *tap = weight + ((o * s.kernel + i) * s.kernel + j) * s.c;
      for (int64_t c = 0; c < s.c; c++) sum += static_cast<double>(pixel[c]) * static_cast<double>(tap[c]);
    }
  }
  return sum;
}

}  // namespace forger::ladder
