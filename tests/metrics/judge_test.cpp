// The built-in judge: it learns, is kept, is found again, and sees an image alike whatever lies beside it.
#include "metrics/judge.h"

#include "core/ops.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/metrics/bars.h"

using namespace forger;
using namespace forger::metrics;
using test::bars;
using test::contains;
using test::message_of;
using test::Scratch;

TEST_CASE("the judge learns labels, is kept in the cache folder and found again to the bit") {
  const Scratch scratch;
  const gan::DataSetPtr train = bars(300, 1), held_out = bars(90, 2);
  int64_t trained = 0;
  const auto count = [&](int64_t, int64_t) { trained++; };
  const auto judge = Judge::of(train, held_out, 0, scratch.path(), count);
  CHECK(trained > 0);
  CHECK(judge->accuracy() > 0.95);
  CHECK(judge->classes() == 3);
  CHECK(contains(judge->about(), "bars-1"));

  trained = 0;
  const auto found = Judge::of(train, held_out, 0, scratch.path(), count);
  CHECK(trained == 0);
  CHECK(found->accuracy() == judge->accuracy());
  CHECK(found->hash() == judge->hash());
  const Pictures pictures = pictures_of(held_out, "held out");
  const Activations a = extract(*judge, pictures), b = extract(*found, pictures);
  CHECK(a.features.shape() == Shape({90, 128}));
  CHECK(a.logits.shape() == Shape({90, 3}));
  CHECK(a.features.to_vector() == b.features.to_vector());

  // Another order and other neighbours, the same features.
  const Activations few = extract(*judge, pictures.range(0, 7));
  CHECK(few.features.to_vector() == slice(a.features, 0, 0, 7).to_vector());

  // A damaged file is replaced, not believed.
  for (const auto& file : std::filesystem::directory_iterator(scratch.path()))
    std::filesystem::resize_file(file.path(), 100);
  const auto again = Judge::of(train, held_out, 0, scratch.path(), count);
  CHECK(trained > 0);
  CHECK(extract(*again, pictures.range(0, 7)).features.to_vector() == few.features.to_vector());
  CHECK(Judge::of(train, held_out, 1, scratch.path())->hash() != judge->hash());

  // Whatever the caller's settings are.
  kernels::set_conv_method(kernels::ConvMethod::direct);
  const int threads = kernels::threads();
  kernels::set_threads(1);
  trained = 0;
  CHECK(Judge::of(train, held_out, 0, scratch.path(), count)->hash() == judge->hash());
  CHECK(trained == 0);
  CHECK(kernels::threads() == 1);
  CHECK(kernels::conv_method() == kernels::ConvMethod::direct);
  kernels::set_conv_method(kernels::ConvMethod::automatic);
  kernels::set_threads(threads);
}

TEST_CASE("the judge refuses data without labels") {
  const std::string refusal = message_of<UsageError>([] { Judge::of(bars(10, 1, 2, false), bars(10, 2, 2, false)); });
  CHECK(contains(refusal, "no labels"));
  CHECK(contains(refusal, "--inception FILE"));
}

TEST_CASE("class histogram: counts, confidence, classes found") {
  const Tensor logits = from_values({3, 3}, std::vector<double>{9, 0, 0, 8, 0, 0, 0, 0, 0});
  const ClassHistogram histogram = class_histogram(logits);
  CHECK(histogram.counts == std::vector<int64_t>{3, 0, 0});  // at a tie the first
  CHECK(histogram.found() == 1);
  const double sure = std::exp(9.0) / (std::exp(9.0) + 2), rather = std::exp(8.0) / (std::exp(8.0) + 2);
  CHECK(std::abs(histogram.confidence - (sure + rather + 1.0 / 3) / 3) < 1e-6);
}
