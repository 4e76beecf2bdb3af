// Batch, instance and layer norm against plain loops in double, gradients against the chain rule written out and
// against finite differences; statistics that would break a careless variance.
#include <array>
#include <limits>

#include "tests/kernels/values.h"

using namespace forger::kernels;

namespace {

using Doubles = std::vector<double>;

double act(Activation a, double pre, double slope) {
  if (a == Activation::none || pre > 0) return pre;
  return a == Activation::relu ? 0 : slope * pre;
}
double act_slope(Activation a, double pre, double slope) {
  if (a == Activation::none || pre > 0) return 1;
  return a == Activation::relu ? 0 : slope;
}

// A norm over the entries i of each set s: at(s, i) is the element, gamma and beta are indexed by param(s, i).
template <class At, class Param>
struct Layout {
  int64_t sets, entries, params;
  At at;
  Param param;
};
template <class At, class Param>
Layout(int64_t, int64_t, int64_t, At, Param) -> Layout<At, Param>;
auto channel_layout(const NormShape& s) {
  const int64_t rows = s.rows, channels = s.channels;
  return Layout{s.groups * channels, rows, channels,
                [=](int64_t set, int64_t i) { return (set / channels * rows + i) * channels + set % channels; },
                [=](int64_t set, int64_t) { return set % channels; }};
}
auto row_layout(int64_t rows, int64_t cols) {
  return Layout{rows, cols, cols, [=](int64_t set, int64_t i) { return set * cols + i; },
                [](int64_t, int64_t i) { return i; }};
}

struct Result {
  Doubles mean, rstd, y, gx, ggamma, gbeta;
};

template <class L>
Result naive(const L& l, const Doubles& x, const Doubles& gy, const Doubles& gamma, const Doubles& beta, double eps,
             Activation a, double slope) {
  Result r{Doubles(l.sets), Doubles(l.sets), x, x, Doubles(l.params), Doubles(l.params)};
  const double n = static_cast<double>(l.entries);
  for (int64_t s = 0; s < l.sets; s++) {
    double mean = 0, var = 0, sum_g = 0, sum_gx = 0;
    for (int64_t i = 0; i < l.entries; i++) mean += x[l.at(s, i)] / n;
    for (int64_t i = 0; i < l.entries; i++) var += (x[l.at(s, i)] - mean) * (x[l.at(s, i)] - mean) / n;
    const double rstd = 1 / std::sqrt(var + eps);
    const auto xhat = [&](int64_t i) { return (x[l.at(s, i)] - mean) * rstd; };
    const auto pre = [&](int64_t i) { return xhat(i) * gamma[l.param(s, i)] + beta[l.param(s, i)]; };
    const auto g = [&](int64_t i) { return gy[l.at(s, i)] * act_slope(a, pre(i), slope); };
    for (int64_t i = 0; i < l.entries; i++) {
      r.y[l.at(s, i)] = act(a, pre(i), slope);
      r.gbeta[l.param(s, i)] += g(i);
      r.ggamma[l.param(s, i)] += g(i) * xhat(i);
      sum_g += g(i) * gamma[l.param(s, i)];
      sum_gx += g(i) * gamma[l.param(s, i)] * xhat(i);
    }
    for (int64_t i = 0; i < l.entries; i++)
      r.gx[l.at(s, i)] = rstd * (g(i) * gamma[l.param(s, i)] - sum_g / n - xhat(i) * sum_gx / n);
    r.mean[s] = mean;
    r.rstd[s] = rstd;
  }
  return r;
}

const std::vector<NormShape> shapes = {{1, 1, 5},    {1, 2, 1},    {1, 33, 1},    {1, 257, 3},   {1, 1000, 31},
                                       {1, 999, 33}, {1, 64, 257}, {1, 40, 2049}, {3, 50, 3},    {5, 16, 64},
                                       {4, 49, 33},  {7, 4, 1},    {2, 3, 7},     {1, 1500, 16}, {0, 5, 3}};
constexpr Activation activations[] = {Activation::none, Activation::relu, Activation::leaky_relu};

// Roundings are relative to the size of x times rstd.
double rounding_scale(const Result& right) {
  double largest = 1;
  for (double rstd : right.rstd) largest = std::max(largest, rstd);
  return 64 * largest;
}

template <class T>
void check_norm(const NormShape& s, Activation a, bool affine) {
  INFO("groups " << s.groups << ", rows " << s.rows << ", channels " << s.channels << ", activation "
                 << static_cast<int>(a));
  const int64_t n = s.groups * s.rows * s.channels, sets = s.groups * s.channels;
  const auto x = values<T>(n), gy = values<T>(n, -1, 1, 2);
  const auto gamma = affine ? values<T>(s.channels, 0.5, 1.5, 3) : std::vector<T>(s.channels, 1);
  const auto beta = affine ? values<T>(s.channels, -0.5, 0.5, 4) : std::vector<T>(s.channels, 0);
  const T *g = affine ? gamma.data() : nullptr, *b = affine ? beta.data() : nullptr;
  const T eps = T(1e-3), slope = T(0.2);
  const Result right = naive(channel_layout(s), widened(x), widened(gy), widened(gamma), widened(beta), eps, a, slope);
  const double tolerance = rounding_scale(right) * epsilon<T>, terms = static_cast<double>(s.groups * s.rows);
  with_threads([&] {
    std::vector<T> mean = unwritten<T>(sets), rstd = unwritten<T>(sets), y = unwritten<T>(n), gx = unwritten<T>(n),
                   ggamma = unwritten<T>(s.channels), gbeta = unwritten<T>(s.channels),
                   again = unwritten<T>(s.channels);
    Cpu<T>::norm_stats(s, x.data(), eps, mean.data(), rstd.data());
    require_close(mean, right.mean, 8 * epsilon<T>);
    require_close(rstd, right.rstd, 16 * epsilon<T>);
    Cpu<T>::norm_apply(s, x.data(), mean.data(), rstd.data(), g, b, a, slope, y.data());
    require_close(y, right.y, tolerance);
    Cpu<T>::norm_backward(s, x.data(), gy.data(), mean.data(), rstd.data(), g, b, a, slope, gx.data(), ggamma.data(),
                          gbeta.data());
    require_close(gx, right.gx, 16 * tolerance);
    require_close(ggamma, right.ggamma, tolerance, std::sqrt(terms + 1));
    require_close(gbeta, right.gbeta, tolerance, std::sqrt(terms + 1));
    Cpu<T>::norm_backward(s, x.data(), gy.data(), mean.data(), rstd.data(), g, b, a, slope, nullptr, again.data(),
                          nullptr);
    CHECK(same_bits(again, ggamma));
  });
}

template <class T>
void check_layer_norm(int64_t rows, int64_t cols, bool affine) {
  INFO("rows " << rows << ", cols " << cols);
  const int64_t n = rows * cols;
  const auto x = values<T>(n), gy = values<T>(n, -1, 1, 2);
  const auto gamma = affine ? values<T>(cols, 0.5, 1.5, 3) : std::vector<T>(cols, 1);
  const auto beta = affine ? values<T>(cols, -0.5, 0.5, 4) : std::vector<T>(cols, 0);
  const T *g = affine ? gamma.data() : nullptr, *b = affine ? beta.data() : nullptr;
  const T eps = T(1e-3);
  const Result right =
      naive(row_layout(rows, cols), widened(x), widened(gy), widened(gamma), widened(beta), eps, Activation::none, 0);
  const double tolerance = rounding_scale(right) * epsilon<T>, terms = static_cast<double>(rows);
  with_threads([&] {
    std::vector<T> mean = unwritten<T>(rows), rstd = unwritten<T>(rows), y = unwritten<T>(n), gx = unwritten<T>(n),
                   ggamma = unwritten<T>(cols), gbeta = unwritten<T>(cols), again = unwritten<T>(cols);
    Cpu<T>::layer_norm(rows, cols, x.data(), g, b, eps, y.data(), mean.data(), rstd.data());
    require_close(mean, right.mean, 16 * epsilon<T>);
    require_close(rstd, right.rstd, tolerance);
    require_close(y, right.y, tolerance);
    Cpu<T>::layer_norm_backward(rows, cols, x.data(), gy.data(), mean.data(), rstd.data(), g, gx.data(), ggamma.data(),
                                gbeta.data());
    require_close(gx, right.gx, 16 * tolerance);
    require_close(ggamma, right.ggamma, tolerance, std::sqrt(terms + 1));
    require_close(gbeta, right.gbeta, tolerance, std::sqrt(terms + 1));
    Cpu<T>::layer_norm_backward(rows, cols, x.data(), gy.data(), mean.data(), rstd.data(), g, nullptr, nullptr,
                                again.data());
    CHECK(same_bits(again, gbeta));
  });
}

}  // namespace

TEST_CASE("batch and instance norm: statistics, output and gradients") {
  for (const NormShape& s : shapes)
    for (Activation a : activations)
      for (bool affine : {true, false}) {
        check_norm<float>(s, a, affine);
        check_norm<double>(s, a, affine);
      }
}

TEST_CASE("statistics survive a mean that dwarfs the deviation") {
  with_threads([] {
    for (const NormShape& s : {NormShape{1, 40000, 3}, NormShape{1, 3000, 40}}) {
      auto x = values<float>(s.rows * s.channels, -1, 1);
      for (float& v : x) v += 1000;
      const Result right = naive(channel_layout(s), widened(x), widened(x), Doubles(s.channels, 1),
                                 Doubles(s.channels, 0), 1e-5, Activation::none, 0);
      std::vector<float> mean = unwritten<float>(s.channels), rstd = unwritten<float>(s.channels);
      Cpu<float>::norm_stats(s, x.data(), 1e-5f, mean.data(), rstd.data());
      require_close(mean, right.mean, 2e-7);
      require_close(rstd, right.rstd, 1e-5);
    }
  });
}

TEST_CASE("a NaN in one channel reaches that channel's output and gradient through every activation") {
  for_types([]<class T>(T) {
    const NormShape s = {1, 40, 3};
    auto x = values<T>(120);
    x[61] = std::numeric_limits<T>::quiet_NaN();
    for (Activation a : activations) {
      std::vector<T> mean = unwritten<T>(3), rstd = unwritten<T>(3), y = unwritten<T>(120), gx = unwritten<T>(120);
      Cpu<T>::norm_stats(s, x.data(), T(1e-5), mean.data(), rstd.data());
      Cpu<T>::norm_apply(s, x.data(), mean.data(), rstd.data(), nullptr, nullptr, a, T(0.2), y.data());
      Cpu<T>::norm_backward(s, x.data(), x.data(), mean.data(), rstd.data(), nullptr, nullptr, a, T(0.2), gx.data(),
                            nullptr, nullptr);
      for (size_t i = 0; i < 120; i++) {
        CHECK(std::isnan(y[i]) == (i % 3 == 1));
        CHECK(std::isnan(gx[i]) == (i % 3 == 1));
      }
    }
  });
}

// <a, gx> as a function of x, gy and gamma, and its derivatives.
struct Penalty {
  NormShape s;
  Activation act;
  Doubles x, gy, a, gamma, beta;
  double eps = 1e-3, slope = 0.2;

  Doubles mean = Doubles(s.groups * s.channels), rstd = mean;

  double value() {
    Doubles gx(x.size());
    Cpu<double>::norm_stats(s, x.data(), eps, mean.data(), rstd.data());
    Cpu<double>::norm_backward(s, x.data(), gy.data(), mean.data(), rstd.data(), gamma.data(), beta.data(), act, slope,
                               gx.data(), nullptr, nullptr);
    double sum = 0;
    for (size_t i = 0; i < x.size(); i++) sum += a[i] * gx[i];
    return sum;
  }
  double difference(double& at) {
    const double before = at, h = 1e-5;
    at = before + h;
    const double up = value();
    at = before - h;
    const double down = value();
    at = before;
    return (up - down) / (2 * h);
  }
};

TEST_CASE("the gradient of batch norm's gradient is that of its differences") {
  for (const NormShape& s : {NormShape{1, 19, 3}, NormShape{2, 9, 5}, NormShape{3, 4, 16}}) {
    for (Activation act : activations) {
      const int64_t n = s.groups * s.rows * s.channels;
      Penalty p{s,
                act,
                values<double>(n),
                values<double>(n, -1, 1, 2),
                values<double>(n, -1, 1, 5),
                values<double>(s.channels, 0.5, 1.5, 3),
                values<double>(s.channels, -0.5, 0.5, 4)};
      p.value();
      Doubles dx(n), dgy(n), dgamma(s.channels);
      Cpu<double>::norm_backward_grad(s, p.x.data(), p.gy.data(), p.a.data(), p.mean.data(), p.rstd.data(),
                                      p.gamma.data(), p.beta.data(), act, p.slope, dx.data(), dgy.data(),
                                      dgamma.data());
      for (int64_t i = 0; i < n; i++) {
        CHECK(p.difference(p.x[i]) == Approx(dx[i]).epsilon(1e-5).margin(1e-6));
        CHECK(p.difference(p.gy[i]) == Approx(dgy[i]).margin(1e-7));
      }
      for (int64_t c = 0; c < s.channels; c++) CHECK(p.difference(p.gamma[c]) == Approx(dgamma[c]).margin(1e-6));
    }
  }
}

TEST_CASE("the gradient of batch norm's gradient in float is near double's, for any nulls and threads") {
  for (const NormShape& s : shapes) {
    for (bool affine : {true, false}) {
      INFO("groups " << s.groups << ", rows " << s.rows << ", channels " << s.channels);
      const int64_t n = s.groups * s.rows * s.channels;
      const auto run = [&]<class T>(T) {
        const auto x = values<T>(n), gy = values<T>(n, -1, 1, 2), a = values<T>(n, -1, 1, 5);
        const auto gamma = values<T>(s.channels, 0.5, 1.5, 3), beta = values<T>(s.channels, -0.5, 0.5, 4);
        const T *g = affine ? gamma.data() : nullptr, *b = affine ? beta.data() : nullptr;
        std::vector<T> mean = unwritten<T>(s.groups * s.channels), rstd(mean), dx = unwritten<T>(n),
                       dgy = unwritten<T>(n), dgamma = unwritten<T>(s.channels), again = unwritten<T>(n);
        Cpu<T>::norm_stats(s, x.data(), T(0.1), mean.data(), rstd.data());
        const auto differentiate = [&](T* to_x, T* to_gy, T* to_gamma) {
          Cpu<T>::norm_backward_grad(s, x.data(), gy.data(), a.data(), mean.data(), rstd.data(), g, b, Activation::none,
                                     T(0), to_x, to_gy, to_gamma);
        };
        differentiate(dx.data(), dgy.data(), dgamma.data());
        differentiate(again.data(), nullptr, nullptr);
        CHECK(same_bits(again, dx));
        differentiate(nullptr, again.data(), nullptr);
        CHECK(same_bits(again, dgy));
        return std::array{widened(dx), widened(dgy), widened(dgamma)};
      };
      const auto right = run(double{});
      const double terms = static_cast<double>(s.groups * s.rows);
      with_threads([&] {
        const auto single = run(float{});
        require_close(single[0], right[0], 512 * epsilon<float>);
        require_close(single[1], right[1], 64 * epsilon<float>);
        require_close(single[2], right[2], 64 * epsilon<float>, std::sqrt(terms + 1));
      });
    }
  }
}

TEST_CASE("norms give the same bits for every thread count") {
  const int before = threads();
  const NormShape s = {1, 5003, 33};
  const auto x = values<float>(s.rows * s.channels), gy = values<float>(s.rows * s.channels, -1, 1, 2);
  const auto all = [&](int count) {
    set_threads(count);
    std::vector<float> mean = unwritten<float>(33), rstd = unwritten<float>(33), gx = unwritten<float>(x.size()),
                       ggamma = unwritten<float>(33), gbeta = unwritten<float>(33);
    Cpu<float>::norm_stats(s, x.data(), 1e-5f, mean.data(), rstd.data());
    Cpu<float>::norm_backward(s, x.data(), gy.data(), mean.data(), rstd.data(), nullptr, nullptr,
                              Activation::leaky_relu, 0.2f, gx.data(), ggamma.data(), gbeta.data());
    for (const auto* part : {&mean, &rstd, &ggamma, &gbeta}) gx.insert(gx.end(), part->begin(), part->end());
    return gx;
  };
  const auto one = all(1);
  CHECK(same_bits(all(2), one));
  CHECK(same_bits(all(2), one));
  set_threads(before);
}

TEST_CASE("layer norm: statistics, output and gradients") {
  const std::vector<std::pair<int64_t, int64_t>> sizes = {{0, 5},    {1, 1},     {33, 2},    {257, 3},  {31, 33},
                                                          {5, 1000}, {3, 20000}, {1500, 31}, {600, 64}, {40, 2100}};
  for (auto [rows, cols] : sizes)
    for (bool affine : {true, false}) {
      check_layer_norm<float>(rows, cols, affine);
      check_layer_norm<double>(rows, cols, affine);
    }
}

// Independent of the formula: differences of the forward kernels along x.
TEST_CASE("the gradient of batch norm is that of its forward pass") {
  const NormShape s = {2, 9, 3};
  auto x = values<double>(54), gy = values<double>(54, -1, 1, 2);
  const auto gamma = values<double>(3, 0.5, 1.5, 3), beta = values<double>(3, -0.5, 0.5, 4);
  std::vector<double> mean(6), rstd(6), gx(54);
  const auto loss = [&] {
    std::vector<double> y(54);
    Cpu<double>::norm_stats(s, x.data(), 1e-5, mean.data(), rstd.data());
    Cpu<double>::norm_apply(s, x.data(), mean.data(), rstd.data(), gamma.data(), beta.data(), Activation::leaky_relu,
                            0.2, y.data());
    double sum = 0;
    for (int i = 0; i < 54; i++) sum += y[i] * gy[i];
    return sum;
  };
  loss();
  Cpu<double>::norm_backward(s, x.data(), gy.data(), mean.data(), rstd.data(), gamma.data(), beta.data(),
                             Activation::leaky_relu, 0.2, gx.data(), nullptr, nullptr);
  for (int i = 0; i < 54; i++) {
    const double at = x[i], h = 1e-6;
    x[i] = at + h;
    const double up = loss();
    x[i] = at - h;
    const double down = loss();
    x[i] = at;
    CHECK((up - down) / (2 * h) == Approx(gx[i]).margin(1e-7));
  }
}
