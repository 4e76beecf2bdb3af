#include "metrics/metric.h"

#include <algorithm>
#include <sstream>

#include "core/ops.h"
#include "gan/settings.h"
#include "metrics/collapse.h"
#include "metrics/comparison.h"
#include "metrics/frechet_file.h"
#include "metrics/memorisation.h"
#include "metrics/parzen.h"
#include "metrics/statistics.h"

namespace forger::metrics {
namespace {

constexpr int64_t is_splits = 10, kid_subsets = 100, kid_size = 1000;
// Rows at the most, of metrics whose cost grows with the square, or with fakes times training images.
constexpr int64_t most_neighbours = 10'000, most_memorised = 1'000, most_validation = 1'000, most_pairs = 2'000;
constexpr int64_t least_images = 10;
constexpr double alarm = 0.01;  // p of the memorisation test from which on a remark is made

// ---- distances between features -------------------------------------------------------------------------------------

void frechet(Comparison& of, FeatureCache* features, gan::Score& score) {
  const Tensor &real = of.real_features(*features), &fake = of.fake_activations(*features).features;
  score.values = {{score.metric, frechet_distance(of.real_gaussian(*features), gaussian_of(fake))}};
  score.remark = rank_remark(score.reals, score.fakes, real.size(1));
}

void kernel(Comparison& of, FeatureCache* features, gan::Score& score) {
  const Tensor &real = of.real_features(*features), &fake = of.fake_activations(*features).features;
  const int64_t size = std::min({kid_size, real.size(0), fake.size(0)});
  Random draws = of.random(0x6b6964);
  const Spread mmd = kernel_distance(real, fake, draw_subsets(real.size(0), fake.size(0), kid_subsets, size, draws));
  score.values = {{score.metric, mmd.value}};
  score.spread = mmd.spread;
  if (size < kid_size) score.remark = text("subsets of ", size, " for want of images");
}

// The tensors that neighbourhoods are measured in, and how many rows of each.
struct Neighbours {
  Tensor real, fake;
};
Neighbours neighbours(Comparison& of, FeatureCache* features, gan::Score& score) {
  const Tensor real = first_rows(of.real_features(*features), most_neighbours),
               fake = first_rows(of.fake_activations(*features).features, most_neighbours);
  score.reals = real.size(0), score.fakes = fake.size(0);
  return {real, fake};
}

void manifolds(Comparison& of, FeatureCache* features, gan::Score& score) {
  const auto [real, fake] = neighbours(of, features, score);
  const PrecisionRecall pr = precision_recall(real, fake);
  score.values = {{"precision", pr.precision}, {"recall", pr.recall}};
}

void density(Comparison& of, FeatureCache* features, gan::Score& score) {
  const auto [real, fake] = neighbours(of, features, score);
  const DensityCoverage dc = density_coverage(real, fake);
  score.values = {{"density", dc.density}, {"coverage", dc.coverage}};
}

// ---- of the samples' classes alone: no real images are needed -------------------------------------------------------

const Tensor& logits_of_fakes(Comparison& of, FeatureCache* features, gan::Score& score) {
  score.reals = 0;
  score.split.clear();
  return of.fake_activations(*features).logits;
}

void entropy(Comparison& of, FeatureCache* features, gan::Score& score) {
  const Tensor& logits = logits_of_fakes(of, features, score);
  const Spread is =
      inception_score(logits, of.random(0x6973).permutation(logits.size(0)), std::min(is_splits, logits.size(0)));
  score.values = {{score.metric, is.value}};
  score.spread = is.spread;
}

void modes(Comparison& of, FeatureCache* features, gan::Score& score) {
  const ClassHistogram histogram = class_histogram(logits_of_fakes(of, features, score));
  const int64_t classes = of.judge().classes();
  score.values = {{"missing", static_cast<double>(classes - histogram.found())}, {"confidence", histogram.confidence}};
  std::string missing;
  for (int64_t c = 0; c < classes; c++) {
    const int64_t n = histogram.counts[static_cast<size_t>(c)];
    const std::string& name = of.judge().class_names()[static_cast<size_t>(c)];
    score.classes.emplace_back(name, static_cast<double>(n) / static_cast<double>(score.fakes));
    if (n == 0) missing += (missing.empty() ? "" : ", ") + name;
  }
  score.remark = missing.empty() ? text("all ", classes, " classes come") : "missing: " + missing;
}

void asked(Comparison& of, FeatureCache* features, gan::Score& score) {
  const Pictures& fakes = of.fakes();
  check<UsageError>(static_cast<bool>(fakes.label), fakes.name, ": no class was asked for");
  const std::vector<double> found = argmax(logits_of_fakes(of, features, score)).to_vector();
  int64_t right = 0;
  for (int64_t i = 0; i < fakes.count; i++)
    right += static_cast<int64_t>(found[static_cast<size_t>(i)]) == fakes.label(i);
  score.values = {{"asked", static_cast<double>(right) / static_cast<double>(fakes.count)},
                  {"real", of.judge().accuracy()}};
  score.remark = "beside the share of real test images that the judge names rightly";
}

// ---- does a generator tell the truth? -------------------------------------------------------------------------------

void likelihood(Comparison& of, FeatureCache* /*features*/, gan::Score& score) {
  const Pictures &fakes = of.fakes(), &reals = of.reals();
  const Tensor samples = as_tensor(fakes, 0, fakes.count);
  // Bandwidth and likelihood on real images that are not the same, nor any that a generator may have copied.
  const int64_t validated = std::min(most_validation, reals.count / 4);
  const Tensor validation = as_tensor(reals, 0, validated), real = as_tensor(reals, validated, reals.count);
  const Parzen window = parzen(samples, validation, real, {}, of.ticker("Parzen windows"));
  score.reals = real.size(0);
  score.values = {{"parzen", window.log_likelihood}, {"sigma", window.sigma}};
  score.spread = window.standard_error;
  score.remark = window.sigma_at_edge ? "the bandwidth lies at the edge of the range that was tried"
                                      : "likelihood rewards copies and punishes sharp pictures: never to be read alone";
}

void memory(Comparison& of, FeatureCache* /*features*/, gan::Score& score) {
  const Tensor samples = as_tensor(of.fakes(), 0, std::min(most_memorised, of.fakes().count));
  FeatureCache* features = !of.has_features() ? nullptr : of.has_judge() ? &of.judge_features() : &of.best_features();
  const Comparison::Subsets& sets = of.subsets(features == nullptr ? nullptr : features->extractor.get());
  const Memorisation pixels = memorisation_of_images(samples, sets.seen_images, sets.held_out_images, 3,
                                                     of.ticker("nearest neighbours of samples"));
  const auto share = [](const Memorisation& m) {
    return static_cast<double>(m.in_train) / static_cast<double>(m.count);
  };
  score.values = {{"p", pixels.p},
                  {"in_train", share(pixels)},
                  {"expected", pixels.expected},
                  {"median_ratio", pixels.median_ratio}};
  double least = pixels.p;
  if (features != nullptr) {
    const Memorisation found = memorisation(first_rows(of.fake_activations(*features).features, samples.size(0)),
                                            sets.seen_features, sets.held_out_features);
    score.values.insert(score.values.end(), {{"p_features", found.p}, {"in_train_features", share(found)}});
    score.weights = features->extractor->hash();
    least = std::min(least, found.p);
  }
  score.split = "train and test";
  score.reals = sets.seen.count + sets.held_out.count;
  score.fakes = samples.size(0);
  score.remark = least < alarm ? "samples lie nearer to training images than chance allows: look at `forger neighbours`"
                               : "no sign of memorised training images";
}

void variety(Comparison& of, FeatureCache* features, gan::Score& score) {
  const int64_t n = std::min({most_pairs, score.reals, score.fakes});
  const Tensor real = features == nullptr ? as_tensor(of.reals(), 0, n) : first_rows(of.real_features(*features), n);
  const Tensor fake =
      features == nullptr ? as_tensor(of.fakes(), 0, n) : first_rows(of.fake_activations(*features).features, n);
  const Collapse found = collapse(real, fake);
  score.reals = score.fakes = n;
  score.values = {{"diversity", found.diversity},
                  {"duplicates", static_cast<double>(found.duplicates)},
                  {"support", found.support}};
  score.remark = text("the generator has ", found.support_is_bound ? "more than " : "about ",
                      gan::thousands(static_cast<int64_t>(found.support)), " different samples");
}

}  // namespace

const std::vector<Metric>& metric_table() {
  static const std::vector<Metric> table{
      {.name = "fid",
       .title = "Frechet Inception distance (Heusel et al. 2017)",
       .lower_is_better = true,
       .space = Space::inception,
       .usual = with_inception,
       .compute = frechet},
      {.name = "is",
       .title = "Inception Score (Salimans et al. 2016)",
       .space = Space::inception,
       .usual = with_inception,
       .compute = entropy},
      {.name = "kid",
       .title = "kernel Inception distance (Binkowski et al. 2018)",
       .lower_is_better = true,
       .space = Space::inception,
       .usual = with_inception,
       .compute = kernel},
      {.name = "fcd",
       .title = "Frechet distance in the built-in judge's features",
       .lower_is_better = true,
       .space = Space::judge,
       .usual = with_judge,
       .compute = frechet},
      {.name = "cs",
       .title = "Inception Score's formula on the built-in judge's logits",
       .space = Space::judge,
       .usual = with_judge,
       .compute = entropy},
      {.name = "kcd",
       .title = "kernel distance in the built-in judge's features",
       .lower_is_better = true,
       .space = Space::judge,
       .usual = with_judge,
       .compute = kernel},
      {.name = "pr",
       .title = "precision and recall (Kynkaanniemi et al. 2019)",
       .space = Space::features,
       .usual = with_inception | with_judge,
       .curves = 2,
       .compute = manifolds},
      {.name = "dc",
       .title = "density and coverage (Naeem et al. 2020)",
       .space = Space::features,
       .usual = with_inception | with_judge,
       .curves = 2,
       .compute = density},
      {.name = "parzen",
       .title = "log-likelihood of real images under a Parzen window, in nats",
       .space = Space::pixels,
       .usual = with_neither,
       .compute = likelihood},
      {.name = "memorisation",
       .title = "p-value: are samples nearer to training than to held-out images?",
       .space = Space::pixels_and_features,
       .needs_held_out = true,
       .compute = memory},
      {.name = "modes",
       .title = "classes that never come, by the built-in judge; class histogram, confidence",
       .lower_is_better = true,
       .space = Space::judge,
       .usual = with_judge,
       .compute = modes},
      {.name = "asked",
       .title = "share of samples in which the built-in judge finds the class that was asked for",
       .space = Space::judge,
       .usual = with_judge,
       .needs_asked = true,
       .compute = asked},
      {.name = "collapse",
       .title = "pairwise distance of samples over that of real images; support by birthday paradox",
       .space = Space::features_or_pixels,
       .usual = with_judge | with_neither,
       .compute = variety},
      {.name = "mixture",
       .title = "modes covered and share of high-quality samples, of points of a known mixture",
       .space = Space::plane,
       .curves = 2},  // computed by mixture_score
      {.name = "words",
       .title = "divergence of n-grams, n from 4 to 1, from those of held-out words; shares on the list, and new",
       .lower_is_better = true,
       .space = Space::letters,
       .curves = 4},  // computed by WordComparison
  };
  return table;
}

namespace {

std::vector<std::string> metric_names() {
  std::vector<std::string> names;
  for (const Metric& metric : metric_table()) names.push_back(metric.name);
  return names;
}

}  // namespace

const Metric& find_metric(const std::string& name) {
  for (const Metric& metric : metric_table())
    if (metric.name == name) return metric;
  throw UsageError(text("there is no metric '", name, "'; did you mean '", gan::nearest(name, metric_names()), "'?"));
}

std::vector<std::string> parse_metrics(const std::string& names) {
  std::vector<std::string> metrics;
  std::istringstream in(names);
  for (std::string name; std::getline(in, name, ',');) {
    if (name.empty() || std::ranges::find(metrics, name) != metrics.end()) continue;
    metrics.push_back(find_metric(name).name);
  }
  if (!metrics.empty()) return metrics;
  std::string known;
  for (const std::string& name : metric_names()) known += (known.empty() ? "" : ", ") + name;
  throw UsageError("no metric is named; there are: " + known);
}

std::vector<std::string> usual_metrics(const gan::DataSet& images, const Request& request) {
  const Usual with = !request.inception.empty() ? with_inception : images.classes() > 1 ? with_judge : with_neither;
  std::vector<std::string> usual;
  for (const Metric& metric : metric_table())
    if ((metric.usual & with) != 0 && (!metric.needs_asked || request.asked)) usual.push_back(metric.name);
  return usual;
}

void check_request(const Request& request) {
  check<UsageError>(!request.conventions.empty(), "no convention is named");
  check<UsageError>(request.count >= least_images, "scores need at least ", least_images, " samples, got ",
                    request.count);
}

void check_metric(const Metric& metric, const Request& request, const gan::DataSet& images, bool has_split) {
  const bool inception = !request.inception.empty(), judge = images.classes() > 1;
  check<UsageError>(metric.space != Space::plane, "the metric '", metric.name,
                    "' is of points of a known mixture, such as ring8; ", images.name(), " has images");
  check<UsageError>(metric.space != Space::letters, "the metric '", metric.name, "' is of words; ", images.name(),
                    " has images");
  check<UsageError>(metric.space != Space::inception || inception, "the metric '", metric.name,
                    "' needs Inception's weights: --inception FILE (made by metrics/convert_inception.py); ",
                    "without them 'fcd', 'cs' and 'kcd' take the built-in judge");
  check<UsageError>(metric.space != Space::judge || judge, "the metric '", metric.name,
                    "' needs the built-in judge, and ", images.name(), " has no labels for it to learn");
  check<UsageError>(metric.space != Space::features || inception || judge, "the metric '", metric.name,
                    "' needs features: ", images.name(),
                    " has no labels for the built-in judge to learn; give --inception FILE");
  check<UsageError>(!metric.needs_asked || request.asked, "the metric '", metric.name,
                    "' needs a system that is told which class to make: cgan");
  check<UsageError>(!metric.needs_held_out || has_split, "the metric '", metric.name, "' needs images that training ",
                    "has not seen, and ", images.name(), " has no test set: a folder needs train/ and test/");
}

}  // namespace forger::metrics
