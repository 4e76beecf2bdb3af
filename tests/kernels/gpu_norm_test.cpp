// Batch, instance and layer norm on the software device against the CPU, which norm_test.cpp holds against the
// formulas: all shapes, activations and nulls; the order of threads; and the bytes that the page of norm.cu promises.
#include "tests/kernels/seeds.h"

using namespace forger;
using namespace forger::kernels;

namespace {

template <class T>
constexpr double tolerance = 64 * epsilon<T>;
constexpr Activation activations[] = {Activation::none, Activation::relu, Activation::leaky_relu};

constexpr unsigned arrays = 14, each_of_them = (1u << arrays) - 1;  // of a case, by bits: which lie one element off

// The array on the device, `shift` elements behind an aligned address.
template <class T>
struct Shifted {
  OnDevice<T> memory;
  size_t shift;
  explicit Shifted(std::vector<T> x, size_t by = 0) : memory((x.insert(x.begin(), by, T{}), x)), shift(by) {}
  T* data() const { return memory.data() + shift; }
  std::vector<T> host() const {
    const auto all = memory.host();
    return {all.begin() + static_cast<std::ptrdiff_t>(shift), all.end()};
  }
};

// Which parameters a norm is given; nullptr stands for the others.
enum class Given { none, gamma, beta, both };
constexpr Given every_given[] = {Given::none, Given::gamma, Given::beta, Given::both};
bool has_gamma(Given given) { return given == Given::gamma || given == Given::both; }
bool has_beta(Given given) { return given == Given::beta || given == Given::both; }

// Everything that the norms of a backend give, one array after the other.
template <class T>
using Results = std::vector<std::vector<T>>;

template <class T>
struct Case {
  NormShape s;
  Activation act;
  Given given;
  T eps = T(1e-3), slope = T(0.2);
  std::vector<T> x, gy, gamma, beta, a;

  Case(const NormShape& shape, Activation activation, Given parameters)
      : s(shape),
        act(activation),
        given(parameters),
        x(values<T>(s.groups * s.rows * s.channels)),
        gy(values<T>(s.groups * s.rows * s.channels, -1, 1, 2)),
        gamma(values<T>(s.channels, 0.5, 1.5, 3)),
        beta(values<T>(s.channels, -0.5, 0.5, 4)),
        a(values<T>(s.groups * s.rows * s.channels, -1, 1, 5)) {}

  std::vector<T> blank() const { return std::vector<T>(x.size(), T(NAN)); }
  // The statistics are given, so that both backends judge the activation on the same pre.
  Results<T> on_cpu(const std::vector<T>& mean, const std::vector<T>& rstd) const {
    const std::vector<T> image(x.size(), T(NAN)), channel(gamma.size(), T(NAN));
    Results<T> r = {image, image, channel, channel, image, image, channel};
    const T *g = has_gamma(given) ? gamma.data() : nullptr, *b = has_beta(given) ? beta.data() : nullptr;
    Cpu<T>::norm_apply(s, x.data(), mean.data(), rstd.data(), g, b, act, slope, r[0].data());
    Cpu<T>::norm_backward(s, x.data(), gy.data(), mean.data(), rstd.data(), g, b, act, slope, r[1].data(), r[2].data(),
                          r[3].data());
    Cpu<T>::norm_backward_grad(s, x.data(), gy.data(), a.data(), mean.data(), rstd.data(), g, b, act, slope,
                               r[4].data(), r[5].data(), r[6].data());
    return r;
  }
  Results<T> on_gpu(const std::vector<T>& mean, const std::vector<T>& rstd, unsigned shifted, bool all = true) const {
    const auto by = [&](unsigned array) { return size_t{shifted >> array & 1}; };
    const std::vector<T> channel(gamma.size(), T(NAN));
    const Shifted<T> dx(x, by(0)), dgy(gy, by(1)), da(a, by(2)), y(blank(), by(3)), gx(blank(), by(4)),
        ax(blank(), by(5)), agy(blank(), by(6)), dgamma(gamma, by(7)), dbeta(beta, by(8)), dmean(mean, by(9)),
        drstd(rstd, by(10)), ggamma(channel, by(11)), gbeta(channel, by(12)), agamma(channel, by(13));
    const T *g = has_gamma(given) ? dgamma.data() : nullptr, *b = has_beta(given) ? dbeta.data() : nullptr;
    Gpu<T>::norm_apply(s, dx.data(), dmean.data(), drstd.data(), g, b, act, slope, y.data());
    Gpu<T>::norm_backward(s, dx.data(), dgy.data(), dmean.data(), drstd.data(), g, b, act, slope,
                          all ? gx.data() : nullptr, ggamma.data(), all ? gbeta.data() : nullptr);
    Gpu<T>::norm_backward_grad(s, dx.data(), dgy.data(), da.data(), dmean.data(), drstd.data(), g, b, act, slope,
                               all ? ax.data() : nullptr, agy.data(), all ? agamma.data() : nullptr);
    return {y.host(), gx.host(), ggamma.host(), gbeta.host(), ax.host(), agy.host(), agamma.host()};
  }
};

template <class T>
Results<T> stats_on_gpu(const NormShape& s, const std::vector<T>& x, T eps, size_t shift = 0) {
  const Shifted<T> dx(x, shift);
  const OnDevice<T> mean(static_cast<size_t>(s.groups * s.channels)), rstd(static_cast<size_t>(s.groups * s.channels));
  Gpu<T>::norm_stats(s, dx.data(), eps, mean.data(), rstd.data());
  return {mean.host(), rstd.host()};
}

template <class T>
void check_norm(const NormShape& s, Activation act, Given given, unsigned shifted) {
  INFO("groups " << s.groups << ", rows " << s.rows << ", channels " << s.channels << ", activation "
                 << static_cast<int>(act) << ", shifted " << shifted);
  const Case<T> c(s, act, given);
  std::vector<T> mean(static_cast<size_t>(s.groups * s.channels)), rstd(mean.size());
  Cpu<T>::norm_stats(s, c.x.data(), c.eps, mean.data(), rstd.data());
  const auto stats = stats_on_gpu(s, c.x, c.eps, shifted & 1);
  require_close(stats[0], widened(mean), 8 * epsilon<T>);
  require_close(stats[1], widened(rstd), 16 * epsilon<T>);
  const auto expected = c.on_cpu(mean, rstd), actual = c.on_gpu(mean, rstd, shifted);
  const double terms = std::sqrt(static_cast<double>(s.groups * s.rows) + 1);
  const double scale = 1 + (rstd.empty() ? 0 : static_cast<double>(*std::max_element(rstd.begin(), rstd.end())));
  require_close(actual[0], widened(expected[0]), tolerance<T>);
  require_close(actual[1], widened(expected[1]), tolerance<T>, scale);
  require_close(actual[2], widened(expected[2]), tolerance<T>, terms);
  require_close(actual[3], widened(expected[3]), tolerance<T>, terms);
  require_close(actual[4], widened(expected[4]), tolerance<T>, scale * scale);
  require_close(actual[5], widened(expected[5]), tolerance<T>, scale);
  require_close(actual[6], widened(expected[6]), tolerance<T>, terms * scale);
  const auto some = c.on_gpu(mean, rstd, shifted, false);
  if (shifted == 0 || shifted == each_of_them) {  // else a missing array may be what kept threads from whole packs
    CHECK(same_bits(some[2], actual[2]));
    CHECK(same_bits(some[5], actual[5]));
  }
}

template <class T>
struct LayerNorm {
  int64_t rows, cols;
  Given given;
  std::vector<T> x = values<T>(rows * cols), gy = values<T>(rows * cols, -1, 1, 2);
  std::vector<T> gamma = values<T>(cols, 0.5, 1.5, 3), beta = values<T>(cols, -0.5, 0.5, 4);

  std::vector<T> blank() const { return std::vector<T>(x.size(), T(NAN)); }
  Results<T> on_cpu() const {
    const size_t n = x.size(), r = static_cast<size_t>(rows), c = gamma.size();
    const auto no_numbers = [](size_t count) { return std::vector<T>(count, T(NAN)); };
    Results<T> out = {no_numbers(n), no_numbers(r), no_numbers(r), no_numbers(n), no_numbers(c), no_numbers(c)};
    const T *g = has_gamma(given) ? gamma.data() : nullptr, *b = has_beta(given) ? beta.data() : nullptr;
    Cpu<T>::layer_norm(rows, cols, x.data(), g, b, T(1e-3), out[0].data(), out[1].data(), out[2].data());
    Cpu<T>::layer_norm_backward(rows, cols, x.data(), gy.data(), out[1].data(), out[2].data(), g, out[3].data(),
                                out[4].data(), out[5].data());
    return out;
  }
  Results<T> on_gpu(size_t shift, bool all = true) const {
    const Shifted<T> dx(x, shift), dgy(gy, shift), y(blank(), shift), gx(blank(), shift);
    const OnDevice<T> dgamma(gamma), dbeta(beta), mean(static_cast<size_t>(rows)), rstd(static_cast<size_t>(rows)),
        ggamma(gamma.size()), gbeta(gamma.size());
    const T *g = has_gamma(given) ? dgamma.data() : nullptr, *b = has_beta(given) ? dbeta.data() : nullptr;
    Gpu<T>::layer_norm(rows, cols, dx.data(), g, b, T(1e-3), y.data(), mean.data(), rstd.data());
    Gpu<T>::layer_norm_backward(rows, cols, dx.data(), dgy.data(), mean.data(), rstd.data(), g,
                                all ? gx.data() : nullptr, all ? ggamma.data() : nullptr, gbeta.data());
    return {y.host(), mean.host(), rstd.host(), gx.host(), ggamma.host(), gbeta.host()};
  }
};

template <class T>
void check_layer_norm(int64_t rows, int64_t cols, Given given, size_t shift) {
  INFO("rows " << rows << ", cols " << cols << ", shift " << shift);
  const LayerNorm<T> l{rows, cols, given};
  const auto expected = l.on_cpu(), actual = l.on_gpu(shift);
  const double largest =
      expected[2].empty() ? 0 : static_cast<double>(*std::max_element(expected[2].begin(), expected[2].end()));
  const double terms = std::sqrt(static_cast<double>(rows) + 1);
  for (size_t i = 0; i < expected.size(); i++) {
    INFO("result " << i);
    require_close(actual[i], widened(expected[i]), tolerance<T>, (1 + largest) * (i < 4 ? 1 : terms));
  }
  CHECK(same_bits(l.on_gpu(shift, false)[5], actual[5]));
}

}  // namespace

GPU_TEST_CASE("batch and instance norm agree with the CPU") {
  const std::vector<NormShape> shapes = {{1, 1, 5},    {1, 2, 1},   {1, 33, 1},   {1, 257, 3},   {1, 500, 31},
                                         {1, 499, 33}, {1, 16, 64}, {1, 40, 516}, {3, 50, 3},    {5, 16, 64},
                                         {4, 49, 33},  {40, 4, 4},  {2, 3, 7},    {1, 1500, 16}, {0, 5, 3},
                                         {2, 5, 0},    {3, 6, 516}, {1, 4, 1030}};
  for (const NormShape& s : shapes) {
    for (Activation act : activations)
      check_norm<float>(s, act, act != Activation::relu ? Given::both : Given::none, 0);
    check_norm<double>(s, Activation::leaky_relu, Given::both, 0);
    check_norm<float>(s, Activation::leaky_relu, Given::both, each_of_them);
    for (const Given given : {Given::gamma, Given::beta}) check_norm<float>(s, Activation::relu, given, 0);
  }
}

GPU_TEST_CASE("norms find out alignment array by array") {
  for (unsigned array = 0; array < arrays; array++)
    check_norm<float>({2, 33, 64}, Activation::leaky_relu, Given::both, 1u << array);
}

GPU_TEST_CASE("statistics survive a mean that dwarfs the deviation") {
  for (const NormShape& s : {NormShape{1, 4000, 3}, NormShape{1, 700, 40}}) {
    auto x = values<float>(s.rows * s.channels, -1, 1);
    for (float& v : x) v += 1000;
    std::vector<double> mean(static_cast<size_t>(s.channels)), rstd(mean.size());
    const auto exact = widened(x);
    Cpu<double>::norm_stats(s, exact.data(), 1e-5, mean.data(), rstd.data());
    const auto actual = stats_on_gpu(s, x, 1e-5f);
    require_close(actual[0], mean, 2e-7);
    require_close(actual[1], rstd, 1e-5);
  }
}

GPU_TEMPLATE_TEST_CASE("running statistics agree with the CPU") {
  using T = TestType;
  const T momentum = T(0.1);
  for (const int64_t rows : {37, 3000}) {  // 3000: of several blocks, the last of which moves them
    for (const int64_t channels : {1, 3, 64, 300, 1030}) {
      if (rows * channels > 200'000) continue;
      const NormShape s{1, rows, channels};
      const auto x = values<T>(rows * channels, -1, 1), old = values<T>(channels, 0.5, 1.5, 2);
      const std::vector<T> blank(static_cast<size_t>(channels), T(NAN));
      std::vector<T> mean = blank, rstd = blank, running_mean = old, running_variance = old;
      Cpu<T>::norm_stats(s, x.data(), T(1e-3), mean.data(), rstd.data(),
                         {running_mean.data(), running_variance.data(), momentum});
      const OnDevice<T> dx(x), dmean(blank), drstd(blank), drunning_mean(old), drunning_variance(old);
      Gpu<T>::norm_stats(s, dx.data(), T(1e-3), dmean.data(), drstd.data(),
                         {drunning_mean.data(), drunning_variance.data(), momentum});
      require_close(drunning_mean.host(), widened(running_mean), 8 * epsilon<T>);
      require_close(drunning_variance.host(), widened(running_variance), 8 * epsilon<T>);
      for (size_t c = 0; c < blank.size(); c++) {  // 0.9 of the old, 0.1 of the new, unbiased
        const double variance = 1 / std::pow(static_cast<double>(rstd[c]), 2) - 1e-3, n = static_cast<double>(rows);
        CHECK(std::abs(static_cast<double>(running_mean[c]) - 0.9 * static_cast<double>(old[c]) -
                       0.1 * static_cast<double>(mean[c])) < 8 * epsilon<T>);
        CHECK(std::abs(static_cast<double>(running_variance[c]) - 0.9 * static_cast<double>(old[c]) -
                       0.1 * variance * n / (n - 1)) < 8 * epsilon<T>);
      }
    }
  }
}

GPU_TEST_CASE("a NaN in one channel reaches that channel's output and gradient through every activation") {
  for (int64_t channels : {3, 4}) {
    for (Activation act : activations) {
      Case<float> c({1, 40, channels}, act, Given::both);
      c.x[static_cast<size_t>(20 * channels + 1)] = NAN;
      const auto stats = stats_on_gpu(c.s, c.x, c.eps);
      const auto r = c.on_gpu(stats[0], stats[1], 0);
      for (size_t i = 0; i < c.x.size(); i++) {
        CHECK(std::isnan(r[0][i]) == (i % static_cast<size_t>(channels) == 1));
        CHECK(std::isnan(r[1][i]) == (i % static_cast<size_t>(channels) == 1));
      }
    }
  }
}

GPU_TEST_CASE("layer norm agrees with the CPU") {
  const std::vector<std::pair<int64_t, int64_t>> sizes = {{0, 5},   {1, 1},   {33, 2},  {70, 3},  {31, 33},
                                                          {5, 520}, {90, 31}, {70, 64}, {2, 2100}};
  for (auto [rows, cols] : sizes) {
    for (const Given given : every_given) {
      check_layer_norm<float>(rows, cols, given, 0);
      check_layer_norm<double>(rows, cols, given, 0);
    }
    check_layer_norm<float>(rows, cols, Given::both, 1);
  }
}

GPU_TEST_CASE("norms give the same bits for every order of threads") {
  for (const NormShape& s : {NormShape{1, 700, 33}, NormShape{1, 600, 64}, NormShape{3, 100, 8}}) {
    check_order([&] {
      const Case<float> c(s, Activation::leaky_relu, Given::both);
      auto stats = stats_on_gpu(s, c.x, c.eps);
      auto all = c.on_gpu(stats[0], stats[1], 0);
      all.insert(all.end(), stats.begin(), stats.end());
      return all;
    });
  }
  check_order([] { return LayerNorm<float>{70, 600, Given::both}.on_gpu(0); });
}

// Bytes of x, gy, y and gx as norm.cu's page counts them; parameters, partials and sums may add a fifth of x, the
// ten parameters per channel of the second backward pass two fifths.
SIMT_TEST_CASE("batch norm touches memory no more often than it must") {
  [[maybe_unused]] const FourMultiprocessors few;
  const NormShape s = {1, 4096, 128};
  const Case<float> c(s, Activation::leaky_relu, Given::both);
  const OnDevice<float> x(c.x), gy(c.gy), a(c.a), gamma(c.gamma), beta(c.beta), y(c.x.size()), gx(c.x.size()),
      dx(c.x.size()), dgy(c.x.size()), mean(128u), rstd(128u), ggamma(128u), gbeta(128u);
  simt::reset_traffic();
  Gpu<float>::norm_stats(s, x.data(), c.eps, mean.data(), rstd.data());
  Gpu<float>::norm_apply(s, x.data(), mean.data(), rstd.data(), gamma.data(), beta.data(), c.act, c.slope, y.data());
  Gpu<float>::norm_backward(s, x.data(), gy.data(), mean.data(), rstd.data(), gamma.data(), beta.data(), c.act, c.slope,
                            gx.data(), ggamma.data(), gbeta.data());
  Gpu<float>::norm_backward_grad(s, x.data(), gy.data(), a.data(), mean.data(), rstd.data(), gamma.data(), beta.data(),
                                 c.act, c.slope, dx.data(), dgy.data(), ggamma.data());
  const auto passes = [&](const char* kernel) {  // reads and writes per element of x
    for (const auto& [name, traffic] : simt::traffic()) {
      if (name.find(kernel) == std::string::npos) continue;
      CHECK(traffic.launches == 1);
      const double array = static_cast<double>(c.x.size() * sizeof(float));
      return std::pair(static_cast<double>(traffic.read_bytes) / array,
                       static_cast<double>(traffic.written_bytes) / array);
    }
    FAIL("no launch of " << kernel);
    return std::pair(0.0, 0.0);
  };
  const auto at_most = [&](const char* kernel, double reads, double writes, double more = 0.2) {
    const auto [read, written] = passes(kernel);
    INFO(kernel << " reads " << read << " and writes " << written << " elements per element of x");
    CHECK((read >= reads && read <= reads + more));
    CHECK((written >= writes && written <= writes + 0.2));
  };
  CHECK(simt::traffic().size() == 6);
  at_most("stats_kernel", 1, 0);
  at_most("apply_kernel", 1, 1);
  at_most("sums_kernel", 2, 0);
  at_most("input_grad_kernel", 2, 1);
  at_most("cross_kernel", 3, 0);
  at_most("backward_grad_kernel", 3, 2, 0.4);
}
