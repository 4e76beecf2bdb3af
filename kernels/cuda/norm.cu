// Batch and instance norm with a fused activation, x (groups, rows, channels): formulas in cpu/norm.cpp.
//
//                    launches   elements read + written per element of x
//   norm_stats          1           1          mean and variance per (group, channel), and their running averages
//   norm_apply          1           1 + 1      y = act((x - mean) * rstd*gamma + beta)
//   norm_backward       2           2          sum g and sum g*xhat, g = gy * act'(pre)
//                                   2 + 1      gx = gamma*rstd * (g - mean(g) - xhat * mean(g*xhat))
//   norm_backward_grad  2           3          five sums over a, g and xhat, a being the gradient of gx
//                                   3 + 2      dx and dgy, affine in a, g and x
//
// Threads stand as columns.h says: on up to 128 bytes of channels, below each other on rows. A thread keeps what
// belongs to its channels in registers while it walks down its rows, so parameters cost no traffic to speak of, and pre
// is computed again in the backward passes rather than kept. One more small launch adds groups up for ggamma and gbeta.
//
// Statistics. Four rows at a time are looked at twice, in registers: their mean, then their M2 = sum (x - mean)^2; sets
// of rows a, b are merged by the parallel form of Welford's recurrence (Chan, Golub and LeVeque 1979)
//   mean = mean_a + d n_b/n,   M2 = M2_a + M2_b + d^2 n_a n_b/n,   d = mean_b - mean_a,
// one division per four rows. The last block of a tile merges the chunks in double, without divisions: sums of n d and
// of M2 + n d^2 with d taken from the first chunk's mean, which is near enough for nothing to cancel.
//
// S is what x and its like are stored as, T what is computed in: float for bfloat16, else the same.
#include <cmath>

#include "kernels/activation.h"
#include "kernels/cuda/columns.h"

namespace forger::kernels {
namespace {

// ---- activations ----------------------------------------------------------------------------------------------------

template <Activation act, class T>
__device__ __forceinline__ T activate(T pre, T slope) {
  if constexpr (act == Activation::relu) return pre <= 0 ? T{0} : pre;  // a NaN stays
  if constexpr (act == Activation::leaky_relu) return pre > 0 ? pre : slope * pre;
  return pre;
}
template <Activation act, class T>
__device__ __forceinline__ T through(T gy, T pre, T slope) {  // gy * act'(pre)
  if constexpr (act == Activation::relu) return pre > 0 ? gy : T{0};
  if constexpr (act == Activation::leaky_relu) return pre > 0 ? gy : slope * gy;
  return gy;
}

// ---- statistics -----------------------------------------------------------------------------------------------------

template <class T>
struct Moments {  // of n values; m2 = sum (x - mean)^2
  T n, mean, m2;
};
template <class T>
__device__ __forceinline__ Moments<T> merged(Moments<T> a, Moments<T> b, T part) {  // part: b.n of all
  const T d = b.mean - a.mean;
  return {a.n + b.n, a.mean + d * part, a.m2 + b.m2 + d * (d * (a.n * part))};
}
struct Merge {
  template <class T>
  __device__ __forceinline__ Moments<T> operator()(Moments<T> a, Moments<T> b) const {
    const T n = a.n + b.n;
    return n > 0 ? merged(a, b, b.n / n) : a;
  }
};
template <class T>
__device__ __forceinline__ Moments<T> moments_of(T x0, T x1, T x2, T x3) {
  const T mean = ((x0 + x1) + (x2 + x3)) * T(0.25);
  const T d0 = x0 - mean, d1 = x1 - mean, d2 = x2 - mean, d3 = x3 - mean;
  return {4, mean, (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)};
}

template <class S, int P>
__global__ void stats_kernel(Cut cut, const S* __restrict__ x, Wide<S> eps, Moments<Wide<S>>* partial,
                             unsigned* tickets, Wide<S>* mean, Wide<S>* rstd, Running<Wide<S>> running) {
  using T = Wide<S>;
  const Place<P> at(cut);
  Moments<T> mine[P] = {};
  int64_t row = at.row;
  for (; row + 3 * at.row_step < at.end; row += 4 * at.row_step) {
    T v[4][P];
#pragma unroll
    for (int k = 0; k < 4; k++) load(x + at.offset(cut, row + k * at.row_step), v[k]);
    const T part = 4 / (mine[0].n + 4);
#pragma unroll
    for (int p = 0; p < P; p++) mine[p] = merged(mine[p], moments_of(v[0][p], v[1][p], v[2][p], v[3][p]), part);
  }
  for (; row < at.end; row += at.row_step) {
    T v[P];
    load(x + at.offset(cut, row), v);
    const T part = 1 / (mine[0].n + 1);
#pragma unroll
    for (int p = 0; p < P; p++) mine[p] = merged(mine[p], Moments<T>{1, v[p], 0}, part);
  }
  const auto from_first = [](const Moments<T>& m, const Moments<T>& first) {
    const double n = static_cast<double>(m.n), d = static_cast<double>(m.mean) - static_cast<double>(first.mean);
    return Two<double>{n * d, static_cast<double>(m.m2) + n * d * d};
  };
  const auto done = [&](int64_t channel, Two<double> sum, const Moments<T>& first) {
    const double n = static_cast<double>(cut.rows), shift = sum.a / n, var = sum.b / n - shift * shift;
    mean[at.group * cut.cols + channel] = static_cast<T>(static_cast<double>(first.mean) + shift);
    rstd[at.group * cut.cols + channel] = static_cast<T>(1 / std::sqrt(var + static_cast<double>(eps)));
    if (!running.mean) return;
    const T unbias = static_cast<T>(cut.rows) / static_cast<T>(cut.rows - 1);
    const auto move = [&](T& average, T now) { average = (1 - running.momentum) * average + running.momentum * now; };
    move(running.mean[channel], mean[channel]);
    move(running.variance[channel], static_cast<T>(var) * unbias);
  };
  fold_columns(cut, at, mine, Merge{}, partial, tickets, from_first, done);
}

// ---- forward --------------------------------------------------------------------------------------------------------

template <class T>
struct Parameters {
  const T *mean, *rstd;   // (groups, channels)
  const T *gamma, *beta;  // (channels), may be null
};

// Those of a thread's channels. Every pass takes the same expression for pre, so that all see the same sign of it.
template <class T, int P>
struct Affine {
  T mean[P], rstd[P], scale[P], shift[P] = {};

  __device__ __forceinline__ Affine(const Cut& cut, const Place<P>& at, const Parameters<T>& from) {
    load(from.mean + at.group * cut.cols + at.column, mean);
    load(from.rstd + at.group * cut.cols + at.column, rstd);
    if (from.beta) load(from.beta + at.column, shift);
    T gamma[P];
    if (from.gamma) load(from.gamma + at.column, gamma);
#pragma unroll
    for (int p = 0; p < P; p++) scale[p] = from.gamma ? rstd[p] * gamma[p] : rstd[p];
  }
  __device__ __forceinline__ T pre(int p, T x) const { return (x - mean[p]) * scale[p] + shift[p]; }
};

template <class S, int P, Activation act>
__global__ void apply_kernel(Cut cut, const S* __restrict__ x, Parameters<Wide<S>> parameters, Wide<S> slope,
                             S* __restrict__ y) {
  using T = Wide<S>;
  const Place<P> at(cut);
  if (at.row >= at.end) return;
  const Affine<T, P> affine(cut, at, parameters);
#pragma unroll 4
  for (int64_t row = at.row; row < at.end; row += at.row_step) {
    T v[P];
    load(x + at.offset(cut, row), v);
#pragma unroll
    for (int p = 0; p < P; p++) v[p] = activate<act>(affine.pre(p, v[p]), slope);
    store(y + at.offset(cut, row), v);
  }
}

// ---- backward -------------------------------------------------------------------------------------------------------

// sums (2, groups, channels): of g, then of g*xhat. With one group they are the gradients of beta and gamma.
template <class S, int P, Activation act>
__global__ void sums_kernel(Cut cut, const S* __restrict__ x, const S* __restrict__ gy, Parameters<Wide<S>> parameters,
                            Wide<S> slope, Two<Wide<S>>* partial, unsigned* tickets, Wide<S>* sums, Wide<S>* ggamma,
                            Wide<S>* gbeta) {
  using T = Wide<S>;
  const Place<P> at(cut);
  Two<T> mine[P] = {};
  if (at.row < at.end) {
    const Affine<T, P> affine(cut, at, parameters);
#pragma unroll 4
    for (int64_t row = at.row; row < at.end; row += at.row_step) {
      T v[P], g[P];
      load(x + at.offset(cut, row), v);
      load(gy + at.offset(cut, row), g);
#pragma unroll
      for (int p = 0; p < P; p++) {
        const T through_act = through<act>(g[p], affine.pre(p, v[p]), slope);
        mine[p] = mine[p] + Two<T>{through_act, through_act * ((v[p] - affine.mean[p]) * affine.rstd[p])};
      }
    }
  }
  const auto widen = [](const Two<T>& sum, const Two<T>&) { return sum.widened(); };
  const auto done = [&](int64_t channel, Two<double> sum, const Two<T>&) {
    const Two<T> both = {static_cast<T>(sum.a), static_cast<T>(sum.b)};
    T* const sum_of = sums + at.group * cut.cols + channel;
    sum_of[0] = both.a;
    sum_of[cut.groups * cut.cols] = both.b;
    if (cut.groups == 1 && gbeta) gbeta[channel] = both.a;
    if (cut.groups == 1 && ggamma) ggamma[channel] = both.b;
  };
  fold_columns(cut, at, mine, Plus{}, partial, tickets, widen, done);
}

template <class T>
__global__ void over_groups_kernel(int64_t groups, int64_t channels, const T* __restrict__ sums, T* ggamma, T* gbeta) {
  const int64_t channel = global_thread();
  if (channel >= channels) return;
  Two<double> total = {};
  for (int64_t group = 0; group < groups; group++) {
    const T* const sum_of = sums + group * channels + channel;
    total = total + Two<T>{sum_of[0], sum_of[groups * channels]}.widened();
  }
  if (gbeta) gbeta[channel] = static_cast<T>(total.a);
  if (ggamma) ggamma[channel] = static_cast<T>(total.b);
}

template <class S, int P, Activation act>
__global__ void input_grad_kernel(Cut cut, const S* __restrict__ x, const S* __restrict__ gy,
                                  Parameters<Wide<S>> parameters, Wide<S> slope, const Wide<S>* __restrict__ sums,
                                  S* __restrict__ gx) {
  using T = Wide<S>;
  const Place<P> at(cut);
  if (at.row >= at.end) return;
  const Affine<T, P> affine(cut, at, parameters);
  const T inverse = 1 / static_cast<T>(cut.rows);
  T mean_g[P], slant[P];  // slant = rstd * mean(g*xhat)
  load(sums + at.group * cut.cols + at.column, mean_g);
  load(sums + (cut.groups + at.group) * cut.cols + at.column, slant);
#pragma unroll
  for (int p = 0; p < P; p++) {
    mean_g[p] *= inverse;
    slant[p] *= affine.rstd[p] * inverse;
  }
#pragma unroll 2
  for (int64_t row = at.row; row < at.end; row += at.row_step) {
    T v[P], g[P];
    load(x + at.offset(cut, row), v);
    load(gy + at.offset(cut, row), g);
#pragma unroll
    for (int p = 0; p < P; p++) {
      const T through_act = through<act>(g[p], affine.pre(p, v[p]), slope);
      v[p] = affine.scale[p] * ((through_act - mean_g[p]) - (v[p] - affine.mean[p]) * slant[p]);
    }
    store(gx + at.offset(cut, row), v);
  }
}

// ---- backward of the backward ---------------------------------------------------------------------------------------

// Sums over the rows of a group, u being the incoming gradient of gx.
template <class T>
struct Cross {
  T u, g, ux, gx, ug;
  __device__ __forceinline__ friend Cross operator+(const Cross& p, const Cross& q) {
    return {p.u + q.u, p.g + q.g, p.ux + q.ux, p.gx + q.gx, p.ug + q.ug};
  }
};

// What the second pass takes of a channel, and the group's share of dgamma:
//   dgy = act' (scale*u + mixed*centred + dgy_1),   dx = dx_u*u + mixed*g + dx_x*centred + dx_1
template <class T>
struct Slopes {
  T mixed, dgy_1, dx_u, dx_x, dx_1, dgamma;
};

template <class S, int P, Activation act>
__global__ void cross_kernel(Cut cut, const S* __restrict__ x, const S* __restrict__ gy, const S* __restrict__ a,
                             Parameters<Wide<S>> parameters, Wide<S> slope, Cross<Wide<S>>* partial, unsigned* tickets,
                             Slopes<Wide<S>>* slopes, Wide<S>* dgamma) {
  using T = Wide<S>;
  const Place<P> at(cut);
  Cross<T> mine[P] = {};
  if (at.row < at.end) {
    const Affine<T, P> affine(cut, at, parameters);
#pragma unroll 2
    for (int64_t row = at.row; row < at.end; row += at.row_step) {
      T v[P], g[P], u[P];
      load(x + at.offset(cut, row), v);
      load(gy + at.offset(cut, row), g);
      load(a + at.offset(cut, row), u);
#pragma unroll
      for (int p = 0; p < P; p++) {
        const T through_act = through<act>(g[p], affine.pre(p, v[p]), slope);
        const T xhat = (v[p] - affine.mean[p]) * affine.rstd[p];
        mine[p] = mine[p] + Cross<T>{u[p], through_act, u[p] * xhat, through_act * xhat, u[p] * through_act};
      }
    }
  }
  const auto widen = [](const Cross<T>& sum, const Cross<T>&) {
    return Cross<double>{static_cast<double>(sum.u), static_cast<double>(sum.g), static_cast<double>(sum.ux),
                         static_cast<double>(sum.gx), static_cast<double>(sum.ug)};
  };
  const auto done = [&](int64_t channel, const Cross<double>& sum, const Cross<T>&) {
    const double n = static_cast<double>(cut.rows),
                 r = static_cast<double>(parameters.rstd[at.group * cut.cols + channel]);
    const double scale = parameters.gamma ? r * static_cast<double>(parameters.gamma[channel]) : r;
    const double u = sum.u / n, g = sum.g / n, ux = sum.ux / n, gx = sum.gx / n;
    const double c = sum.ug / n - u * g - ux * gx;
    const Slopes<T> result = {
        .mixed = static_cast<T>(-scale * r * ux),
        .dgy_1 = static_cast<T>(-scale * u),
        .dx_u = static_cast<T>(-scale * r * gx),

        .dx_x = static_cast<T>(-scale * r * r * (c - 2 * ux * gx)),
        .dx_1 = static_cast<T>(scale * r * (gx * u + ux * g)),
        .dgamma = static_cast<T>(n * r * c),
    };
    slopes[at.group * cut.cols + channel] = result;
    if (cut.groups == 1 && dgamma) dgamma[channel] = result.dgamma;
  };
  fold_columns(cut, at, mine, Plus{}, partial, tickets, widen, done);
}

template <class T>
__global__ void dgamma_kernel(int64_t groups, int64_t channels, const Slopes<T>* __restrict__ slopes, T* dgamma) {
  const int64_t channel = global_thread();
  if (channel >= channels) return;
  double total = 0;
  for (int64_t group = 0; group < groups; group++)
    total += static_cast<double>(slopes[group * channels + channel].dgamma);
  dgamma[channel] = static_cast<T>(total);
}

template <class S, int P, Activation act>
__global__ void backward_grad_kernel(Cut cut, const S* __restrict__ x, const S* __restrict__ gy,
                                     const S* __restrict__ a, Parameters<Wide<S>> parameters, Wide<S> slope,
                                     const Slopes<Wide<S>>* __restrict__ slopes, S* __restrict__ dx,
                                     S* __restrict__ dgy) {
  using T = Wide<S>;
  const Place<P> at(cut);
  if (at.row >= at.end) return;
  const Affine<T, P> affine(cut, at, parameters);
  Slopes<T> k[P];
#pragma unroll
  for (int p = 0; p < P; p++) k[p] = slopes[at.group * cut.cols + at.column + p];
  for (int64_t row = at.row; row < at.end; row += at.row_step) {
    T v[P], g[P], u[P];
    load(x + at.offset(cut, row), v);
    load(gy + at.offset(cut, row), g);
    load(a + at.offset(cut, row), u);
#pragma unroll
    for (int p = 0; p < P; p++) {
      const T pre = affine.pre(p, v[p]), centred = v[p] - affine.mean[p];
      const T through_act = through<act>(g[p], pre, slope);
      const T to_g = affine.scale[p] * u[p] + k[p].mixed * centred + k[p].dgy_1;
      g[p] = through<act>(to_g, pre, slope);
      v[p] = k[p].dx_u * u[p] + k[p].mixed * through_act + k[p].dx_x * centred + k[p].dx_1;
    }
    if (dx) store(dx + at.offset(cut, row), v);
    if (dgy) store(dgy + at.offset(cut, row), g);
  }
}

// Blocks that fill the device: twice over for folds, whose second stage grows with them, more where there is none.
int64_t folding_blocks() { return 2 * multiprocessors(); }
int64_t mapping_blocks() { return 4 * multiprocessors(); }

}  // namespace

template <class T>
void Gpu<T>::norm_stats(const NormShape& s, const T* x, Wide eps, Wide* mean, Wide* rstd,
                        const Running<Wide>& running) {
  with_packs<T>(packable(s.channels, x), [&]<int P>(std::integral_constant<int, P>) {
    const Cut cut = cut_columns<T, P>(s.groups, s.rows, s.channels, folding_blocks());
    auto* partial = static_cast<Moments<Wide>*>(scratch(cut.partials() * sizeof(Moments<Wide>)));
    launch<stats_kernel<T, P>>(cut.grid(), cut, x, eps, partial, tickets(), mean, rstd, running);
  });
}

template <class T>
void Gpu<T>::norm_apply(const NormShape& s, const T* x, const Wide* mean, const Wide* rstd, const Wide* gamma,
                        const Wide* beta, Activation act, Wide slope, T* y) {
  const Parameters<Wide> parameters = {mean, rstd, gamma, beta};
  with_packs<T>(packable(s.channels, x, y, mean, rstd, gamma, beta), [&]<int P>(std::integral_constant<int, P>) {
    const Cut cut = cut_columns<T, P>(s.groups, s.rows, s.channels, mapping_blocks());
    with_activation(
        act, [&]<Activation a>(Tag<a>) { launch<apply_kernel<T, P, a>>(cut.grid(), cut, x, parameters, slope, y); });
  });
}

template <class T>
void Gpu<T>::norm_backward(const NormShape& s, const T* x, const T* gy, const Wide* mean, const Wide* rstd,
                           const Wide* gamma, const Wide* beta, Activation act, Wide slope, T* gx, Wide* ggamma,
                           Wide* gbeta) {
  const Parameters<Wide> parameters = {mean, rstd, gamma, beta};
  with_packs<T>(packable(s.channels, x, gy, gx, mean, rstd, gamma, beta), [&]<int P>(std::integral_constant<int, P>) {
    const Cut fold = cut_columns<T, P>(s.groups, s.rows, s.channels, folding_blocks());
    const Cut map = cut_columns<T, P>(s.groups, s.rows, s.channels, mapping_blocks());
    const size_t channels = static_cast<size_t>(s.groups * s.channels);
    Wide* const sums = static_cast<Wide*>(scratch((channels + fold.partials()) * sizeof(Two<Wide>)));
    auto* const partial = reinterpret_cast<Two<Wide>*>(sums + 2 * channels);
    with_activation(act, [&]<Activation a>(Tag<a>) {
      launch<sums_kernel<T, P, a>>(fold.grid(), fold, x, gy, parameters, slope, partial, tickets(), sums, ggamma,
                                   gbeta);
      if (gx) launch<input_grad_kernel<T, P, a>>(map.grid(), map, x, gy, parameters, slope, sums, gx);
    });
    if (s.groups != 1 && (ggamma || gbeta))
      launch<over_groups_kernel<Wide>>(over(s.channels), s.groups, s.channels, sums, ggamma, gbeta);
  });
}

template <class T>
void Gpu<T>::norm_backward_grad(const NormShape& s, const T* x, const T* gy, const T* a, const Wide* mean,
                                const Wide* rstd, const Wide* gamma, const Wide* beta, Activation act, Wide slope,
                                T* dx, T* dgy, Wide* dgamma) {
  const Parameters<Wide> parameters = {mean, rstd, gamma, beta};
  const bool packed = packable(s.channels, x, gy, a, dx, dgy, mean, rstd, gamma, beta);
  with_packs<T>(packed, [&]<int P>(std::integral_constant<int, P>) {
    const Cut fold = cut_columns<T, P>(s.groups, s.rows, s.channels, folding_blocks());
    const Cut map = cut_columns<T, P>(s.groups, s.rows, s.channels, mapping_blocks());
    const size_t channels = static_cast<size_t>(s.groups * s.channels);
    auto* const slopes =
        static_cast<Slopes<Wide>*>(scratch(channels * sizeof(Slopes<Wide>) + fold.partials() * sizeof(Cross<Wide>)));
    auto* const partial = reinterpret_cast<Cross<Wide>*>(slopes + channels);
    with_activation(act, [&]<Activation f>(Tag<f>) {
      launch<cross_kernel<T, P, f>>(fold.grid(), fold, x, gy, a, parameters, slope, partial, tickets(), slopes, dgamma);
      if (dx || dgy)
        launch<backward_grad_kernel<T, P, f>>(map.grid(), map, x, gy, a, parameters, slope, slopes, dx, dgy);
    });
    if (s.groups != 1 && dgamma) launch<dgamma_kernel<Wide>>(over(s.channels), s.groups, s.channels, slopes, dgamma);
  });
}

FORGER_KERNEL(Gpu, norm_stats);
FORGER_KERNEL(Gpu, norm_apply);
FORGER_KERNEL(Gpu, norm_backward);
FORGER_KERNEL(Gpu, norm_backward_grad);
FORGER_KERNEL_BF16(Gpu, norm_stats);
FORGER_KERNEL_BF16(Gpu, norm_apply);
FORGER_KERNEL_BF16(Gpu, norm_backward);
FORGER_KERNEL_BF16(Gpu, norm_backward_grad);

}  // namespace forger::kernels
