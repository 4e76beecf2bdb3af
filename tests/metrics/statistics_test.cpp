// Scores of clouds of features: against torch_fidelity, pytorch_fid and prdc, against sums by hand, the same bits for
// all batches and threads, and what degenerate clouds give.
#include "metrics/statistics.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/ops.h"
#include "metrics/distances.h"
#include "nn/checkpoint.h"
#include "tests/catch.h"
#include "tests/message_of.h"
#include "tests/metrics/rows.h"

using namespace forger;
using namespace forger::metrics;
using test::features;
using test::from;
using test::message_of;
using test::not_a_number;

namespace {

Gaussian gaussian_of(const Tensor& rows) {
  Moments moments(rows.size(1));
  moments.add(rows);
  return moments.gaussian();
}

double frechet(const Tensor& a, const Tensor& b) { return frechet_distance(gaussian_of(a), gaussian_of(b)); }

Gaussian diagonal(const std::vector<double>& mean, const std::vector<double>& variances) {
  Gaussian g{100, mean, std::vector<double>(mean.size() * mean.size())};
  for (size_t i = 0; i < mean.size(); i++) g.covariance[i * mean.size() + i] = variances[i];
  return g;
}

std::vector<int64_t> counting(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

struct Golden {
  nn::Checkpoint file = nn::load_checkpoint(std::string(GOLDEN_DIR) + "/statistics.safetensors");
  std::vector<double> operator[](const std::string& name) const {
    const Tensor* found = file.find(name);
    REQUIRE(found != nullptr);
    return found->to_vector();
  }
  std::vector<int64_t> indices(const std::string& name) const {
    std::vector<int64_t> result;
    for (const double x : (*this)[name]) result.push_back(static_cast<int64_t>(x));
    return result;
  }
};

Approx about(double value) { return Approx(value).epsilon(1e-9).margin(1e-12); }

}  // namespace

TEST_CASE("statistics: the libraries' scores on the same features") {
  const Golden golden;
  const Tensor a = features(1, 60, 16), b = features(2, 50, 16, 1.25, 0.25);
  const std::vector<double> corner = golden["corner"], values = a.to_vector();
  for (size_t i = 0; i < 6; i++) REQUIRE(corner[i] == values[i / 3 * 16 + i % 3]);

  for (const char* by : {"torch_fidelity", "pytorch_fid", "from_rows"}) {
    INFO(by);
    CHECK(frechet(a, b) == about(golden[std::string("fid.") + by][0]));
  }
  CHECK(frechet(features(3, 10, 24), features(4, 12, 24, 1.5, 0.5)) == about(golden["fid_few_rows.from_rows"][0]));

  std::vector<Subset> subsets(6);
  const std::vector<int64_t> drawn_a = golden.indices("kid.subsets_a"), drawn_b = golden.indices("kid.subsets_b");
  for (int64_t k = 0; k < 6; k++) {
    subsets[static_cast<size_t>(k)] = {{drawn_a.begin() + 20 * k, drawn_a.begin() + 20 * (k + 1)},
                                       {drawn_b.begin() + 20 * k, drawn_b.begin() + 20 * (k + 1)}};
  }
  for (const auto& [name, other] : {std::pair("kid", b), {"kid_near", features(5, 50, 16)}}) {
    INFO(name);
    const Spread kid = kernel_distance(a, other, subsets);
    CHECK(kid.value == about(golden[name][0]));
    CHECK(kid.spread == about(golden[name][1]));
  }

  const Tensor logits = features(6, 53, 12, 3);
  const std::vector<int64_t> order = golden.indices("is.order");
  for (const int64_t splits : {1, 7, 10}) {
    INFO(splits << " splits");
    const Spread score = inception_score(logits, order, splits);
    const std::vector<double> wanted = golden["is." + std::to_string(splits)];
    CHECK(score.value == about(wanted[0]));
    CHECK(score.spread == about(wanted[1]));
  }

  for (const int64_t k : {1, 3, 5}) {
    INFO("k = " << k);
    const std::vector<double> pr = golden["precision_recall." + std::to_string(k)];
    const auto [precision, recall] = precision_recall(a, b, k);
    CHECK(precision == Approx(pr[0]).epsilon(1e-7));  // means in float32
    CHECK(recall == Approx(pr[1]).epsilon(1e-7));
    const std::vector<double> dc = golden["density_coverage." + std::to_string(k)];
    const auto [density, coverage] = density_coverage(a, b, k);
    CHECK(density == about(dc[0]));
    CHECK(coverage == about(dc[1]));
  }
}

// ---- moments --------------------------------------------------------------------------------------------------------

TEST_CASE("moments: mean and covariance by definition") {
  for (const int64_t n : {2, 31, 511, 512, 513, 1100}) {
    INFO(n << " rows");
    const int64_t dims = 5;
    const Tensor rows = features(1, n, dims, 1, 1e4);
    const std::vector<double> x = rows.to_vector();
    const Gaussian g = gaussian_of(rows);
    CHECK(g.count == n);
    CHECK(g.dims() == dims);
    const auto at = [&](int64_t r, int64_t i) { return x[static_cast<size_t>(r * dims + i)]; };
    std::vector<double> mean(dims);
    for (int64_t i = 0; i < dims; i++) {
      for (int64_t r = 0; r < n; r++) mean[static_cast<size_t>(i)] += (at(r, i) - 1e4) / static_cast<double>(n);
      CHECK(g.mean[static_cast<size_t>(i)] - 1e4 == Approx(mean[static_cast<size_t>(i)]).margin(1e-11));
    }
    for (int64_t i = 0; i < dims; i++) {
      for (int64_t j = 0; j < dims; j++) {
        double sum = 0;
        for (int64_t r = 0; r < n; r++) {
          sum += (at(r, i) - 1e4 - mean[static_cast<size_t>(i)]) * (at(r, j) - 1e4 - mean[static_cast<size_t>(j)]);
        }
        CHECK(g.covariance[static_cast<size_t>(i * dims + j)] ==
              Approx(sum / static_cast<double>(n - 1)).epsilon(1e-9).margin(1e-12));
      }
    }
  }
}

TEST_CASE("moments: the same bits for all batches and threads") {
  const int64_t n = 1300, dims = 37;
  const Tensor rows = features(7, n, dims, 1, 0.3, DType::f32);
  const Gaussian wanted = gaussian_of(rows);
  for (const int threads : {1, 2, 3}) {
    const test::Threads setting(threads);
    for (const int64_t batch : {1, 7, 50, 500}) {
      INFO(threads << " threads, batches of " << batch);
      Moments moments(dims);
      for (int64_t i = 0; i < n; i += batch) moments.add(slice(rows, 0, i, std::min(n, i + batch)));
      CHECK(moments.count() == n);
      const Gaussian g = moments.gaussian();
      CHECK(g.mean == wanted.mean);
      CHECK(g.covariance == wanted.covariance);
    }
  }
  const Gaussian widened = gaussian_of(cast(rows, DType::f64));
  CHECK(widened.covariance == wanted.covariance);
}

TEST_CASE("moments: more rows may follow, and a constant feature has variance 0") {
  const Tensor noise = features(8, 1500, 3);
  Tensor rows = clone(noise);
  for (int64_t r = 0; r < 1500; r++) rows.data<double>()[r * 3 + 1] = 0.1;
  Moments moments(3);
  moments.add(slice(rows, 0, 0, 700));
  const Gaussian early = moments.gaussian();
  moments.add(slice(rows, 0, 700, 1500));
  const Gaussian late = moments.gaussian();
  CHECK(early.count == 700);
  CHECK(late.covariance == gaussian_of(rows).covariance);
  CHECK(late.mean[1] == 0.1);
  for (const size_t i : {1u, 3u, 4u, 5u, 7u}) CHECK(late.covariance[i] == 0);
  for (int64_t n = 2; n < 200; n++) {
    const double value = 1.0 / static_cast<double>(n);
    const Gaussian g = gaussian_of(full({5 * n, 1}, value, DType::f64));
    CHECK(g.mean[0] == value);
    CHECK(g.covariance[0] == 0);
  }
}

TEST_CASE("moments: what is wrong, in a line") {
  Moments moments(3);
  CHECK(message_of<DataError>([&] { moments.gaussian(); }) == "[moments] a covariance needs at least 2 rows, got 0");
  moments.add(from({1, 3}, {1, 2, 3}));
  CHECK(message_of<DataError>([&] { moments.gaussian(); }) == "[moments] a covariance needs at least 2 rows, got 1");
  CHECK(message_of<ShapeError>([&] { moments.add(features(1, 2, 4)); }) ==
        "[moments] features must be (n, 3), got 2x4");
  CHECK(message_of<DataError>([&] {
          moments.add(from({2, 3}, {1, 2, 3, 4, 5, not_a_number}));
        }) == "[moments] features is not finite: row 1, element 2 is nan");
  CHECK_THROWS_AS(moments.add(from({1, 3}, {1, 2, HUGE_VAL})), DataError);
  CHECK(moments.count() == 1);
  CHECK(message_of<ShapeError>([&] { moments.add(Tensor()); }) ==
        "[moments] features must be rows (N, ...) of float32 or float64 on the CPU, got no tensor");
  CHECK_THROWS_AS(moments.add(from_indices(std::vector<int64_t>{1, 2, 3})), ShapeError);
  moments.add(from({1, 3}, {1e200, 2, 3}));
  CHECK(message_of<DataError>([&] { moments.gaussian(); }) ==
        "[moments] the features are too large: covariance 0, 0 overflows");
  CHECK_THROWS_AS(Moments(0), ShapeError);
}

// ---- Frechet distance -----------------------------------------------------------------------------------------------

TEST_CASE("frechet distance: closed forms") {
  // Independent features: the sum of (m1 - m2)^2 + (s1 - s2)^2.
  const Gaussian a = diagonal({0, 1, 2}, {4, 9, 0}), b = diagonal({1, 1, 0}, {1, 0, 0});
  CHECK(frechet_distance(a, b) == about(1 + 4 + 1 + 9));
  CHECK(frechet_distance(b, a) == about(15));
  CHECK(frechet_distance(diagonal({3}, {0}), diagonal({1}, {0})) == 4);
  CHECK(frechet_distance(diagonal({0}, {4}), diagonal({0}, {25})) == about(9));
  // Deviations of 1e-9 beside 1e6 count, at any scale.
  CHECK(frechet_distance(diagonal({0, 0}, {1e12, 1e-18}), diagonal({0, 0}, {1e12, 4e-18})) < 1e-3);
  CHECK(frechet_distance(diagonal({0, 0}, {1e-30, 1e-20}), diagonal({0, 0}, {4e-30, 9e-20})) ==
        Approx(1e-30 + 4e-20).epsilon(1e-9));
  // S2 = c^2 S1 for a full S1: (c - 1)^2 Tr S1.
  const Gaussian g = gaussian_of(features(1, 90, 33));
  Gaussian scaled = g;
  for (double& x : scaled.covariance) x *= 9;
  double trace = 0;
  for (size_t i = 0; i < 33; i++) trace += g.covariance[i * 34];
  CHECK(frechet_distance(g, scaled) == about(4 * trace));
}

TEST_CASE("frechet distance: a set is at distance 0 from itself, singular or not") {
  for (const auto& [n, dims] : {std::pair<int64_t, int64_t>{400, 70}, {20, 70}, {2, 70}, {65, 64}, {64, 64}, {3, 1}}) {
    INFO(n << " rows of " << dims);
    const Tensor rows = features(9, n, dims, 1, 0.5);
    CHECK(frechet(rows, rows) == Approx(0).margin(1e-9));
    CHECK(frechet(rows, rows) >= 0);
    CHECK(frechet(rows, rows + 1) == Approx(dims).epsilon(1e-9));  // moved by 1 along each axis
  }
}

TEST_CASE("frechet distance: singular covariances keep their digits") {
  // Features 8..23 are copies and sums of the first eight, in one set; constants in the other: rank 8 of 24 each.
  const int64_t n = 200, dims = 24;
  const Tensor small = features(10, n, 8), other = features(11, n, 8, 1.5);
  std::vector<double> a, b;
  const std::vector<double> x = small.to_vector(), y = other.to_vector();
  for (size_t r = 0; r < n; r++) {
    for (size_t i = 0; i < dims; i++) {
      a.push_back(i < 8 ? x[r * 8 + i] : i < 16 ? x[r * 8 + i - 8] : x[r * 8 + i - 16] + x[r * 8 + (i - 15) % 8]);
      b.push_back(i < 8 ? y[r * 8 + i] : 3.7);
    }
  }
  // By the small matrices: with S1 = T A T^T, S2 = E B E^T the overlap is that of F_A^T T^T E F_B, and E picks the
  // first eight rows of T, the identity: the same as that of A and B.
  const Gaussian big_a = gaussian_of(from({n, dims}, a)), big_b = gaussian_of(from({n, dims}, b));
  const Gaussian small_a = gaussian_of(small), small_b = gaussian_of(other);
  double wanted = frechet_distance(small_a, small_b);
  for (size_t i = 8; i < dims; i++) {
    wanted += (big_a.mean[i] - 3.7) * (big_a.mean[i] - 3.7) + big_a.covariance[i * dims + i];
  }
  CHECK(frechet_distance(big_a, big_b) == Approx(wanted).epsilon(1e-9));
  CHECK(frechet_distance(big_b, big_a) == Approx(wanted).epsilon(1e-9));
}

TEST_CASE("frechet distance: constant features against anything") {
  const Tensor constant = full({50, 20}, 0.3, DType::f64), noise = features(12, 50, 20);
  const Gaussian g = gaussian_of(noise);
  double wanted = 0;
  for (size_t i = 0; i < 20; i++) wanted += (g.mean[i] - 0.3) * (g.mean[i] - 0.3) + g.covariance[i * 21];
  CHECK(frechet(constant, noise) == about(wanted));
  CHECK(frechet(constant, constant) == 0);
}

TEST_CASE("frechet distance: the same bits for all threads") {
  const Gaussian a = gaussian_of(features(1, 300, 150)), b = gaussian_of(features(2, 300, 150, 1.2));
  const test::Threads one(1);
  const double wanted = frechet_distance(a, b);
  for (const int threads : {2, 3}) {
    const test::Threads setting(threads);
    CHECK(same_bits(frechet_distance(a, b), wanted));
  }
}

TEST_CASE("frechet distance: what is no covariance is refused") {
  const Gaussian good = diagonal({0, 0}, {1, 1});
  const auto error = [&](std::vector<double> covariance) {
    return message_of<DataError>([&] { frechet_distance(good, {9, {0, 0}, std::move(covariance)}); });
  };
  CHECK(error({1, 0, 0, -1}) == "[frechet_distance] the second covariance is none: variance 1 is -1");
  CHECK_THAT(error({1, 0.5, 0.4, 1}), Catch::Contains("element 0, 1 is 0.5, its mirror 0.4"));
  CHECK_THAT(error({1, 2, 2, 1}), Catch::Contains("is none"));
  CHECK(error({1, not_a_number, not_a_number, 1}) == "[frechet_distance] the second statistics are not finite");
  CHECK(
      message_of<DataError>([&] {  // every pair of features could be, all three together cannot
        frechet_distance(diagonal({0, 0, 0}, {1, 1, 1}), {9, {0, 0, 0}, {1, -0.9, -0.9, -0.9, 1, -0.9, -0.9, -0.9, 1}});
      }) == "[frechet_distance] the second covariance is none: it has negative eigenvalues");
  CHECK(message_of<ShapeError>([&] { frechet_distance(good, diagonal({0}, {1})); }) ==
        "[frechet_distance] the first has 2 features, the second 1");
  CHECK_THROWS_AS(frechet_distance(good, {9, {0, 0}, {1}}), ShapeError);
  CHECK_THROWS_AS(frechet_distance({}, {}), ShapeError);
}

// ---- kernel distance ------------------------------------------------------------------------------------------------

TEST_CASE("kernel distance: by definition, with sides of two sizes") {
  const int64_t dims = 3;
  const Tensor a = features(1, 9, dims), b = features(2, 7, dims, 1.5);
  const std::vector<double> x = a.to_vector(), y = b.to_vector();
  const Subset subset{{0, 3, 4, 8}, {6, 1, 2}};
  const auto sum = [&](const std::vector<double>& p, const std::vector<int64_t>& i, const std::vector<double>& q,
                       const std::vector<int64_t>& j, bool same) {
    double total = 0;
    for (size_t r = 0; r < i.size(); r++) {
      for (size_t c = 0; c < j.size(); c++) {
        if (same && r == c) continue;
        double dot = 0;
        for (int64_t k = 0; k < dims; k++) {
          dot += p[static_cast<size_t>(i[r] * dims + k)] * q[static_cast<size_t>(j[c] * dims + k)];
        }
        total += std::pow(dot / 3 + 1, 3);
      }
    }
    return total;
  };
  const double wanted = sum(x, subset.a, x, subset.a, true) / 12 + sum(y, subset.b, y, subset.b, true) / 6 -
                        2 * sum(x, subset.a, y, subset.b, false) / 12;
  const Spread kid = kernel_distance(a, b, std::span(&subset, 1));
  CHECK(kid.value == about(wanted));
  CHECK(kid.spread == 0);
}

TEST_CASE("kernel distance: negative as often as not for one distribution, and the same bits for all threads") {
  const Tensor a = features(1, 700, 8), b = features(2, 650, 8);
  Random random(3);
  const std::vector<Subset> subsets = draw_subsets(700, 650, 12, 300, random);
  const Spread wanted = kernel_distance(a, b, subsets);
  int negative = 0;
  for (const Subset& subset : subsets) negative += kernel_distance(a, b, std::span(&subset, 1)).value < 0;
  CHECK(negative > 0);
  CHECK(std::abs(wanted.value) < 3 * wanted.spread);
  for (const int threads : {1, 2, 3}) {
    const test::Threads setting(threads);
    const Spread kid = kernel_distance(a, b, subsets);
    CHECK(same_bits(kid.value, wanted.value));
    CHECK(same_bits(kid.spread, wanted.spread));
  }
}

TEST_CASE("kernel distance: subsets are drawn without replacement, the same for a seed") {
  Random random(5), again(5);
  const std::vector<Subset> subsets = draw_subsets(30, 10, 4, 10, random);
  REQUIRE(subsets.size() == 4);
  const std::vector<Subset> repeated = draw_subsets(30, 10, 4, 10, again);
  for (size_t k = 0; k < 4; k++) {
    for (const auto& [indices, count] : {std::pair(subsets[k].a, 30), {subsets[k].b, 10}}) {
      std::vector<int64_t> sorted = indices;
      std::sort(sorted.begin(), sorted.end());
      CHECK(sorted.size() == 10);
      CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
      CHECK(sorted.front() >= 0);
      CHECK(sorted.back() < count);
    }
    CHECK(subsets[k].a == repeated[k].a);
    CHECK(subsets[k].b == repeated[k].b);
  }
  CHECK(subsets[0].a != subsets[1].a);
  CHECK(message_of<DataError>([&] { draw_subsets(2000, 500, 100, 1000, random); }) ==
        "[draw_subsets] subsets of 1000 rows need as many, got 2000 and 500");
  CHECK_THROWS_AS(draw_subsets(20, 20, 0, 10, random), ShapeError);
  CHECK_THROWS_AS(draw_subsets(20, 20, 3, 1, random), ShapeError);
}

TEST_CASE("kernel distance: what is wrong, in a line") {
  const Tensor a = features(1, 5, 3), b = features(2, 5, 3);
  const auto error = [&](const Tensor& x, const Tensor& y, const Subset& subset) {
    return message_of<Error>([&] { kernel_distance(x, y, std::span(&subset, 1)); });
  };
  CHECK(error(a, features(1, 5, 4), {{0, 1}, {0, 1}}) == "[kernel_distance] rows differ in length: a 5x3, b 5x4");
  CHECK(error(a, b, {{0, 5}, {0, 1}}) == "[kernel_distance] a subset has row 5 of 5");
  CHECK(error(a, b, {{0, 1}, {-1, 1}}) == "[kernel_distance] a subset has row -1 of 5");
  CHECK(error(a, b, {{0}, {0, 1}}) == "[kernel_distance] a subset needs 2 rows of each, has 1 and 2");
  CHECK(error(a, full({5, 3}, not_a_number, DType::f32), {{0, 1}, {0, 1}}) ==
        "[kernel_distance] b is not finite: row 0, element 0 is nan");
  CHECK(error(a, full({5, 3}, 1e200, DType::f64), {{0, 1}, {0, 1}}) ==
        "[kernel_distance] the features are too large: their cubes overflow");
  CHECK(error(slice(a, 0, 0, 1), b, {{0, 0}, {0, 1}}) == "[kernel_distance] a needs at least 2 rows, has 1");
  CHECK_THROWS_AS(kernel_distance(a, b, {}), ShapeError);
}

// ---- Inception Score ------------------------------------------------------------------------------------------------

TEST_CASE("inception score: between 1 and the number of classes") {
  const int64_t classes = 5, n = 50;
  std::vector<double> sure(n * classes), unsure(n * classes, 2.5);
  for (int64_t i = 0; i < n; i++) sure[static_cast<size_t>(i * classes + i % classes)] = 1e4;  // exp(-1e4) is 0
  const auto order = counting(n);
  CHECK(inception_score(from({n, classes}, sure), order, 10).value == about(5));
  CHECK(inception_score(from({n, classes}, sure), order, 10).spread == Approx(0).margin(1e-12));
  CHECK(inception_score(from({n, classes}, unsure), order, 10).value == about(1));
  for (const double scale : {0.01, 1.0, 30.0}) {
    const Spread score = inception_score(features(3, 101, 7, scale), counting(101), 10);
    CHECK(score.value >= 1);
    CHECK(score.value <= 7);
  }
  CHECK(inception_score(features(3, 4, 7), counting(4), 4).value == 1);  // parts of a row each
}

TEST_CASE("inception score: only the order inside the parts is free") {
  const Tensor logits = features(4, 20, 6, 2);
  auto order = counting(20);
  const Spread score = inception_score(logits, order, 2);
  std::reverse(order.begin(), order.begin() + 10);
  CHECK(inception_score(logits, order, 2).value == about(score.value));
  std::swap(order[3], order[17]);
  CHECK(std::abs(inception_score(logits, order, 2).value - score.value) > 1e-6);
}

TEST_CASE("inception score: what is wrong, in a line") {
  const Tensor logits = features(4, 5, 6);
  const auto error = [&](const std::vector<int64_t>& order, int64_t splits) {
    return message_of<Error>([&] { inception_score(logits, order, splits); });
  };
  CHECK(error(counting(5), 10) == "[inception_score] 10 splits need as many rows, got 5");
  CHECK(error(counting(4), 2) == "[inception_score] 5 rows, but an order of 4");
  CHECK(error({0, 1, 2, 3, 3}, 2) == "[inception_score] the order is no permutation: 3");
  CHECK(error({0, 1, 2, 3, 5}, 2) == "[inception_score] the order is no permutation: 5");
  CHECK(error(counting(5), 0) == "[inception_score] 0 splits");
  CHECK_THROWS_AS(inception_score(full({5, 2}, not_a_number), counting(5), 1), DataError);
}

// ---- manifolds ------------------------------------------------------------------------------------------------------

TEST_CASE("precision, recall, density, coverage: points on a line") {
  // Reals 0 1 3 7: their first neighbours are 1 1 2 4 away. Fakes 2 4 12: 2 2 8.
  const Tensor real = from({4, 1}, {0, 1, 3, 7}), fake = from({3, 1}, {2, 4, 12});
  const auto [precision, recall] = precision_recall(real, fake, 1);
  CHECK(precision == about(2. / 3));  // 2 reaches 1's ball exactly, 4 is in 3's, 12 is 5 from 7
  CHECK(recall == about(1));          // 0 is exactly 2 from 2, 1 and 3 are in its ball, 7 is 5 from 12
  const auto [density, coverage] = density_coverage(real, fake, 1);
  CHECK(density == about(3. / 3));  // strictly: 2 in 3's; 4 in 3's and in 7's
  CHECK(coverage == about(0.5));    // 3 and 7
}

TEST_CASE("distances: right where products cancel, exact on a grid, the same from either side") {
  const int64_t n = 40, dims = 30;
  const Tensor base = features(1, n, dims, 1, 1e3), near = base + features(2, n, dims, 1e-5);
  const Tensor rows = concat(std::vector{base, near, base}, 0);
  const Cloud cloud = cloud_of(rows, "test", "rows");
  std::vector<double> d(9 * n * n);
  squared_distances(cloud, 0, 3 * n, cloud, 0, 3 * n, d.data());
  const std::vector<double> x = rows.to_vector();
  for (int64_t i = 0; i < 3 * n; i++) {
    for (int64_t j = 0; j < 3 * n; j++) {
      double sum = 0;
      for (int64_t c = 0; c < dims; c++) {
        const double difference = x[static_cast<size_t>(i * dims + c)] - x[static_cast<size_t>(j * dims + c)];
        sum += difference * difference;
      }
      const double found = d[static_cast<size_t>(i * 3 * n + j)];
      CHECK(found == d[static_cast<size_t>(j * 3 * n + i)]);
      CHECK((sum == 0 ? found == 0 : std::abs(found - sum) < 1e-7 * sum));
    }
  }
  std::vector<double> grid;
  for (uint64_t i = 0; i < 60 * 7; i++) grid.push_back(static_cast<double>(test::splitmix64(i) % 5));
  const Cloud on_grid = cloud_of(from({60, 7}, grid), "test", "grid");
  squared_distances(on_grid, 0, 60, on_grid, 0, 60, d.data());
  for (size_t i = 0; i < 3600; i++) CHECK(d[i] == std::round(d[i]));
  // A tile of few columns gives the same bits.
  std::vector<double> few(3 * n * 3);
  squared_distances(cloud, 0, 3 * n, cloud, 5, 3, few.data());
  squared_distances(cloud, 0, 3 * n, cloud, 0, 3 * n, d.data());
  for (int64_t i = 0; i < 3 * n; i++) {
    for (int64_t j = 0; j < 3; j++) {
      CHECK(few[static_cast<size_t>(i * 3 + j)] == d[static_cast<size_t>(i * 3 * n + 5 + j)]);
    }
  }
}

TEST_CASE("precision and recall: the tie of a copy with its ball counts, in many dimensions too") {
  const Tensor real = features(5, 60, 40, 1, 100), fake = clone(real);
  CHECK(precision_recall(real, fake, 3).precision == 1);
  CHECK(precision_recall(real, fake, 3).recall == 1);
  // The k-th neighbour itself, as a fake among far ones, is on the ball: within by <=, not by <.
  const Tensor pair = from({2, 3}, {0.1, 0.2, 0.3, 1.7, -0.4, 0.9});
  const Tensor edge = concat(std::vector{slice(pair, 0, 1, 2), full({1, 3}, 50, DType::f64)}, 0);
  CHECK(precision_recall(pair, edge, 1).precision == 0.5);
  CHECK(density_coverage(pair, slice(pair, 0, 0, 1), 1).density == 1);  // at its own centre, on the other's edge
  // Copies among the reals: radius 0, which a copy reaches by <= and nothing does by <.
  const Tensor same = full({8, 5}, 0.7, DType::f32);
  CHECK(precision_recall(same, same, 3).precision == 1);
  CHECK(density_coverage(same, same, 3).coverage == 0);
}

TEST_CASE("precision and recall: by definition, across tiles, the same for all threads") {
  const int64_t n = 900, dims = 3;  // more rows than a tile has
  const Tensor real = features(6, n, dims, 1, 1000, DType::f32),
               fake = features(7, n - 80, dims, 0.8, 1000.2, DType::f32);
  const std::vector<double> x = real.to_vector(), y = fake.to_vector();
  const auto distance = [&](const std::vector<double>& a, int64_t i, const std::vector<double>& b, int64_t j) {
    double sum = 0;
    for (int64_t c = 0; c < dims; c++) {
      const double d = a[static_cast<size_t>(i * dims + c)] - b[static_cast<size_t>(j * dims + c)];
      sum += d * d;
    }
    return sum;
  };
  const auto radii = [&](const std::vector<double>& a, int64_t count, int64_t k) {
    std::vector<double> result;
    for (int64_t i = 0; i < count; i++) {
      std::vector<double> d;
      for (int64_t j = 0; j < count; j++) d.push_back(distance(a, i, a, j));
      std::nth_element(d.begin(), d.begin() + k, d.end());
      result.push_back(d[static_cast<size_t>(k)]);
    }
    return result;
  };
  const std::vector<double> around_real = radii(x, n, 3), around_fake = radii(y, n - 80, 3);
  int64_t precise = 0, recalled = 0, inside = 0, covered = 0;
  std::vector<bool> hit(n);
  for (int64_t j = 0; j < n - 80; j++) {
    bool any = false;
    for (int64_t i = 0; i < n; i++) {
      const double d = distance(x, i, y, j);
      any = any || d <= around_real[static_cast<size_t>(i)];
      inside += d < around_real[static_cast<size_t>(i)];
      if (d < around_real[static_cast<size_t>(i)]) hit[static_cast<size_t>(i)] = true;
    }
    precise += any;
  }
  for (int64_t i = 0; i < n; i++) {
    bool any = false;
    for (int64_t j = 0; j < n - 80; j++) any = any || distance(x, i, y, j) <= around_fake[static_cast<size_t>(j)];
    recalled += any;
    covered += hit[static_cast<size_t>(i)];
  }
  for (const int threads : {1, 2}) {
    const test::Threads setting(threads);
    const auto [precision, recall] = precision_recall(real, fake, 3);
    CHECK(precision == static_cast<double>(precise) / (n - 80));
    CHECK(recall == static_cast<double>(recalled) / n);
    const auto [density, coverage] = density_coverage(real, fake, 3);
    CHECK(density == about(static_cast<double>(inside) / (3 * (n - 80))));
    CHECK(coverage == static_cast<double>(covered) / n);
  }
}

TEST_CASE("precision and recall: what is wrong, in a line") {
  const Tensor four = features(1, 4, 3), nine = features(2, 9, 3);
  CHECK(message_of<DataError>([&] { precision_recall(four, nine, 4); }) ==
        "[precision_recall] real needs at least 5 rows, has 4");
  CHECK(message_of<DataError>([&] { precision_recall(nine, four, 5); }) ==
        "[precision_recall] fake needs at least 6 rows, has 4");
  CHECK_NOTHROW(precision_recall(four, nine, 3));
  CHECK_NOTHROW(density_coverage(nine, slice(four, 0, 0, 1), 5));  // a fake needs no neighbours
  CHECK(message_of<DataError>([&] { density_coverage(four, nine, 4); }) ==
        "[density_coverage] real needs at least 5 rows, has 4");
  CHECK(message_of<ShapeError>([&] { precision_recall(nine, features(1, 9, 2)); }) ==
        "[precision_recall] rows differ in length: real 9x3, fake 9x2");
  CHECK_THROWS_AS(precision_recall(nine, nine, 0), ShapeError);
  CHECK_THROWS_AS(density_coverage(nine, nine, 0), ShapeError);
  CHECK_THROWS_AS(precision_recall(nine, full({9, 3}, not_a_number)), DataError);
  CHECK(message_of<DataError>([&] {
          density_coverage(nine, full({9, 3}, 1e300, DType::f64));
        }) == "[density_coverage] real row 0 is too large: its square overflows");
}

TEST_CASE("statistics: Inception's sizes", "[long]") {
  const Tensor a = features(1, 3000, 2048, 1, 0, DType::f32), b = features(2, 1500, 2048, 1.1, 0.05, DType::f32);
  const Gaussian full_rank = gaussian_of(a), singular = gaussian_of(b);
  CHECK(frechet_distance(full_rank, full_rank) == Approx(0).margin(1e-6));
  CHECK(frechet_distance(singular, singular) == Approx(0).margin(1e-6));
  const double distance = frechet_distance(full_rank, singular);
  CHECK(distance > 0);
  CHECK(frechet_distance(singular, full_rank) == Approx(distance).epsilon(1e-9));
  const test::Threads one(1);
  CHECK(same_bits(frechet_distance(full_rank, singular), distance));
}
