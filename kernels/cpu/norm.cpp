// Normalisation with a fused activation: batch norm, instance norm (groups > 1) and layer norm, forward and backward.
//
//   forward    xhat = (x - mean) * rstd,  pre = xhat*gamma + beta,  y = act(pre)
//   backward   g = gy * act'(pre)         pre is computed again rather than kept: it costs no memory traffic
//              gbeta = sum g,  ggamma = sum g*xhat
//              gx = gamma * rstd * (g - mean(g) - xhat * mean(g*xhat))
//   again      of <a, gx>, with <.> for the mean and c = <a g> - <a><g> - <a xhat><g xhat>:
//              dgy = act'(pre) * gamma * rstd * (a - <a> - xhat <a xhat>)        the map from g to gx is symmetric
//              dgamma = sum rstd * c
//              dx = -gamma * rstd^2 * (<g xhat> (a - <a>) + <a xhat> (g - <g>) + xhat (c - 2 <a xhat><g xhat>))
//
// The backward formula treats mean and variance as functions of x (Ioffe and Szegedy 2015). The reductions run over the
// rows of a group for batch and instance norm, over the columns of a row for layer norm.
//
// Statistics. sum x^2 - (sum x)^2 / n cancels when the mean is large; Welford's recurrence is one long chain of
// divisions. Here every tile of rows is looked at twice, the second time in the cache: first its mean, counted from its
// first row so that equal values have themselves as their mean, then M2 = sum (x - mean)^2. Tiles are merged in a fixed
// order and in double by the parallel-axis form of Chan, Golub and LeVeque (1979):
//   mean = sum n_t mean_t / n,   M2 = sum (M2_t + n_t (mean_t - mean)^2),   var = M2 / n.
//
// Memory traffic in elements per element of x: stats 1, apply 2, backward 2 + 3 (sums; gx), again 3 + 5. Parameters
// stay in L1. The loops over channels run on whole vectors; see fold.h for few or odd channel counts.
#include <cmath>
#include <vector>

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/fold.h"

namespace forger::kernels {
namespace {

template <Activation act, class V>
inline V through(V gy, V pre, V slope) {  // gy * act'(pre)
  if constexpr (act == Activation::relu) return pre > V{} ? gy : V{};
  if constexpr (act == Activation::leaky_relu) return pre > V{} ? gy : slope * gy;
  return gy;
}

// ---- per-column parameters, as the wide rows of fold.h see them -----------------------------------------------------

// gamma or beta, or constants in the place of a null.
template <class T>
struct OrConstant {
  std::vector<T> constants;
  const T* values;
  OrConstant(const T* given, int64_t n, T constant)
      : constants(static_cast<size_t>(given ? 0 : n), constant), values(given ? given : constants.data()) {}
  OrConstant(const OrConstant&) = delete;
};

// mean, rstd, gamma*rstd and beta for every (group, wide column).
template <class T>
struct Columns {
  int64_t width;
  std::vector<T> mean, rstd, scale, shift;

  Columns(const Tiles& t, const T* means, const T* rstds, const T* gamma, const T* beta)
      : width(t.width),
        mean(repeat_columns(t, t.groups, means)),
        rstd(repeat_columns(t, t.groups, rstds)),
        scale(rstd),
        shift(mean.size()) {
    const OrConstant<T> weight(gamma, t.cols, 1), bias(beta, t.cols, 0);
    for (int64_t i = 0; i < t.groups * t.width; i++) {
      scale[i] *= weight.values[i % t.cols];
      shift[i] = bias.values[i % t.cols];
    }
  }

  template <class V>
  struct At {
    V centred, pre;
  };
  // The forward pass and the backward pass take this same expression, so that both see the same sign of pre.
  template <class V>
  At<V> at(const Place& place, const T* x) const {
    const int64_t i = place.group * width + place.column;
    const V centred = load<V>(x + place.offset) - load<V>(&mean[i]);
    return {centred, centred * load<V>(&scale[i]) + load<V>(&shift[i])};
  }
};

}  // namespace

// ---- batch and instance norm ----------------------------------------------------------------------------------------

template <class T>
void Cpu<T>::norm_stats(const NormShape& s, const T* x, Wide eps, Wide* mean, Wide* rstd,
                        const Running<Wide>& running) {
  const Tiles t(s.groups, s.rows, s.channels);
  // (groups, row_tiles, {mean, M2}, width) of the tiles
  std::vector<T> partial(static_cast<size_t>(t.groups * t.row_tiles * 2 * t.width));
  const auto part = [&](int64_t group, int64_t tile, int k) {
    return partial.data() + ((group * t.row_tiles + tile) * 2 + k) * t.width;
  };
  t.for_tiles([&](int64_t group, int64_t tile, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
    T* const tile_mean = part(group, tile, 0);
    const T* const first = x + group * t.group_size() + r0 * t.width;  // row; means are counted from it
    const auto element = [=]<class V>(const Place& at) {
      return std::array<V, 1>{load<V>(x + at.offset) - load<V>(first + at.column)};
    };
    fold_any_tile<1, T>(t, group, r0, r1, c0, c1, T(0), Plus{}, element, {tile_mean + c0});
    for (int64_t c = c0; c < c1; c++) tile_mean[c] = first[c] + tile_mean[c] / static_cast<T>(r1 - r0);
    const auto square = [=]<class V>(const Place& at) {
      const V d = load<V>(x + at.offset) - load<V>(tile_mean + at.column);
      return std::array<V, 1>{d * d};
    };
    fold_any_tile<1, T>(t, group, r0, r1, c0, c1, T(0), Plus{}, square, {part(group, tile, 1) + c0});
  });
  // Merges, a strip of channels at a time: every tile gives `copies` entries per channel, each leftover row one of a
  // single element.
  constexpr int64_t strip = 64;
  const T no_m2[strip] = {};
  const double n = static_cast<double>(s.rows);
  const T unbias = static_cast<T>(s.rows) / static_cast<T>(s.rows - 1);
  const auto move = [&](T& average, T now) { average = (1 - running.momentum) * average + running.momentum * now; };
  parallel_for(t.groups * t.cols, 16384 / (t.row_tiles * t.copies) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin, channels = 0; i < end; i += channels) {
      const int64_t group = i / t.cols, channel = i % t.cols;
      channels = std::min({strip, end - i, t.cols - channel});
      const T* rest = x + group * t.group_size() + t.rows * t.width;
      const auto for_entries = [&](const auto& entry) {  // entry(count, means, M2s) of the strip's channels
        for (int64_t tile = 0; tile < t.row_tiles; tile++) {
          const double count = static_cast<double>(std::min(t.row_step, t.rows - tile * t.row_step));
          for (int64_t c = channel; c < t.width; c += t.cols)
            entry(count, part(group, tile, 0) + c, part(group, tile, 1) + c);
        }
        for (int64_t c = channel; c < t.rest; c += t.cols) entry(1.0, rest + c, no_m2);
      };
      double total_mean[strip] = {}, m2[strip] = {};
      for_entries([&](double count, const T* means, const T*) {
        for (int64_t c = 0; c < channels; c++) total_mean[c] += count / n * static_cast<double>(means[c]);
      });
      for_entries([&](double count, const T* means, const T* m2s) {
        for (int64_t c = 0; c < channels; c++) {
          const double d = static_cast<double>(means[c]) - total_mean[c];
          m2[c] += static_cast<double>(m2s[c]) + count * d * d;
        }
      });
      for (int64_t c = 0; c < channels; c++) {
        mean[i + c] = static_cast<T>(total_mean[c]);
        rstd[i + c] = static_cast<T>(1 / std::sqrt(m2[c] / n + static_cast<double>(eps)));
        if (!running.mean) continue;
        move(running.mean[i + c], mean[i + c]);
        move(running.variance[i + c], static_cast<T>(m2[c] / n) * unbias);
      }
    }
  });
}

template <class T>
void Cpu<T>::norm_apply(const NormShape& s, const T* x, const Wide* mean, const Wide* rstd, const Wide* gamma,
                        const Wide* beta, Activation act, Wide slope, T* y) {
  const Tiles t(s.groups, s.rows, s.channels);
  const Columns<T> columns(t, mean, rstd, gamma, beta);
  with_activation(act, [&]<Activation a>(Tag<a>) {
    map_columns<T>(t, [&]<class V>(const Place& at) {
      store(y + at.offset, activate<a>(columns.template at<V>(at, x).pre, vec::splat<V>(slope)));
    });
  });
}

template <class T>
void Cpu<T>::norm_backward(const NormShape& s, const T* x, const T* gy, const Wide* mean, const Wide* rstd,
                           const Wide* gamma, const Wide* beta, Activation act, Wide slope, T* gx, Wide* ggamma,
                           Wide* gbeta) {
  const Tiles t(s.groups, s.rows, s.channels);
  const Columns<T> columns(t, mean, rstd, gamma, beta);
  const int64_t n = t.groups * t.cols;
  std::vector<T> sum_g(static_cast<size_t>(n)),
      sum_gx(static_cast<size_t>(n));  // of g and g*xhat, per group and channel
  with_activation(act, [&]<Activation a>(Tag<a>) {
    const auto sums = [&]<class V>(const Place& place) {
      constexpr int64_t ahead = 2048 / sizeof(T);  // x was last seen in the forward pass: it comes from memory
      __builtin_prefetch(x + place.offset + ahead);
      __builtin_prefetch(gy + place.offset + ahead);
      const auto [centred, pre] = columns.template at<V>(place, x);
      const V g = through<a>(load<V>(gy + place.offset), pre, vec::splat<V>(slope));
      return std::array<V, 2>{g, g * (centred * load<V>(&columns.rstd[place.group * t.width + place.column]))};
    };
    fold_columns<2, T>(t, T(0), Plus{}, sums, {sum_g.data(), sum_gx.data()});
    const auto over_groups = [&](const std::vector<T>& per_group, T* out) {
      const auto element = [&]<class V>(const Place& at) { return std::array<V, 1>{load<V>(&per_group[at.offset])}; };
      if (out) fold_columns<1, T>(Tiles(1, t.groups, t.cols), T(0), Plus{}, element, {out});
    };
    over_groups(sum_g, gbeta);
    over_groups(sum_gx, ggamma);
    if (!gx) return;
    // gx = scale * ((g - mean(g)) - centred * slant), slant = rstd * mean(g*xhat)
    const T rows = static_cast<T>(s.rows);
    for (int64_t i = 0; i < n; i++) {
      sum_g[i] /= rows;
      sum_gx[i] *= rstd[i] / rows;
    }
    const std::vector<T> mean_g = repeat_columns(t, t.groups, sum_g.data());
    const std::vector<T> slant = repeat_columns(t, t.groups, sum_gx.data());
    map_columns<T>(t, [&]<class V>(const Place& place) {
      const int64_t i = place.group * t.width + place.column;
      const auto [centred, pre] = columns.template at<V>(place, x);
      const V g = through<a>(load<V>(gy + place.offset), pre, vec::splat<V>(slope));
      store(gx + place.offset, load<V>(&columns.scale[i]) * ((g - load<V>(&mean_g[i])) - centred * load<V>(&slant[i])));
    });
  });
}

template <class T>
void Cpu<T>::norm_backward_grad(const NormShape& s, const T* x, const T* gy, const T* a, const Wide* mean,
                                const Wide* rstd, const Wide* gamma, const Wide* beta, Activation act, Wide slope,
                                T* dx, T* dgy, Wide* dgamma) {
  const Tiles t(s.groups, s.rows, s.channels);
  const Columns<T> columns(t, mean, rstd, gamma, beta);
  const int64_t n = t.groups * t.cols;
  const auto per_channel = [&] { return std::vector<T>(static_cast<size_t>(n)); };
  std::vector<T> sum_a = per_channel(), sum_g = per_channel(), sum_ax = per_channel(), sum_gx = per_channel(),
                 sum_ag = per_channel();
  with_activation(act, [&]<Activation f>(Tag<f>) {
    const auto sums = [&]<class V>(const Place& place) {
      const auto [centred, pre] = columns.template at<V>(place, x);
      const V xhat = centred * load<V>(&columns.rstd[place.group * t.width + place.column]);
      const V g = through<f>(load<V>(gy + place.offset), pre, vec::splat<V>(slope)), u = load<V>(a + place.offset);
      return std::array<V, 5>{u, g, u * xhat, g * xhat, u * g};
    };
    fold_columns<5, T>(t, T(0), Plus{}, sums,
                       {sum_a.data(), sum_g.data(), sum_ax.data(), sum_gx.data(), sum_ag.data()});
    // dgy = act' (scale*a + mixed*centred + dgy_1),  dx = dx_a*a + mixed*g + dx_x*centred + dx_1
    std::vector<T> dgamma_part = per_channel(), mixed = per_channel(), dgy_1 = per_channel(), dx_a = per_channel(),
                   dx_x = per_channel(), dx_1 = per_channel();
    const T rows = static_cast<T>(s.rows);
    for (int64_t i = 0; i < n; i++) {
      const T r = rstd[i], scale = gamma ? r * gamma[i % t.cols] : r;
      const T ma = sum_a[i] / rows, mg = sum_g[i] / rows, max = sum_ax[i] / rows, mgx = sum_gx[i] / rows;
      const T c = sum_ag[i] / rows - ma * mg - max * mgx;
      dgamma_part[i] = rows * r * c;
      mixed[i] = -scale * r * max;
      dgy_1[i] = -scale * ma;
      dx_a[i] = -scale * r * mgx;
      dx_x[i] = -scale * r * r * (c - 2 * max * mgx);
      dx_1[i] = scale * r * (mgx * ma + max * mg);
    }
    const auto element = [&]<class V>(const Place& at) { return std::array<V, 1>{load<V>(&dgamma_part[at.offset])}; };
    if (dgamma) fold_columns<1, T>(Tiles(1, t.groups, t.cols), T(0), Plus{}, element, {dgamma});
    if (!dx && !dgy) return;
    for (auto* values : {&mixed, &dgy_1, &dx_a, &dx_x, &dx_1}) *values = repeat_columns(t, t.groups, values->data());
    map_columns<T>(t, [&]<class V>(const Place& place) {
      const int64_t i = place.group * t.width + place.column;
      const auto [centred, pre] = columns.template at<V>(place, x);
      const V g = through<f>(load<V>(gy + place.offset), pre, vec::splat<V>(slope)), u = load<V>(a + place.offset);
      const V to_g = load<V>(&columns.scale[i]) * u + load<V>(&mixed[i]) * centred + load<V>(&dgy_1[i]);
      if (dgy) store(dgy + place.offset, through<f>(to_g, pre, vec::splat<V>(slope)));
      const V to_x = load<V>(&dx_a[i]) * u + load<V>(&mixed[i]) * g + load<V>(&dx_x[i]) * centred + load<V>(&dx_1[i]);
      if (dx) store(dx + place.offset, to_x);
    });
  });
}

// ---- layer norm -----------------------------------------------------------------------------------------------------

template <class T>
void Cpu<T>::layer_norm(int64_t rows, int64_t cols, const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean,
                        T* rstd) {
  const OrConstant<T> ones(gamma, cols, 1), zeros(beta, cols, 0);
  const T *const weight = ones.values, *const bias = zeros.values;
  const T n = static_cast<T>(cols);
  parallel_for(rows, 16384 / (cols + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T* row = x + i * cols;
      const T first = cols > 0 ? row[0] : T{0};  // the mean is counted from it
      const auto element = [=]<class V>(int64_t c) {
        return std::array<V, 1>{load<V>(row + c) - vec::splat<V>(first)};
      };
      const T m = first + fold_row<T, 1>(0, cols, T(0), Plus{}, element)[0] / n;
      const auto square = [=]<class V>(int64_t c) {
        const V d = load<V>(row + c) - vec::splat<V>(m);
        return std::array<V, 1>{d * d};
      };
      const T r = 1 / std::sqrt(fold_row<T, 1>(0, cols, T(0), Plus{}, square)[0] / n + eps);
      mean[i] = m;
      rstd[i] = r;
      T* out = y + i * cols;
      for (int64_t c = 0; c < cols; c++) out[c] = (row[c] - m) * r * weight[c] + bias[c];
    }
  });
}

template <class T>
void Cpu<T>::layer_norm_backward(int64_t rows, int64_t cols, const T* x, const T* gy, const T* mean, const T* rstd,
                                 const T* gamma, T* gx, T* ggamma, T* gbeta) {
  if (ggamma || gbeta) {
    std::vector<T> unwanted(static_cast<size_t>(ggamma && gbeta ? 0 : cols));
    const auto sums = [=]<class V>(const Place& at) {
      const V xhat = (load<V>(x + at.offset) - vec::splat<V>(mean[at.row])) * vec::splat<V>(rstd[at.row]);
      const V g = load<V>(gy + at.offset);
      return std::array<V, 2>{g, g * xhat};
    };
    // Not widened: mean and rstd belong to a row.
    fold_columns<2, T>(Tiles(1, rows, cols, false), T(0), Plus{}, sums,
                       {gbeta ? gbeta : unwanted.data(), ggamma ? ggamma : unwanted.data()});
  }
  if (!gx) return;
  const OrConstant<T> ones(gamma, cols, 1);
  const T* const weight = ones.values;
  parallel_for(rows, 16384 / (cols + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T *row = x + i * cols, *g = gy + i * cols;
      const T m = mean[i], r = rstd[i];
      const auto sums = [=]<class V>(int64_t c) {
        const V weighted = load<V>(g + c) * load<V>(weight + c);
        return std::array<V, 2>{weighted, weighted * ((load<V>(row + c) - vec::splat<V>(m)) * vec::splat<V>(r))};
      };
      const auto [sum_g, sum_gx] = fold_row<T, 2>(0, cols, T(0), Plus{}, sums);
      const T mean_g = sum_g / static_cast<T>(cols), slant = r * sum_gx / static_cast<T>(cols);
      T* out = gx + i * cols;
      for (int64_t c = 0; c < cols; c++) out[c] = r * ((g[c] * weight[c] - mean_g) - (row[c] - m) * slant);
    }
  });
}

FORGER_KERNEL(Cpu, norm_stats);
FORGER_KERNEL(Cpu, norm_apply);
FORGER_KERNEL(Cpu, norm_backward);
FORGER_KERNEL(Cpu, norm_backward_grad);
FORGER_KERNEL(Cpu, layer_norm);
FORGER_KERNEL(Cpu, layer_norm_backward);

}  // namespace forger::kernels
