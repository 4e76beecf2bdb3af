// Scores by name: what they say of good, damaged and copied samples, what is refused before any work, statistics files.
#include "metrics/evaluate.h"

#include <cmath>

#include "core/ops.h"
#include "metrics/frechet_file.h"
#include "metrics/memorisation.h"
#include "metrics/sanity.h"
#include "nn/checkpoint.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/metrics/bars.h"
#include "tests/metrics/hashed.h"

using namespace forger;
using namespace forger::metrics;
using test::bars;
using test::contains;
using test::message_of;
using test::Scratch;

namespace {

const std::string all_of_the_judge = "fcd,cs,kcd,pr,dc,parzen,memorisation,modes,collapse";

Request request_for(const std::string& names, const Scratch& cache) {
  Request request;
  request.metrics = parse_metrics(names);
  request.count = 200;
  request.cache = cache.path();
  return request;
}

const gan::Score& find(const std::vector<gan::Score>& scores, const std::string& metric) {
  for (const gan::Score& score : scores)
    if (score.metric == metric) return score;
  throw Error("no score of " + metric);
}

double named(const gan::Score& score, const std::string& name) {
  for (const auto& [n, value] : score.values)
    if (n == name) return value;
  throw Error("no value " + name);
}

}  // namespace

TEST_CASE("every metric of the judge tells fresh real images from damaged, copied and one-sided ones") {
  const Scratch cache;
  const gan::DataSetPtr train = bars(400, 1), held_out = bars(240, 2), fresh = bars(200, 3);
  Evaluation evaluation(train, held_out, request_for(all_of_the_judge, cache));
  const auto good = evaluation.scores(pictures_of(fresh, "fresh"));
  REQUIRE(good.size() == 9);
  for (const gan::Score& score : good) {
    INFO(line_of(score));
    CHECK(score.fakes > 0);
    CHECK_FALSE(score.convention.empty());
    for (const auto& [name, value] : score.values) CHECK(std::isfinite(value));
  }
  CHECK(find(good, "fcd").reals == 200);
  CHECK(find(good, "fcd").split == "test");
  CHECK(contains(line_of(find(good, "fcd")), "200 real, 200 fake, test, weights "));
  CHECK(find(good, "cs").value() > 2.5);  // of 3
  CHECK(find(good, "modes").value() == 0);
  CHECK(find(good, "memorisation").value() > 0.01);
  CHECK(find(good, "kcd").spread.has_value());

  const auto noisy = evaluation.scores(with_noise(pictures_of(fresh, "noisy"), 0.5, 0));
  CHECK(find(noisy, "fcd").value() > 3 * find(good, "fcd").value());
  CHECK(find(noisy, "kcd").value() > find(good, "kcd").value());
  CHECK(find(noisy, "pr").value() < find(good, "pr").value());

  const auto one_sided = evaluation.scores(without_classes(pictures_of(fresh, "bars 2"), 2));
  CHECK(find(one_sided, "modes").value() == 2);
  CHECK(contains(find(one_sided, "modes").remark, "missing: bar 0, bar 1"));
  CHECK(find(one_sided, "modes").classes.at(2) == std::pair<std::string, double>("bar 2", 1));
  CHECK(named(find(one_sided, "pr"), "recall") < 0.5);

  const auto copied = evaluation.scores(pictures_of(train, "copies").range(0, 200));
  CHECK(find(copied, "memorisation").value() < 1e-6);
  CHECK(contains(find(copied, "memorisation").remark, "nearer to training images"));

  const auto alike = evaluation.scores(with_duplicates(pictures_of(fresh, "two pictures"), 2));
  CHECK(named(find(alike, "collapse"), "support") < 10);
  CHECK(named(find(good, "collapse"), "support") > 100);
}

TEST_CASE("the share of samples that are of the class asked for, by the judge") {
  const Scratch cache;
  const gan::DataSetPtr train = bars(400, 1), held_out = bars(240, 2), fresh = bars(200, 3);
  Request request = request_for("asked", cache);
  CHECK(contains(message_of<UsageError>([&] { Evaluation(train, held_out, request); }), "told which class to make"));
  request.asked = true;
  Evaluation evaluation(train, held_out, request);
  Pictures fakes = pictures_of(fresh, "fresh");
  const gan::Score right = evaluation.scores(fakes).front();
  CHECK(right.value() > 0.97);
  CHECK(named(right, "real") == evaluation.judge().accuracy());
  CHECK(right.fakes == 200);
  fakes.label = [](int64_t) { return 0; };
  CHECK(std::abs(evaluation.scores(fakes).front().value() - 67.0 / 200) < 0.03);  // of three classes in turn
  fakes.label = {};
  CHECK(contains(message_of<UsageError>([&] { evaluation.scores(fakes); }), "no class was asked for"));
}

TEST_CASE("Inception looks where its weights are given, under every convention asked for") {
  const Scratch scratch;
  const gan::DataSetPtr train = bars(8, 1), held_out = bars(8, 2);
  nn::Checkpoint weights;
  weights.tensors = test::hashed_weights();
  nn::save_checkpoint(scratch.file("inception.safetensors"), weights);
  Request request = request_for("fid,is,kid,pr", scratch);
  request.inception = scratch.file("inception.safetensors");
  request.conventions = {Convention::pytorch, Convention::clean};
  const auto scores = Evaluation(train, held_out, request).scores(with_noise(pictures_of(held_out, "noisy"), 0.2, 0));
  REQUIRE(scores.size() == 7);  // two of each, but for pr
  for (const gan::Score& score : scores) {
    INFO(score.metric << "  " << line_of(score));
    CHECK(std::isfinite(score.value()));
    CHECK(score.weights == scores.front().weights);
  }
  CHECK(scores[0].convention == "pytorch");
  CHECK(scores[1].convention == "clean");
  CHECK(scores[0].value() > 0);
  CHECK(scores[0].value() != scores[1].value());
  CHECK(contains(scores[0].remark, "fewer than 2,049 images"));
  CHECK(scores.back().metric == "pr");

  // An image's features depend neither on the images beside it nor on the threads.
  const auto network = std::make_shared<const Inception>(request.inception);
  const ExtractorPtr looker = inception_extractor(network, Convention::pytorch);
  const Pictures pictures = pictures_of(held_out, "bars");
  const Tensor all = extract(*looker, pictures).features;
  const test::Threads one(1);
  CHECK(extract(*looker, pictures.range(0, 3)).features.to_vector() == slice(all, 0, 0, 3).to_vector());
}

TEST_CASE("scores are the same when asked again, and an evaluation of one metric changes no other") {
  const Scratch cache;
  const gan::DataSetPtr train = bars(300, 1), held_out = bars(100, 2);
  Evaluation evaluation(train, held_out, request_for("kcd,fcd,cs", cache));
  const Pictures fakes = with_noise(pictures_of(held_out, "noisy"), 0.2, 0);
  const auto first = evaluation.scores(fakes), again = evaluation.scores(fakes);
  Evaluation alone(train, held_out, request_for("fcd", cache));
  for (size_t i = 0; i < first.size(); i++) CHECK(first[i].value() == again[i].value());
  CHECK(alone.scores(fakes).front().value() == find(first, "fcd").value());
  CHECK(contains(find(first, "kcd").remark, "subsets of 100"));
  CHECK(contains(find(first, "fcd").remark, "not of full rank"));  // 100 rows, 128 features
}

TEST_CASE("a part of the real images is drawn from all of them, however they are sorted") {
  const Scratch cache;
  const gan::DataSetPtr data = bars(300, 1);
  const Pictures all = pictures_of(data, "bars");
  std::vector<int64_t> by_class;
  for (int64_t c = 0; c < 3; c++)
    for (int64_t i = 0; i < data->count(); i++)
      if (data->label(i) == c) by_class.push_back(i);
  const Pictures part = all.at(by_class).subset(60, 5);
  std::vector<int64_t> classes(3);
  for (int64_t i = 0; i < part.count; i++) classes[static_cast<size_t>(part.label(i))]++;
  for (const int64_t n : classes) CHECK(n > 8);
  CHECK(part.read(7).pixels == all.at(by_class).subset(60, 5).read(7).pixels);
  CHECK(contains(message_of<DataError>([&] { all.subset(301, 0); }), "has 300 images, 301 were asked for"));
}

TEST_CASE("what cannot be had is refused before any work") {
  const Scratch cache;
  const gan::DataSetPtr train = bars(30, 1), held_out = bars(30, 2), unlabelled = bars(30, 3, 3, false);
  const auto refusal = [&](const std::string& names, const gan::DataSetPtr& a, const gan::DataSetPtr& b) {
    return message_of<UsageError>([&] { Evaluation(a, b, request_for(names, cache)); });
  };
  CHECK(contains(message_of<UsageError>([] { parse_metrics("fcd,fdi"); }), "did you mean 'fid'?"));
  CHECK(contains(message_of<UsageError>([] { parse_metrics(""); }), "there are: fid, is"));
  CHECK(contains(refusal("fid", train, held_out), "'fid' needs Inception's weights: --inception FILE"));
  CHECK(contains(refusal("fcd", unlabelled, unlabelled), "no labels"));
  CHECK(contains(refusal("pr", unlabelled, unlabelled), "no labels"));
  CHECK(contains(refusal("memorisation", train, train), "has no test set"));
  Request few = request_for("fcd", cache);
  few.count = 9;
  CHECK(contains(message_of<UsageError>([&] { Evaluation(train, held_out, few); }), "at least 10 samples"));
  Request weightless = request_for("fid", cache);
  weightless.inception = cache.file("absent");
  CHECK(contains(message_of<DataError>([&] { Evaluation(train, held_out, weightless); }), "absent"));
  CHECK(parse_metrics("fcd,,cs,fcd") == std::vector<std::string>{"fcd", "cs"});
  CHECK(refusal("parzen,collapse", unlabelled, unlabelled) == "(nothing was thrown)");
}

TEST_CASE("statistics files: written, read, compared; others refused") {
  const Scratch scratch;
  const gan::DataSetPtr train = bars(300, 1), held_out = bars(200, 2);
  const auto judge = Judge::of(train, held_out, 0, scratch.path());
  const Statistics a = statistics_of(*judge, pictures_of(train, "train"));
  const Statistics b = statistics_of(*judge, with_noise(pictures_of(held_out, "noisy"), 0.3, 0));
  save_statistics(scratch.file("a.safetensors"), a);
  const Statistics read = load_statistics(scratch.file("a.safetensors"));
  CHECK(read.gaussian.covariance == a.gaussian.covariance);
  CHECK(read.name == "train");
  CHECK(frechet_score(a, a).value() < 1e-6);
  CHECK(frechet_score(read, b).value() == frechet_score(a, b).value());
  CHECK(frechet_score(a, b).metric == "fcd");

  const auto other = Judge::of(train, held_out, 1, scratch.path());
  const Statistics c = statistics_of(*other, pictures_of(train, "train"));
  CHECK(contains(message_of<DataError>([&] { frechet_score(a, c); }), "only one network's features"));
  nn::save_checkpoint(scratch.file("x.safetensors"), {});
  CHECK(
      contains(message_of<DataError>([&] { load_statistics(scratch.file("x.safetensors")); }), "holds no statistics"));
  nn::Checkpoint cut = nn::load_checkpoint(scratch.file("a.safetensors"));
  cut.tensors.pop_back();
  nn::save_checkpoint(scratch.file("x.safetensors"), cut);
  CHECK(contains(message_of<DataError>([&] { load_statistics(scratch.file("x.safetensors")); }),
                 "mean (D) and covariance"));
}

TEST_CASE("damage: level 0 changes nothing, the same seed does the same, blur keeps what is flat and the mean") {
  const Pictures whole = pictures_of(bars(4, 5), "bars");
  CHECK(with_noise(whole, 0, 1).read(2).pixels == whole.read(2).pixels);
  CHECK(with_blur(whole, 0).read(2).pixels == whole.read(2).pixels);
  CHECK(with_salt_and_pepper(whole, 0, 1).read(2).pixels == whole.read(2).pixels);
  CHECK(with_noise(whole, 0.3, 1).read(2).pixels == with_noise(whole, 0.3, 1).read(2).pixels);
  CHECK(with_noise(whole, 0.3, 1).read(2).pixels != with_noise(whole, 0.3, 2).read(2).pixels);
  const auto peppered = with_salt_and_pepper(whole, 1, 1).read(0).pixels;
  CHECK(std::all_of(peppered.begin(), peppered.end(), [](uint8_t p) { return p == 0 || p == 255; }));
  const auto mean = [](const gan::Image& image) {
    return std::accumulate(image.pixels.begin(), image.pixels.end(), 0.0) / static_cast<double>(image.pixels.size());
  };
  const Pictures flat{.name = "flat", .count = 1, .read = [](int64_t) {
                        return gan::Image{9, 7, 3, std::vector<uint8_t>(9 * 7 * 3, 131)};
                      }};
  CHECK(with_blur(flat, 2).read(0).pixels == flat.read(0).pixels);
  gan::Image dot{9, 9, 1, std::vector<uint8_t>(81, 0)};
  dot.pixels[40] = 255;
  const Pictures one{.name = "dot", .count = 1, .read = [dot](int64_t) { return dot; }};
  CHECK(std::abs(mean(with_blur(one, 0.8).read(0)) - mean(dot)) < 0.2);
  CHECK(with_duplicates(whole, 2).read(3).pixels == whole.read(1).pixels);
  const Pictures fewer = without_classes(whole, 1);
  CHECK(fewer.count == 2);
  CHECK(fewer.read(0).pixels == whole.read(1).pixels);
}

TEST_CASE("sanity curves are drawn with what they say") {
  const std::vector<SanityCurve> curves{{"Noise", "sigma", {{0, 1}, {0.1, 2}}}, {"Blur", "pixels", {{0, 1}, {1, 0.5}}}};
  CHECK(curves[0].rises());
  CHECK_FALSE(curves[1].rises());
  const std::string svg = draw(curves);
  CHECK(svg.starts_with("<svg"));
  CHECK(contains(svg, ">rises throughout<"));
  CHECK(contains(svg, ">does not rise throughout<"));
}

TEST_CASE("on Fashion-MNIST the judge's distance rises with every damage", "[long][fashion-mnist]") {
  const gan::DataSetPtr train = gan::open_data("fashion-mnist", 32);
  const gan::DataSetPtr held_out = gan::open_data("fashion-mnist", 32, gan::Subset::test);
  const auto judge = Judge::of(train, held_out);
  CHECK(judge->accuracy() > 0.88);
  for (const SanityCurve& curve : sanity_curves(*judge, train, held_out, 10'000)) {
    std::string points;
    for (const auto& [level, fcd] : curve.points) points += text(level, ": ", fcd, "  ");
    INFO(curve.title << "  " << points);
    CHECK(curve.rises());
  }
}

TEST_CASE("on Fashion-MNIST copies of training images are caught, moved and mirrored ones too, fresh images are not",
          "[long][fashion-mnist]") {
  constexpr int64_t side = 32, draws = 100, per_draw = 200, pool = 4000;
  const Pictures train = pictures_of(gan::open_data("fashion-mnist", side), "train");
  const Pictures held_out = pictures_of(gan::open_data("fashion-mnist", side, gan::Subset::test), "test");
  const Tensor seen = as_tensor(train, 0, pool), unseen = as_tensor(held_out, 0, pool);
  Random random(7);
  for (const int64_t shift : {0, 1, 2, 3}) {
    for (const bool mirrored : {false, true}) {
      CAPTURE(shift, mirrored);
      const Tensor copies = clone(slice(seen, 0, 500, 500 + per_draw));
      for (int64_t i = 0; i < per_draw; i++) {
        const float* from = seen.data<float>() + (500 + i) * side * side;
        float* to = copies.data<float>() + i * side * side;
        for (int64_t y = 0; y < side; y++)
          for (int64_t x = 0; x < side; x++) {
            const int64_t row = y + shift, column = mirrored ? side - 1 - x - shift : x + shift;
            const bool inside = row < side && column >= 0 && column < side;
            to[y * side + x] = inside ? from[row * side + column] : -1;
          }
      }
      CHECK(memorisation_of_images(copies, seen, unseen).p < 0.01);
    }
  }
  int64_t alarms = 0;
  for (int64_t draw = 0; draw < draws; draw++) {
    // Which of the images that nobody copied were "seen" is drawn anew; samples are images of neither set.
    std::vector<int64_t> order = random.permutation(held_out.count);
    const auto part = [&](int64_t begin, int64_t count) {
      std::vector<Tensor> images;
      for (int64_t i = begin; i < begin + count; i++) images.push_back(as_tensor(held_out, order[i], order[i] + 1));
      return concat(images, 0);
    };
    constexpr int64_t half = 1000;
    alarms += memorisation_of_images(part(0, per_draw), part(per_draw, half), part(per_draw + half, half)).p < 0.01;
  }
  CHECK(alarms <= 2);
}
