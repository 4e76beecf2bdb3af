// Copies of training images: generators that have them are found out, and honest ones are not.
#include "metrics/memorisation.h"

#include <cmath>
#include <numbers>

#include "core/ops.h"
#include "tests/catch.h"
#include "tests/message_of.h"
#include "tests/metrics/rows.h"

using namespace forger;
using namespace forger::metrics;
using test::from;
using test::message_of;
using test::not_a_number;
using test::rows_at;

namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

std::vector<int64_t> part(const std::vector<int64_t>& order, int64_t begin, int64_t end) {
  return {order.begin() + begin, order.begin() + end};
}

// Smooth pictures (n, side, side, channels): a few waves each, of random strength. They differ in contrast, so that
// some are the nearest of many.
Tensor pictures(int64_t n, int64_t side, int64_t channels, uint64_t seed) {
  Random random(seed);
  const Tensor strengths = random.normal({n, 6}), contrasts = random.uniform({n}, 0.1, 1);
  const Tensor phases = random.uniform({n, 6}, 0, 2 * std::numbers::pi);
  const Tensor images({n, side, side, channels}, DType::f32);
  float* out = images.data<float>();
  for (int64_t i = 0; i < n; i++) {
    const float *const strength = strengths.data<float>() + 6 * i, *const phase = phases.data<float>() + 6 * i;
    for (int64_t y = 0; y < side; y++) {
      for (int64_t x = 0; x < side; x++) {
        for (int64_t c = 0; c < channels; c++) {
          float sum = 0;
          for (int64_t k = 0; k < 6; k++) {
            const auto wave = static_cast<float>((k % 3 + 1) * y + (k / 3 * 2 - 1) * (k % 2 + 1) * x + 2 * c);
            sum += strength[k] * std::sin(0.4f * wave + phase[k]);
          }
          *out++ = std::tanh(contrasts.data<float>()[i] * sum);
        }
      }
    }
  }
  return images;
}

// Each image moved by its own number of pixels up to `shift` along both axes, every other one mirrored; what comes in
// from outside is grey.
Tensor moved(const Tensor& images, int64_t shift, uint64_t seed) {
  Random random(seed);
  const int64_t n = images.size(0), h = images.size(1), w = images.size(2), channels = images.size(3);
  const Tensor result = full_like(images, 0);
  for (int64_t i = 0; i < n; i++) {
    const auto by = [&] { return static_cast<int64_t>(random.below(static_cast<uint64_t>(2 * shift + 1))) - shift; };
    const int64_t down = by(), right = by();
    for (int64_t y = 0; y < h; y++) {
      for (int64_t x = 0; x < w; x++) {
        const int64_t from_y = y - down, flipped = i % 2 == 1 ? w - 1 - x : x, from_x = flipped - right;
        if (from_y < 0 || from_y >= h || from_x < 0 || from_x >= w) continue;
        std::copy_n(images.data<float>() + ((i * h + from_y) * w + from_x) * channels, channels,
                    result.data<float>() + ((i * h + y) * w + x) * channels);
      }
    }
  }
  return result;
}

}  // namespace

TEST_CASE("memorisation: nearest rows, their distance and the test by definition") {
  const Tensor train = from({3, 2}, {0, 0, 10, 0, 0, 10}, DType::f32);
  const Tensor held_out = from({2, 2}, {5, 5, 10, 10}, DType::f32);
  const Tensor samples = from({4, 2}, {1, 1, 9, 1, 9, 8, 0, 10}, DType::f32);
  const Memorisation m = memorisation(samples, train, held_out);
  CHECK(m.count == 4);
  CHECK(m.in_train == 3);
  CHECK(m.distinct == 4);
  CHECK(m.expected == Approx(0.6));
  CHECK(m.p == Approx(4 * std::pow(0.6, 3) * 0.4 + std::pow(0.6, 4)));  // the binomial test: at least 3 of 4
  CHECK(m.nearest == std::vector<int64_t>{0, 1, 1, 2});
  CHECK(m.distance[0] == Approx(1));
  CHECK(m.distance[2] == Approx(std::sqrt(65 / 2.)));
  CHECK(m.distance[3] == 0);
  // ratios: sqrt(2 / 32), sqrt(2 / 32), sqrt(65 / 5), 0
  CHECK(m.median_ratio == Approx(0.25));
}

TEST_CASE("memorisation: samples of one neighbour are one draw") {
  const Tensor train = from({2, 1}, {0, 10}, DType::f32), held_out = from({2, 1}, {20, 30}, DType::f32);
  std::vector<double> near_zero(100);
  for (size_t i = 0; i < 100; i++) near_zero[i] = 0.01 * static_cast<double>(i);
  const Memorisation collapsed = memorisation(from({100, 1}, near_zero, DType::f32), train, held_out);
  CHECK(collapsed.in_train == 100);
  CHECK(collapsed.distinct == 1);
  CHECK(collapsed.p == Approx(0.5));
  near_zero[0] = 30, near_zero[1] = 11;  // weights 98, 1 in train and 1 held out: at least 99 of 100
  const Memorisation mixed = memorisation(from({100, 1}, near_zero, DType::f32), train, held_out);
  CHECK(mixed.in_train == 99);
  CHECK(mixed.p == Approx(3 / 8.));
}

TEST_CASE("memorisation: equals draw lots") {
  // Each sample's two nearest are the same row in both sets, or on both sides of it.
  const int64_t n = 400;
  const Tensor rows = test::features(1, n, 5, 1, 0, DType::f32);
  const Memorisation twins = memorisation(rows, rows, rows);
  CHECK(twins.in_train > 150);
  CHECK(twins.in_train < 250);
  CHECK(twins.p > 0.001);
  CHECK(twins.median_ratio == 1);
  CHECK(twins.distinct == n);
  const Memorisation again = memorisation(rows, rows, rows);
  CHECK(again.in_train == twins.in_train);
  // Three copies held out for one in train: a quarter.
  const Memorisation quarter = memorisation(rows, rows, concat(std::vector{rows, rows, rows}, 0));
  CHECK(quarter.expected == 0.25);
  CHECK(quarter.in_train > 60);
  CHECK(quarter.in_train < 140);
  const Memorisation between =
      memorisation(from({1, 1}, {1}, DType::f32), from({2, 1}, {0, 2}, DType::f32), from({1, 1}, {5}, DType::f32));
  CHECK(between.nearest[0] == 0);  // the first of equals
  CHECK(between.distinct == 1);
}

TEST_CASE("memorisation: exact where float32 products are not") {
  // Neighbours 1e-3 apart, 300 from the next ones, 1000 from the origin.
  const int64_t n = 60, dims = 50;
  Random random(5);
  const Tensor base = random.normal({n, dims}, 1000, 300);
  const Tensor closer = base + random.normal({n, dims}, 0, 3e-4), farther = base + random.normal({n, dims}, 0, 1e-3);
  const Tensor other = base + random.normal({n, dims}, 0, 1e-3);
  const Memorisation m = memorisation(base, concat(std::vector{other, closer}, 0), farther);
  const std::vector<double> b = base.to_vector(), c = closer.to_vector(), f = farther.to_vector();
  int64_t in_train = 0;
  for (int64_t i = 0; i < n; i++) {
    double to_closer = 0, to_farther = 0;
    for (int64_t k = i * dims; k < (i + 1) * dims; k++) {
      to_closer += (b[at(k)] - c[at(k)]) * (b[at(k)] - c[at(k)]);
      to_farther += (b[at(k)] - f[at(k)]) * (b[at(k)] - f[at(k)]);
    }
    in_train += to_closer < to_farther;
    CHECK(m.nearest[at(i)] == n + i);
    CHECK(m.distance[at(i)] == Approx(std::sqrt(to_closer / dims)).epsilon(1e-9));
  }
  CHECK(m.in_train == in_train);
}

TEST_CASE("memorisation: the least over all moves, by definition") {
  const int64_t side = 9, shift = 2, inner = side - 2 * shift, channels = 2;
  Random random(6);
  const Tensor samples = random.normal({5, side, side, channels}), train = random.normal({30, side, side, channels});
  const Tensor held_out = random.normal({20, side, side, channels});
  const Memorisation m = memorisation_of_images(samples, train, held_out, shift);
  const std::vector<double> s = samples.to_vector(), t = train.to_vector();
  for (int64_t i = 0; i < 5; i++) {
    double least = HUGE_VAL;
    int64_t nearest = -1;
    for (int64_t r = 0; r < 30; r++) {
      for (int64_t move = 0; move < 2 * 25; move++) {
        const int64_t top = move / 5 % 5, left = move % 5;
        double sum = 0;
        for (int64_t y = 0; y < inner; y++) {
          for (int64_t x = 0; x < inner; x++) {
            const int64_t column = move < 25 ? left + x : left + inner - 1 - x;
            for (int64_t c = 0; c < channels; c++) {
              const double d = s[at(((i * side + top + y) * side + column) * channels + c)] -
                               t[at(((r * side + shift + y) * side + shift + x) * channels + c)];
              sum += d * d;
            }
          }
        }
        if (sum < least) least = sum, nearest = r;
      }
    }
    CHECK(m.nearest[at(i)] == nearest);
    CHECK(m.distance[at(i)] == Approx(std::sqrt(least / static_cast<double>(inner * inner * channels))));
  }
}

TEST_CASE("memorisation: copies are flagged, shifted by 0 to 3 pixels or mirrored, for equal and unequal sets") {
  const Tensor images = pictures(500, 14, 1, 7);
  for (const int64_t held : {100, 250, 400}) {
    const Tensor train = slice(images, 0, 0, 500 - held), held_out = slice(images, 0, 500 - held, 500);
    for (const int64_t shift : {0, 1, 2, 3}) {
      INFO(held << " held out, shift " << shift);
      const Tensor copies = moved(slice(train, 0, 0, 60), shift, 8);
      const Memorisation m = memorisation_of_images(copies, train, held_out);
      CHECK(m.p < 0.01);
      CHECK(m.in_train == 60);
      CHECK(m.median_ratio == 0);
      for (int64_t i = 0; i < 60; i++) {
        CHECK(m.nearest[at(i)] == i);
        CHECK(m.distance[at(i)] == 0);
      }
      // Under a little noise, as a generator's copies are.
      Random random(9);
      CHECK(memorisation_of_images(copies + random.normal(copies.shape(), 0, 0.02), train, held_out).p < 0.01);
    }
  }
  // Without the search a shift hides them.
  const Tensor train = slice(images, 0, 0, 250), held_out = slice(images, 0, 250, 500);
  const Memorisation blind = memorisation_of_images(moved(slice(train, 0, 0, 60), 3, 8), train, held_out, 0);
  CHECK(blind.median_ratio > 0.3);
}

namespace {

// Alarms at p < 0.01 in 100 draws of honest samples: real images, each time dealt out anew.
int false_alarms(const Tensor& images, int64_t samples, int64_t train, int64_t held_out, int64_t shift, uint64_t seed) {
  Random random(seed);
  int alarms = 0;
  for (int draw = 0; draw < 100; draw++) {
    const std::vector<int64_t> order = random.permutation(images.size(0));
    const Memorisation m = memorisation_of_images(
        rows_at(images, part(order, 0, samples)), rows_at(images, part(order, samples, samples + train)),
        rows_at(images, part(order, samples + train, samples + train + held_out)), shift);
    alarms += m.p < 0.01;
  }
  return alarms;
}

}  // namespace

TEST_CASE("memorisation: real images are not flagged") {
  const Tensor images = pictures(450, 8, 1, 10);
  CHECK(false_alarms(images, 100, 150, 150, 1, 11) <= 2);
  CHECK(false_alarms(images, 100, 250, 50, 1, 12) <= 2);
  CHECK(false_alarms(images, 100, 50, 250, 1, 13) <= 2);
  // Ten images in nearly the same 45 versions each, in all three sets; and plain ones, the nearest of very many.
  Random random(14);
  std::vector<int64_t> tenfold;
  for (int64_t i = 0; i < 450; i++) tenfold.push_back(i % 10);
  const Tensor near_duplicates = rows_at(images, tenfold) + random.normal(images.shape(), 0, 1e-3);
  CHECK(false_alarms(near_duplicates, 100, 150, 150, 1, 15) <= 2);
  CHECK(false_alarms(near_duplicates, 100, 250, 50, 1, 16) <= 2);
  CHECK(false_alarms(rows_at(images, tenfold), 100, 150, 100, 1, 17) <= 2);  // exactly the same
  const Tensor hubs = concat(std::vector{random.normal({400, 8, 8, 1}), random.normal({50, 8, 8, 1}, 0, 0.05)}, 0);
  CHECK(false_alarms(hubs, 150, 150, 150, 0, 18) <= 2);
}

TEST_CASE("memorisation: the same for all threads, and progress is told") {
  const Tensor images = pictures(300, 12, 3, 19);
  const Tensor samples = slice(images, 0, 0, 20), train = slice(images, 0, 10, 200), held = slice(images, 0, 200, 300);
  int64_t told = 0;
  const test::Threads one(1);
  const Memorisation wanted = memorisation_of_images(samples, train, held, 3, [&](int64_t done, int64_t total) {
    CHECK(total == 20);
    CHECK(done > told);
    told = done;
  });
  CHECK(told == 20);
  const Memorisation rows = memorisation(samples, train, held);
  for (const int threads : {2, 3}) {
    const test::Threads setting(threads);
    const Memorisation m = memorisation_of_images(samples, train, held);
    CHECK(m.p == wanted.p);
    CHECK(m.distance == wanted.distance);
    CHECK(m.nearest == wanted.nearest);
    CHECK(m.median_ratio == wanted.median_ratio);
    CHECK(memorisation(samples, train, held).distance == rows.distance);
  }
}

TEST_CASE("memorisation: what is wrong, in a line") {
  const Tensor a = full({4, 8, 8, 1}, 0.5), b = full({3, 8, 8, 1}, 0.1);
  CHECK(message_of<ShapeError>([&] {
          memorisation_of_images(a, b, full({3, 8, 8, 3}, 0));
        }) == "[memorisation] rows differ in shape: samples 4x8x8x1, train 3x8x8x1, held_out 3x8x8x3");
  CHECK(message_of<ShapeError>([&] { memorisation_of_images(a, b, b, 4); }) ==
        "[memorisation] images of 8x8 have nothing left within 4 pixels of each side");
  CHECK(message_of<ShapeError>([&] {
          memorisation_of_images(full({4, 5}, 0), full({3, 5}, 0), full({3, 5}, 0));
        }) == "[memorisation] images must be (N, H, W, C), got 4x5");
  CHECK(message_of<DataError>([&] {
          memorisation(a, b, Tensor({0, 8, 8, 1}, DType::f32));
        }) == "[memorisation] held_out needs at least 1 rows, has 0");
  CHECK(message_of<ShapeError>([&] { memorisation(cast(a, DType::f64), b, b); }) ==
        "[memorisation] samples must be float32, got float64");
  CHECK(message_of<DataError>([&] {
          memorisation(a, full({3, 8, 8, 1}, not_a_number), b);
        }) == "[memorisation] train is not finite: row 0, element 0 is nan");
  CHECK_THROWS_AS(memorisation_of_images(a, b, b, -1), ShapeError);
  const Memorisation same = memorisation_of_images(a, a, a);  // all at distance 0
  CHECK(same.median_ratio == 1);
  CHECK(same.distance[0] == 0);
}
