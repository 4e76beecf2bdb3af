// Optimiser updates, fused over a whole list of parameters.
//
//   adam     m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  p -= lr/(1 - b1^t) * m / (sqrt(v/(1 - b2^t)) + eps)
//            (Kingma and Ba 2015, algorithm 1), after p -= lr*wd*p (decoupled decay, Loshchilov and Hutter 2019)
//   rmsprop  v = a v + (1 - a) g^2,  p -= lr * g / (sqrt(v) + eps)                        (PyTorch's form: eps outside)
//   sgd      g' = g + wd p,  velocity = momentum*velocity + g',  p -= lr*velocity          (PyTorch's form)
//   clip     g *= min(1, max/|g|), |g| over the whole list (Pascanu et al. 2013)
//   lerp     dst += weight * (src - dst): moving averages of weights
//   accumulate  sum += x: gradients of one network, from several terms of a loss
//
// One pass over memory: adam reads 4 and writes 3 elements per parameter and nothing else, so it runs at the memory's
// speed. The list is one long array to the threads: each takes an equal share of all elements, even if that is a slice
// and a half, so a network of one large and many small tensors keeps every thread busy with a single fork and join. The
// loops over a share are plain and the compiler vectorises them, square root and division included.
#include <cmath>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace forger::kernels {
namespace {

// update(slice, begin, end) for every part of a slice that falls into a thread's share.
template <class Slice, class F>
void for_shares(std::span<const Slice> list, const F& update) {
  std::vector<int64_t> starts;  // of each slice in the long array
  int64_t total = 0;
  for (const Slice& slice : list) {
    starts.push_back(total);
    total += slice.n;
  }
  parallel_for(
      total, 16384,
      [&](int64_t begin, int64_t end) {
        size_t i = static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), begin) - starts.begin()) - 1;
        for (; i < list.size() && starts[i] < end; i++)
          update(list[i], std::max<int64_t>(begin - starts[i], 0), std::min(list[i].n, end - starts[i]));
      },
      16);
}

}  // namespace

template <class T>
void Cpu<T>::adam(std::span<const AdamSlice<T>> list, const AdamSettings& settings, const double* lr) {
  if (list.empty()) return;
  const double t = *list.front().step + 1;
  const T beta1 = static_cast<T>(settings.beta1), keep1 = static_cast<T>(1 - settings.beta1);
  const T beta2 = static_cast<T>(settings.beta2), keep2 = static_cast<T>(1 - settings.beta2);
  const T rate = static_cast<T>(*lr / (1 - std::pow(settings.beta1, t)));
  const T unbias = static_cast<T>(1 / std::sqrt(1 - std::pow(settings.beta2, t)));
  const T eps = static_cast<T>(settings.eps), decay = static_cast<T>(1 - *lr * settings.weight_decay);
  for_shares(list, [=](const AdamSlice<T>& slice, int64_t begin, int64_t end) {
    T* __restrict p = slice.param, * __restrict m = slice.m, * __restrict v = slice.v;
    const T* __restrict grad = slice.grad;
    for (int64_t i = begin; i < end; i++) {
      const T g = grad[i];
      m[i] = beta1 * m[i] + keep1 * g;
      v[i] = beta2 * v[i] + keep2 * g * g;
      p[i] = decay * p[i] - rate * m[i] / (std::sqrt(v[i]) * unbias + eps);
    }
  });
  for (const AdamSlice<T>& slice : list) *slice.step += 1;
}

template <class T>
void Cpu<T>::rmsprop(std::span<const RmsPropSlice<T>> list, const double* lr, double alpha, double eps) {
  const T rate = static_cast<T>(*lr), old = static_cast<T>(alpha), fresh = static_cast<T>(1 - alpha);
  const T epsilon = static_cast<T>(eps);
  for_shares(list, [=](const RmsPropSlice<T>& slice, int64_t begin, int64_t end) {
    T* __restrict p = slice.param, * __restrict v = slice.v;
    const T* __restrict grad = slice.grad;
    for (int64_t i = begin; i < end; i++) {
      const T g = grad[i];
      v[i] = old * v[i] + fresh * g * g;
      p[i] -= rate * g / (std::sqrt(v[i]) + epsilon);
    }
  });
}

template <class T>
void Cpu<T>::sgd(std::span<const SgdSlice<T>> list, const double* lr, double momentum, double weight_decay) {
  const T rate = static_cast<T>(*lr), keep = static_cast<T>(momentum), decay = static_cast<T>(weight_decay);
  for_shares(list, [=](const SgdSlice<T>& slice, int64_t begin, int64_t end) {
    T* __restrict p = slice.param, * __restrict velocity = slice.velocity;
    const T* __restrict grad = slice.grad;
    if (velocity) {
      for (int64_t i = begin; i < end; i++) {
        velocity[i] = keep * velocity[i] + (grad[i] + decay * p[i]);
        p[i] -= rate * velocity[i];
      }
    } else {
      for (int64_t i = begin; i < end; i++) p[i] -= rate * (grad[i] + decay * p[i]);
    }
  });
}

template <class T>
void Cpu<T>::lerp(std::span<const LerpSlice<T>> list, double weight) {
  const T w = static_cast<T>(weight);
  for_shares(list, [=](const LerpSlice<T>& slice, int64_t begin, int64_t end) {
    T* __restrict dst = slice.dst;
    const T* __restrict src = slice.src;
    for (int64_t i = begin; i < end; i++) dst[i] += w * (src[i] - dst[i]);
  });
}

template <class T>
void Cpu<T>::accumulate(std::span<const SumSlice<T>> list) {
  for_shares(list, [](const SumSlice<T>& slice, int64_t begin, int64_t end) {
    T* __restrict sum = slice.sum;
    const T* __restrict x = slice.x;
    for (int64_t i = begin; i < end; i++) sum[i] += x[i];
  });
}

// Sums of fixed chunks, added in order: independent of the number of threads.
template <class T>
void Cpu<T>::global_norm(std::span<const NormSlice<T>> list, double* norm) {
  constexpr int64_t chunk = 4096;
  double total = 0;
  std::vector<double> sums;
  for (const NormSlice<T>& slice : list) {
    sums.assign(static_cast<size_t>((slice.n + chunk - 1) / chunk), 0);
    parallel_for(static_cast<int64_t>(sums.size()), 16, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; c++) {
        const T* x = slice.x + c * chunk;
        const int64_t n = std::min(chunk, slice.n - c * chunk);
        double lanes[8] = {};
        int64_t i = 0;
        for (; i + 8 <= n; i += 8)
          for (int k = 0; k < 8; k++) lanes[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
        for (; i < n; i++) lanes[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
        for (const double lane : lanes) sums[static_cast<size_t>(c)] += lane;
      }
    });
    for (const double sum : sums) total += sum;
  }
  *norm = std::sqrt(total);
}

template <class T>
void Cpu<T>::clip_norm(std::span<const ClipSlice<T>> list, const double* norm, double max_norm) {
  if (!std::isfinite(*norm) || *norm <= max_norm) return;
  const T factor = static_cast<T>(max_norm / *norm);
  for_shares(list, [=](const ClipSlice<T>& slice, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) slice.x[i] *= factor;
  });
}

FORGER_KERNEL(Cpu, adam);
FORGER_KERNEL(Cpu, rmsprop);
FORGER_KERNEL(Cpu, sgd);
FORGER_KERNEL(Cpu, lerp);
FORGER_KERNEL(Cpu, accumulate);
FORGER_KERNEL(Cpu, global_norm);
FORGER_KERNEL(Cpu, clip_norm);

}  // namespace forger::kernels
