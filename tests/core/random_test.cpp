// Random numbers: known answers, counters, streams, moments, permutations.
#include "core/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/catch.h"

using namespace forger;

namespace {

double mean_of(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}
double moment(const std::vector<double>& x, int order) {
  const double centre = mean_of(x);
  double total = 0;
  for (double value : x) total += std::pow(value - centre, order);
  return total / static_cast<double>(x.size());
}
double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double ma = mean_of(a), mb = mean_of(b);
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += (a[i] - ma) * (b[i] - mb);
  return total / static_cast<double>(a.size()) / std::sqrt(moment(a, 2) * moment(b, 2));
}

}  // namespace

TEST_CASE("Philox gives the known answers of its authors") {  // Random123, kat_vectors
  using Words = std::array<uint32_t, 4>;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("seed, stream and counter fix the numbers") {
  Random a(3, 5), b(3, 5);
  const auto first = a.normal({101}).to_vector();
  CHECK(first == b.normal({101}).to_vector());
  CHECK(a.seed() == 3);
  CHECK(a.stream() == 5);

  const auto second = a.normal({101}).to_vector();
  CHECK(first != second);
  Random resumed(3, 5);  // what a checkpoint does
  resumed.block = b.block;
  CHECK(second == resumed.normal({101}).to_vector());
}

TEST_CASE("the counter advances by whole blocks of four words") {
  Random random(1);
  CHECK(random.block == 0);
  random.uniform({1});
  CHECK(random.block == 1);
  random.normal({4});
  CHECK(random.block == 2);
  random.uniform({5});
  CHECK(random.block == 4);
  random.normal({2, 3, 3});
  CHECK(random.block == 9);
  random.uniform({0});
  CHECK(random.block == 9);
  random.below(10);
  CHECK(random.block > 9);
}

TEST_CASE("a long draw is the short draws behind each other") {
  Random whole(9), parts(9);
  const auto all = whole.uniform({64}).to_vector();
  std::vector<double> joined;
  for (int i = 0; i < 4; ++i) {
    const auto part = parts.uniform({4, 4}).to_vector();
    joined.insert(joined.end(), part.begin(), part.end());
  }
  CHECK(all == joined);
}

TEST_CASE("float32 and float64 draw the same numbers") {
  Random narrow(11), wide(11);
  CHECK(narrow.uniform({1000}).to_vector() == wide.uniform({1000}, 0, 1, DType::f64).to_vector());
  const auto z = narrow.normal({1000}).to_vector(), w = wide.normal({1000}, 0, 1, DType::f64).to_vector();
  for (size_t i = 0; i < z.size(); i++) CHECK(z[i] == Approx(w[i]).margin(2e-6));
  CHECK(narrow.block == wide.block);
}

TEST_CASE("thread count does not change the numbers") {
  const int before = kernels::threads();
  kernels::set_threads(1);
  Random one(12);
  const auto alone = one.normal({100'003}).to_vector();
  kernels::set_threads(2);
  Random two(12);
  CHECK(alone == two.normal({100'003}).to_vector());
  kernels::set_threads(before);
}

TEST_CASE("streams and seeds are independent") {
  constexpr int64_t n = 20'000;
  auto draw = [](uint64_t seed, uint64_t stream) { return Random(seed, stream).normal({n}).to_vector(); };
  const auto base = draw(0, 0);
  for (const auto& other : {draw(0, 1), draw(1, 0), draw(0, uint64_t{1} << 32), draw(uint64_t{1} << 32, 0)}) {
    CHECK(base != other);
    CHECK(std::abs(correlation(base, other)) < 5 / std::sqrt(static_cast<double>(n)));
  }
}

TEST_CASE("uniform numbers fill their range evenly") {
  const auto x = Random(21).uniform({100'000}, -2, 6).to_vector();
  CHECK(*std::min_element(x.begin(), x.end()) >= -2);
  CHECK(*std::max_element(x.begin(), x.end()) <= 6);
  CHECK(mean_of(x) == Approx(2).margin(0.04));
  CHECK(moment(x, 2) == Approx(64.0 / 12).epsilon(0.02));
  std::vector<int> bins(16);
  for (double value : x) bins[std::min<size_t>(15, static_cast<size_t>((value + 2) * 2))]++;
  double chi_square = 0;
  for (int count : bins) chi_square += (count - 6250) * (count - 6250) / 6250.0;
  CHECK(chi_square < 45);  // 15 degrees of freedom: once in 10,000
}

TEST_CASE("normal numbers have the moments of a normal") {
  const auto x = Random(22).normal({200'000}, 3, 2).to_vector();
  CHECK(mean_of(x) == Approx(3).margin(0.02));
  CHECK(moment(x, 2) == Approx(4).epsilon(0.015));
  CHECK(moment(x, 3) / 8 == Approx(0).margin(0.03));
  CHECK(moment(x, 4) / 16 == Approx(3).epsilon(0.03));
  std::vector<double> even, odd;  // the two numbers of a Box-Muller pair
  for (size_t i = 0; i + 1 < x.size(); i += 2) even.push_back(x[i]), odd.push_back(x[i + 1]);
  CHECK(std::abs(correlation(even, odd)) < 0.015);
}

TEST_CASE("below is uniform over small and huge bounds") {
  Random random(31);
  constexpr int draws = 70'000;
  std::vector<int> counts(7);
  for (int i = 0; i < draws; ++i) counts.at(random.below(7))++;
  double chi_square = 0;
  for (int count : counts) chi_square += (count - draws / 7.0) * (count - draws / 7.0) / (draws / 7.0);
  CHECK(chi_square < 28);  // 6 degrees of freedom: once in 10,000

  CHECK(random.below(1) == 0);
  // Two thirds of 2^64: a plain remainder would favour the lower half two to one.
  constexpr uint64_t bound = 12297829382473034410u;
  int lower = 0;
  for (int i = 0; i < 4000; ++i) {
    const uint64_t value = random.below(bound);
    REQUIRE(value < bound);
    lower += value < bound / 2;
  }
  CHECK(std::abs(lower - 2000) < 160);
  CHECK_THROWS_AS(random.below(0), Error);
}

TEST_CASE("a permutation holds every index once, and first places are fair") {
  Random random(41);
  for (int64_t n : {0, 1, 2, 31, 1000}) {
    auto order = random.permutation(n);
    std::sort(order.begin(), order.end());
    std::vector<int64_t> expected(n);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(order == expected);
  }
  std::vector<int> orders(6);  // of three things
  for (int i = 0; i < 6000; ++i) {
    const auto order = random.permutation(3);
    orders[order[0] * 2 + (order[1] > order[2])]++;
  }
  for (int count : orders) CHECK(std::abs(count - 1000) < 150);
  CHECK(Random(5).permutation(100) == Random(5).permutation(100));
  CHECK(Random(5, 0).permutation(100) != Random(5, 1).permutation(100));
}
