// Optimiser updates over a whole list of parameters: formulas in cpu/optim.cpp. One launch for a list of up to 69
// tensors (Adam; 180 where a slice is smaller), several for a longer one: a network's update is one launch.
//
//   list      slice 0         slice 1   slice 2                    passed by value with the launch (under 4 KB)
//   chunks    [0][1][2][3]    [4]       [5][6]...                  4096 elements each, the last of a slice shorter
//   blocks    b walks the chunks b, b + blocks, ...: the slice of a chunk is found by bisection
//   threads   256, side by side on packs of 16 bytes where all arrays of a slice are aligned, else element by element
//
// Bytes: adam reads 4 and writes 3 elements per parameter, and that is its time. `step` and `lr` are read on the
// device; what follows from them (1 - beta^t) is computed in double by one thread per block. The last block to end,
// known by its ticket, counts the steps on, when all have read them. accumulate reads 2 elements and writes 1.
//
// global_norm   each block squares and adds in double along its chunks; the last block to end, known by its ticket,
// adds the sums of all blocks in a fixed order and takes the root.
#include <algorithm>
#include <cmath>

#include "kernels/cuda/device.h"

namespace forger::kernels {
namespace {

constexpr int threads_per_block = 256;
constexpr int64_t chunk = 4096;

// ---- lists ----------------------------------------------------------------------------------------------------------

template <class Slice>
struct List {
  static constexpr int capacity = 3600 / (sizeof(Slice) + sizeof(int));
  Slice slices[capacity];
  int ends[capacity];  // of each slice's chunks, counted from the list's first
  int count = 0;

  __host__ __device__ int chunks() const { return count > 0 ? ends[count - 1] : 0; }
};

// use(list) for as many lists as it takes, an empty one for nothing.
template <class Slice, class F>
void for_lists(std::span<const Slice> slices, const F& use) {
  do {
    List<Slice> list;
    const size_t count = std::min<size_t>(slices.size(), List<Slice>::capacity);
    for (const Slice& slice : slices.first(count)) {
      list.slices[list.count] = slice;
      list.ends[list.count] = list.chunks() + static_cast<int>(ceil_div(slice.n, chunk));
      list.count++;
    }
    use(list);
    slices = slices.subspan(count);
  } while (!slices.empty());
}

// Blocks that walk so many chunks: eight on every multiprocessor, all running at once.
int most_blocks() { return 8 * multiprocessors(); }
Grid walk(int chunks) {
  return {dim3(static_cast<unsigned>(std::min(chunks, most_blocks()))), dim3(threads_per_block)};
}

// f(slice, begin, end) for the block's chunks.
template <class Slice, class F>
__device__ __forceinline__ void for_chunks(const List<Slice>& list, const F& f) {
  for (int c = static_cast<int>(blockIdx.x); c < list.chunks(); c += static_cast<int>(gridDim.x)) {
    int low = 0, high = list.count - 1;  // the first slice that ends behind c
    while (low < high) {
      const int middle = (low + high) / 2;
      if (list.ends[middle] > c) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    const Slice slice = list.slices[low];
    const int64_t begin = (c - (low > 0 ? list.ends[low - 1] : 0)) * chunk;
    f(slice, begin, min(slice.n, begin + chunk));
  }
}

// ---- updates --------------------------------------------------------------------------------------------------------

// The arrays of a slice: W that are updated, R that are only read. A null is read as zeros and not written.
template <class T, int W, int R>
struct Streams {
  T* written[W];
  const T* read[R > 0 ? R : 1];

  __device__ __forceinline__ bool aligned() const {  // to packs
    uintptr_t bits = 0;
    for (int k = 0; k < W; k++) bits |= reinterpret_cast<uintptr_t>(written[k]);
    for (int k = 0; k < R; k++) bits |= reinterpret_cast<uintptr_t>(read[k]);
    return bits % 16 == 0;
  }
};

// A rule says how one element of every array changes: update(factors, values), values in the order of its streams.
// Its factors, of the list's first slice, are what one thread computes for all. What comes once, after all, of each
// slice, is finish(slice), where it has one.

template <class T>
struct Adam {
  using Slice = AdamSlice<T>;
  struct Factors {
    T rate, unbias, decay;
  };
  const double* lr;
  double beta1, beta2, weight_decay;
  T old_m, new_m, old_v, new_v, eps;

  static __device__ Streams<T, 3, 1> streams(const Slice& s) { return {{s.param, s.m, s.v}, {s.grad}}; }
  __device__ Factors factors(const Slice& first) const {
    const double t = *first.step + 1;
    return {static_cast<T>(*lr / (1 - std::pow(beta1, t))), static_cast<T>(1 / std::sqrt(1 - std::pow(beta2, t))),
            static_cast<T>(1 - *lr * weight_decay)};
  }
  __device__ void finish(const Slice& slice) const { *slice.step += 1; }
  __device__ __forceinline__ void update(const Factors& by, T (&values)[4]) const {
    auto& [p, m, v, g] = values;
    m = old_m * m + new_m * g;
    v = old_v * v + new_v * g * g;
    p = by.decay * p - by.rate * m / (std::sqrt(v) * by.unbias + eps);
  }
};

template <class T>
struct RmsProp {
  using Slice = RmsPropSlice<T>;
  struct Factors {
    T rate;
  };
  const double* lr;
  T old, fresh, eps;

  static __device__ Streams<T, 2, 1> streams(const Slice& s) { return {{s.param, s.v}, {s.grad}}; }
  __device__ Factors factors(const Slice&) const { return {static_cast<T>(*lr)}; }
  __device__ __forceinline__ void update(const Factors& by, T (&values)[3]) const {
    auto& [p, v, g] = values;
    v = old * v + fresh * g * g;
    p -= by.rate * g / (std::sqrt(v) + eps);
  }
};

template <class T>
struct Sgd {
  using Slice = SgdSlice<T>;
  struct Factors {
    T rate;
  };
  const double* lr;
  T keep, decay;

  static __device__ Streams<T, 2, 1> streams(const Slice& s) { return {{s.param, s.velocity}, {s.grad}}; }
  __device__ Factors factors(const Slice&) const { return {static_cast<T>(*lr)}; }
  __device__ __forceinline__ void update(const Factors& by, T (&values)[3]) const {
    auto& [p, velocity, g] = values;
    velocity = keep * velocity + (g + decay * p);
    p -= by.rate * velocity;
  }
};

template <class T>
struct Lerp {
  using Slice = LerpSlice<T>;
  struct Factors {};
  T weight;

  static __device__ Streams<T, 1, 1> streams(const Slice& s) { return {{s.dst}, {s.src}}; }
  __device__ Factors factors(const Slice&) const { return {}; }
  __device__ __forceinline__ void update(const Factors&, T (&values)[2]) const {
    auto& [dst, src] = values;
    dst += weight * (src - dst);
  }
};

template <class T>
struct Accumulate {
  using Slice = SumSlice<T>;
  struct Factors {};

  static __device__ Streams<T, 1, 1> streams(const Slice& s) { return {{s.sum}, {s.x}}; }
  __device__ Factors factors(const Slice&) const { return {}; }
  __device__ __forceinline__ void update(const Factors&, T (&values)[2]) const {
    auto& [sum, x] = values;
    sum += x;
  }
};

template <class T>
struct Clip {
  using Slice = ClipSlice<T>;
  struct Factors {
    T scale;
  };
  const double* norm;
  double max_norm;

  static __device__ Streams<T, 1, 0> streams(const Slice& s) { return {{s.x}, {}}; }
  __device__ bool needed() const { return *norm > max_norm && *norm < INFINITY; }
  __device__ Factors factors(const Slice&) const { return {static_cast<T>(max_norm / *norm)}; }
  __device__ __forceinline__ void update(const Factors& by, T (&values)[1]) const { values[0] *= by.scale; }
};

// P consecutive elements of every array.
template <int P, class Rule, class T, int W, int R>
__device__ __forceinline__ void update_at(const Rule& rule, const typename Rule::Factors& factors,
                                          const Streams<T, W, R>& s, int64_t i) {
  Pack<T> packs[W + R];
#pragma unroll
  for (int k = 0; k < W + R; k++) {
    const T* from = k < W ? s.written[k] : s.read[k - W];
    if constexpr (P == 1) {
      packs[k].v[0] = from ? from[i] : T{0};
    } else {
      packs[k] = from ? load_pack(from + i) : Pack<T>{};
    }
  }
#pragma unroll
  for (int p = 0; p < P; p++) {
    T values[W + R];
#pragma unroll
    for (int k = 0; k < W + R; k++) values[k] = packs[k].v[p];
    rule.update(factors, values);
#pragma unroll
    for (int k = 0; k < W; k++) packs[k].v[p] = values[k];
  }
#pragma unroll
  for (int k = 0; k < W; k++) {
    if (!s.written[k]) continue;
    if constexpr (P == 1) {
      s.written[k][i] = packs[k].v[0];
    } else {
      store_pack(s.written[k] + i, packs[k]);
    }
  }
}

template <class T, class Rule>
__global__ void update_kernel(Rule rule, List<typename Rule::Slice> list, [[maybe_unused]] unsigned* ticket) {
  if constexpr (requires { rule.needed(); }) {
    if (!rule.needed()) return;
  }
  __shared__ typename Rule::Factors shared;
  if (threadIdx.x == 0) shared = rule.factors(list.slices[0]);
  __syncthreads();
  const typename Rule::Factors factors = shared;
  for_chunks(list, [&](const typename Rule::Slice& slice, int64_t begin, int64_t end) {
    const auto streams = Rule::streams(slice);
    int64_t scalars = begin;
    if (streams.aligned()) {
      constexpr int P = Pack<T>::size;
      for (int64_t i = begin + threadIdx.x * P; i + P <= end; i += threads_per_block * P)
        update_at<P>(rule, factors, streams, i);
      scalars = end - end % P;  // chunks begin at whole packs
    }
    for (int64_t i = scalars + threadIdx.x; i < end; i += threads_per_block) update_at<1>(rule, factors, streams, i);
  });
  if constexpr (requires { rule.finish(list.slices[0]); }) {
    if (!last_block(ticket, gridDim.x)) return;
    for (int i = static_cast<int>(threadIdx.x); i < list.count; i += threads_per_block) rule.finish(list.slices[i]);
  }
}

template <class T, class Rule>
void update(std::span<const typename Rule::Slice> slices, const Rule& rule) {
  for_lists(slices, [&](const List<typename Rule::Slice>& list) {
    launch<update_kernel<T, Rule>>(walk(list.chunks()), rule, list, tickets());
  });
}

// ---- norm -----------------------------------------------------------------------------------------------------------

// sums: the total of this and the lists before, then one sum per block.
template <class T>
__global__ void norm_kernel(List<NormSlice<T>> list, bool first, double* sums, unsigned* ticket, double* norm) {
  double sum = 0;
  const auto add = [&](T x) { sum += static_cast<double>(x) * static_cast<double>(x); };
  for_chunks(list, [&](const NormSlice<T>& slice, int64_t begin, int64_t end) {
    int64_t scalars = begin;
    if (reinterpret_cast<uintptr_t>(slice.x) % 16 == 0) {
      constexpr int P = Pack<T>::size;
#pragma unroll 4
      for (int64_t i = begin + threadIdx.x * P; i + P <= end; i += threads_per_block * P) {
        const Pack<T> pack = load_pack(slice.x + i);
#pragma unroll
        for (int p = 0; p < P; p++) add(pack.v[p]);
      }
      scalars = end - end % P;
    }
    for (int64_t i = scalars + threadIdx.x; i < end; i += threads_per_block) add(slice.x[i]);
  });
  sum = block_reduce<threads_per_block>(sum, Plus{});
  if (threadIdx.x == 0) sums[1 + blockIdx.x] = sum;
  if (!last_block(ticket, gridDim.x)) return;
  double share = 0;
  for (unsigned block = threadIdx.x; block < gridDim.x; block += threads_per_block) share += sums[1 + block];
  const double total = block_reduce<threads_per_block>(share, Plus{});
  if (threadIdx.x > 0) return;
  sums[0] = first ? total : sums[0] + total;
  *norm = std::sqrt(sums[0]);
}

}  // namespace

template <class T>
void Gpu<T>::adam(std::span<const AdamSlice<T>> list, const AdamSettings& settings, const double* lr) {
  const double beta1 = settings.beta1, beta2 = settings.beta2;
  const Adam<T> rule = {lr,           beta1,    beta2,        settings.weight_decay, T(beta1),
                        T(1 - beta1), T(beta2), T(1 - beta2), T(settings.eps)};
  update<T>(list, rule);
}

template <class T>
void Gpu<T>::rmsprop(std::span<const RmsPropSlice<T>> list, const double* lr, double alpha, double eps) {
  const RmsProp<T> rule = {lr, static_cast<T>(alpha), static_cast<T>(1 - alpha), static_cast<T>(eps)};
  update<T>(list, rule);
}

template <class T>
void Gpu<T>::sgd(std::span<const SgdSlice<T>> list, const double* lr, double momentum, double weight_decay) {
  const Sgd<T> rule = {lr, static_cast<T>(momentum), static_cast<T>(weight_decay)};
  update<T>(list, rule);
}

template <class T>
void Gpu<T>::lerp(std::span<const LerpSlice<T>> list, double weight) {
  update<T>(list, Lerp<T>{static_cast<T>(weight)});
}

template <class T>
void Gpu<T>::accumulate(std::span<const SumSlice<T>> list) {
  update<T>(list, Accumulate<T>{});
}

template <class T>
void Gpu<T>::global_norm(std::span<const NormSlice<T>> list, double* norm) {
  bool first = true;
  auto* const sums = static_cast<double*>(scratch((1 + static_cast<size_t>(most_blocks())) * sizeof(double)));
  for_lists(list, [&](const List<NormSlice<T>>& part) {
    const Grid grid = walk(std::max(part.chunks(), 1));
    launch<norm_kernel<T>>(grid, part, first, sums, tickets(), norm);
    first = false;
  });
}

template <class T>
void Gpu<T>::clip_norm(std::span<const ClipSlice<T>> list, const double* norm, double max_norm) {
  update<T>(list, Clip<T>{norm, max_norm});
}

FORGER_KERNEL(Gpu, adam);
FORGER_KERNEL(Gpu, rmsprop);
FORGER_KERNEL(Gpu, sgd);
FORGER_KERNEL(Gpu, lerp);
FORGER_KERNEL(Gpu, accumulate);
FORGER_KERNEL(Gpu, global_norm);
FORGER_KERNEL(Gpu, clip_norm);

}  // namespace forger::kernels
