// The likelihood of a Parzen window, against sums by hand and true densities.
#include "metrics/parzen.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "core/ops.h"
#include "metrics/statistics.h"
#include "tests/catch.h"
#include "tests/message_of.h"
#include "tests/metrics/rows.h"

using namespace forger;
using namespace forger::metrics;
using test::from;
using test::message_of;
using test::not_a_number;

namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

// A mixture of Gaussians.
struct Mixture {
  Tensor centres;  // (modes, D), equally likely
  double stddev;
  Tensor draw(int64_t n, Random& random) const {  // from each mode in turn
    std::vector<int64_t> modes;
    for (int64_t i = 0; i < n; i++) modes.push_back(i % centres.size(0));
    return test::rows_at(centres, modes) + random.normal({n, centres.size(1)}, 0, stddev);
  }
  double mean_log_density(const Tensor& rows) const {
    const std::vector<double> x = rows.to_vector(), m = centres.to_vector();
    const int64_t n = rows.size(0), dims = rows.size(1), modes = centres.size(0);
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
      std::vector<double> exponents;
      for (int64_t k = 0; k < modes; k++) {
        double square = 0;
        for (int64_t c = 0; c < dims; c++) square += std::pow(x[at(i * dims + c)] - m[at(k * dims + c)], 2);
        exponents.push_back(-square / (2 * stddev * stddev));
      }
      const double top = *std::max_element(exponents.begin(), exponents.end());
      double sum = 0;
      for (const double e : exponents) sum += std::exp(e - top);
      total += top + std::log(sum / static_cast<double>(modes)) -
               static_cast<double>(dims) / 2 * std::log(2 * std::numbers::pi * stddev * stddev);
    }
    return total / static_cast<double>(n);
  }
};

// Black and white patterns of 100 pixels under a little noise: sharp, and far from each other.
Mixture patterns(int64_t modes, Random& random) {
  Tensor centres = random.uniform({modes, 100}, -1, 1);
  for (int64_t i = 0; i < centres.numel(); i++) centres.data<float>()[i] = centres.data<float>()[i] < 0 ? -1.f : 1.f;
  return {centres, 0.05};
}

}  // namespace

TEST_CASE("parzen: by definition") {
  Random random(1);
  const Tensor samples = random.normal({40, 3}), validation = random.normal({9, 3}), data = random.normal({11, 3});
  const double sigmas[] = {1.5, 0.2, 0.6, 0.4};
  const auto values = [&](const Tensor& rows, double sigma) {
    const std::vector<double> x = rows.to_vector(), s = samples.to_vector();
    std::vector<double> result;
    for (size_t i = 0; i < x.size(); i += 3) {
      double sum = 0;
      for (size_t j = 0; j < s.size(); j += 3) {
        double square = 0;
        for (size_t c = 0; c < 3; c++) square += (x[i + c] - s[j + c]) * (x[i + c] - s[j + c]);
        sum += std::exp(-square / (2 * sigma * sigma)) / std::pow(2 * std::numbers::pi * sigma * sigma, 1.5) / 40;
      }
      result.push_back(std::log(sum));
    }
    return result;
  };
  const auto mean = [](const std::vector<double>& v) {
    return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  };
  double best = 0, highest = -HUGE_VAL;
  for (const double sigma : sigmas) {
    if (mean(values(validation, sigma)) > highest) highest = mean(values(validation, sigma)), best = sigma;
  }
  const Parzen result = parzen(samples, validation, data, sigmas);
  CHECK(result.sigma == best);
  CHECK(!result.sigma_at_edge);
  const std::vector<double> wanted = values(data, best);
  CHECK(result.log_likelihood == Approx(mean(wanted)).epsilon(1e-9));
  double squares = 0;
  for (const double v : wanted) squares += std::pow(v - mean(wanted), 2);
  CHECK(result.standard_error == Approx(std::sqrt(squares / 10 / 11)).epsilon(1e-9));

  const double low[] = {0.01, 0.02}, single[] = {0.5};
  CHECK(parzen(samples, validation, data, low).sigma_at_edge);
  CHECK(parzen(samples, validation, data, single).sigma_at_edge);
}

TEST_CASE("parzen: the true likelihood of mixtures of few dimensions") {
  Random random(2);
  const Mixture line{from({3, 1}, {-2, 0, 3}, DType::f32), 0.4};
  const Mixture plane{from({4, 2}, {-1, -1, -1, 1, 1, -1, 1, 1}, DType::f32), 0.25};
  for (const Mixture* mixture : {&line, &plane}) {
    const Tensor validation = mixture->draw(400, random), data = mixture->draw(400, random);
    const double truth = mixture->mean_log_density(data);
    const Parzen result = parzen(mixture->draw(6000, random), validation, data);
    INFO("sigma " << result.sigma << ", " << result.log_likelihood << " for " << truth);
    CHECK(result.log_likelihood == Approx(truth).epsilon(0.02));
    CHECK(!result.sigma_at_edge);
    CHECK(result.standard_error > 0.01);
    CHECK(result.standard_error < 0.1);
  }
}

TEST_CASE("parzen: the same bits for all threads, and progress is told") {
  Random random(3);
  const Tensor samples = random.normal({900, 6}), validation = random.normal({50, 6}), data = random.normal({60, 6});
  std::vector<int64_t> told;
  const test::Threads one(1);
  const Parzen wanted = parzen(samples, validation, data, {}, [&](int64_t done, int64_t total) {
    CHECK(total == 110);
    told.push_back(done);
  });
  CHECK(std::is_sorted(told.begin(), told.end()));
  CHECK(told.back() == 110);
  for (const int threads : {2, 3}) {
    const test::Threads setting(threads);
    const Parzen result = parzen(samples, validation, data);
    CHECK(result.log_likelihood == wanted.log_likelihood);
    CHECK(result.standard_error == wanted.standard_error);
    CHECK(result.sigma == wanted.sigma);
  }
}

TEST_CASE("parzen: high likelihood does not mean good samples, nor the reverse") {
  Random random(4);
  const Mixture world = patterns(20, random);
  const Tensor validation = world.draw(100, random), data = world.draw(200, random), reals = world.draw(400, random);

  // One sample in a hundred is good, the rest is noise: the likelihood falls by log 100 = 4.6 only, of some 150.
  const Tensor good = world.draw(4000, random);
  const Tensor mostly_noise = concat(std::vector{slice(good, 0, 0, 40), random.uniform({3960, 100}, -1, 1)}, 0);
  const double sigma[] = {0.05, 0.06, 0.07, 0.08};
  const Parzen all_good = parzen(good, validation, data, sigma),
               one_percent = parzen(mostly_noise, validation, data, sigma);
  INFO(all_good.log_likelihood << " and " << one_percent.log_likelihood);
  CHECK(precision_recall(reals, slice(good, 0, 0, 400), 5).precision > 0.8);
  CHECK(precision_recall(reals, slice(mostly_noise, 0, 0, 400), 5).precision <= 0.1);
  CHECK(all_good.log_likelihood > 100);
  CHECK(one_percent.log_likelihood > 0.85 * all_good.log_likelihood);

  // Perfect samples of half the patterns against pale ones of all: the pale ones are far more likely.
  const Mixture half{slice(world.centres, 0, 0, 10), world.stddev}, pale{world.centres * 0.7, world.stddev};
  const Tensor sharp_samples = half.draw(1000, random), pale_samples = pale.draw(1000, random);
  const Parzen sharp = parzen(sharp_samples, validation, data), blurred = parzen(pale_samples, validation, data);
  INFO(sharp.log_likelihood << " and " << blurred.log_likelihood);
  CHECK(precision_recall(reals, slice(sharp_samples, 0, 0, 400), 5).precision > 0.8);
  CHECK(precision_recall(reals, slice(pale_samples, 0, 0, 400), 5).precision == 0);
  CHECK(sharp.log_likelihood < blurred.log_likelihood - 20);
}

TEST_CASE("parzen: what is wrong, in a line") {
  const Tensor three = from({3, 2}, {0, 1, 2, 3, 4, 5}, DType::f32), one = slice(three, 0, 0, 1);
  const double zero[] = {0.1, 0.0};
  CHECK(message_of<UsageError>([&] { parzen(three, three, three, zero); }) ==
        "[parzen] a bandwidth must be above 0, got 0");
  CHECK(message_of<DataError>([&] { parzen(three, three, three); }) ==
        "[parzen] no bandwidth: every validation row is a sample");
  CHECK(message_of<DataError>([&] { parzen(three, one, one); }) == "[parzen] test needs at least 2 rows, has 1");
  CHECK(message_of<ShapeError>([&] {
          parzen(three, full({2, 3}, 1), three);
        }) == "[parzen] rows differ in length: validation 2x3, samples 3x2");
  CHECK_THROWS_AS(parzen(three, full({3, 2}, 1), full({3, 3}, 1)), ShapeError);
  CHECK_THROWS_AS(parzen(full({3, 2}, not_a_number), three, three), DataError);
  CHECK_THROWS_AS(parzen(Tensor({0, 2}, DType::f32), three, three), DataError);
  const Parzen alone = parzen(one, three, three);  // a Gaussian
  CHECK(std::isfinite(alone.log_likelihood));
}
