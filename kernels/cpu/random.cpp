// Uniform and normal numbers from Philox 4x32-10 (philox.h), the stream of cuRAND.
//
//   counter of block j: {block + j low, high, stream low, high}, key {seed low, high}; element i takes word i % 4 of
//   block i/4 uniform   u = word * 2^-32 + 2^-33, in (0, 1] normal    Box and Muller 1958 on the word pairs (0, 1) and
//   (2, 3), with the constants of curand_normal.h:
//             u = x*2^-32 + 2^-33,  v = y*(2^-32 * 2 pi) + 2^-33 * 2 pi,  s = sqrt(-2 log u):  sin(v) s, cos(v) s
//
// An element depends on its place in the stream alone, so any number of threads gives the same numbers. u is a float
// for both scalar types; normal numbers in double follow from the same u, v = 2 pi u in double, so that they are the
// same wherever they are computed, to the last digits of a logarithm and a sine.
//
// 64 counters at a time go through the ten rounds side by side in arrays (word k of all counters together), which the
// compiler turns into vector multiplications; logarithm, sine and cosine are those of vec_math.h. Memory traffic is the
// n results, but arithmetic dominates: ten rounds of two 32x32-bit products per block.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/philox.h"
#include "kernels/cpu/vec_math.h"

namespace forger::kernels {
namespace {

constexpr int batch = 64;                    // counters side by side
constexpr float to_unit = 2.3283064e-10f;    // 2^-32
constexpr float to_angle = 1.46291807e-09f;  // 2^-32 * 2 pi

using Words = uint32_t[4][batch];
template <class T>
using Numbers = T[4][batch];  // element 4*j + k is [k][j]

void philox_batch(uint64_t seed, uint64_t stream, uint64_t block, Words& w) {
  for (int j = 0; j < batch; j++) {
    const uint64_t counter = block + static_cast<uint64_t>(j);
    w[0][j] = static_cast<uint32_t>(counter);
    w[1][j] = static_cast<uint32_t>(counter >> 32);
    w[2][j] = static_cast<uint32_t>(stream);
    w[3][j] = static_cast<uint32_t>(stream >> 32);
  }
  std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (int round = 0; round < philox_rounds; round++, philox_bump(key))
    for (int j = 0; j < batch; j++) philox_round(w[0][j], w[1][j], w[2][j], w[3][j], key[0], key[1]);
}

template <class T>
void uniform_batch(const Words& w, Numbers<T>& z) {
  for (int k = 0; k < 4; k++)
    for (int j = 0; j < batch; j++) z[k][j] = static_cast<T>(static_cast<float>(w[k][j]) * to_unit + to_unit / 2);
}

void normal_batch(const Words& w, Numbers<double>& z) {
  uniform_batch(w, z);
  for (int k = 0; k < 4; k += 2) {
    for (int j = 0; j < batch; j++) {
      const double radius = std::sqrt(-2 * std::log(z[k][j])), angle = 2 * std::numbers::pi * z[k + 1][j];
      z[k][j] = std::sin(angle) * radius;
      z[k + 1][j] = std::cos(angle) * radius;
    }
  }
}

void normal_batch(const Words& w, Numbers<float>& z) {
  using V = vec::Native<float>;
  for (int k = 0; k < 4; k += 2) {
    for (int j = 0; j < batch; j++) {
      z[k][j] = static_cast<float>(w[k][j]) * to_unit + to_unit / 2;
      z[k + 1][j] = static_cast<float>(w[k + 1][j]) * to_angle + to_angle / 2;
    }
    for (int j = 0; j < batch; j += vec::lanes<V>) {
      const V radius = vec::sqrt<V>(-2.0f * vec::log(load<V>(&z[k][j])));
      V sine, cosine;
      vec::sincos_small(load<V>(&z[k + 1][j]), sine, cosine);
      store<V>(&z[k][j], sine * radius);
      store<V>(&z[k + 1][j], cosine * radius);
    }
  }
}

// y[i] = shift + scale * z[i]
template <class T>
void draw(uint64_t seed, uint64_t stream, uint64_t block, int64_t n, T scale, T shift,
          void (*numbers)(const Words&, Numbers<T>&), T* y) {
  const int64_t batches = (n + 4 * batch - 1) / (4 * batch);
  parallel_for(batches, 16, [=](int64_t begin, int64_t end) {
    Words w;
    Numbers<T> z;
    T out[4 * batch];
    for (int64_t i = begin; i < end; i++) {
      philox_batch(seed, stream, block + static_cast<uint64_t>(i * batch), w);
      numbers(w, z);
      for (int j = 0; j < batch; j++)
        for (int k = 0; k < 4; k++) out[4 * j + k] = shift + scale * z[k][j];
      const int64_t first = i * 4 * batch;
      std::copy_n(out, std::min<int64_t>(4 * batch, n - first), y + first);
    }
  });
}

}  // namespace

template <class T>
void Cpu<T>::random_uniform(uint64_t seed, uint64_t stream, uint64_t block, int64_t n, T low, T high, T* y) {
  draw(seed, stream, block, n, high - low, low, uniform_batch<T>, y);
}

template <class T>
void Cpu<T>::random_normal(uint64_t seed, uint64_t stream, uint64_t block, int64_t n, T mean, T stddev, T* y) {
  draw(seed, stream, block, n, stddev, mean, normal_batch, y);
}

template <class T>
void Cpu<T>::dropout(uint64_t seed, uint64_t stream, uint64_t block, int64_t n, double p, const T* x, T* y) {
  random_uniform(seed, stream, block, n, T{0}, T{1}, y);
  const T scale = static_cast<T>(1 / (1 - p)), below = static_cast<T>(p);
  parallel_for(n, 16384, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) y[i] = y[i] > below ? x[i] * scale : T{0};
  });
}

FORGER_KERNEL(Cpu, dropout);
FORGER_KERNEL(Cpu, random_uniform);
FORGER_KERNEL(Cpu, random_normal);

}  // namespace forger::kernels
