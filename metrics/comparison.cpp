#include "metrics/comparison.h"

#include <algorithm>

#include "core/ops.h"

namespace forger::metrics {
namespace {

constexpr int64_t most_bytes = int64_t{1} << 30;  // of a data set's pixels that are compared with

std::string split_name(gan::Subset split) { return split == gan::Subset::train ? "train" : "test"; }

}  // namespace

Gaussian gaussian_of(const Tensor& features) {
  Moments moments(features.size(1));
  moments.add(features);
  return moments.gaussian();
}

Tensor first_rows(const Tensor& x, int64_t most) { return slice(x, 0, 0, std::min(most, x.size(0))); }

// A folder's hash is of names and sizes: two that agree there are told apart by their first image.
bool same_images(const gan::DataSet& a, const gan::DataSet& b) {
  if (a.count() != b.count() || a.hash() != b.hash() || !(a.sample() == b.sample())) return false;
  std::vector<float> x(static_cast<size_t>(a.sample().numel())), y(x.size());
  a.read(0, x.data());
  b.read(0, y.data());
  return x == y;
}

Comparison::Comparison(gan::DataSetPtr train, gan::DataSetPtr test, Request request, Announcer announce)
    : request_(std::move(request)), announce_(std::move(announce)), train_(std::move(train)), test_(std::move(test)) {
  check<UsageError>(train_->sample().rank() == 3, train_->name(), " holds no images, which these metrics judge");
  const bool has_split = !same_images(*train_, *test_);
  for (const std::string& metric : request_.metrics) check_metric(find_metric(metric), request_, *train_, has_split);
  check_request(request_);
  if (!request_.inception.empty()) network_ = std::make_shared<const Inception>(request_.inception);
  if (!has_split) request_.split = gan::Subset::train;
  const gan::DataSetPtr& split = request_.split == gan::Subset::train ? train_ : test_;
  reals_ = pictures_of(split, text(train_->name(), " (", split_name(request_.split), ")"))
               .subset(std::min(request_.count, split->count()), request_.seed);
}

void Comparison::compare_with(const Pictures& fakes) {
  fakes_ = fakes;
  for (auto& [convention, features] : features_) features.fakes.reset();
}

std::vector<gan::Score> Comparison::scores(const Metric& metric) {
  std::vector<FeatureCache*> with;
  switch (metric.space) {
    case Space::inception:
      for (const Convention convention : request_.conventions) with.push_back(&features(name_of(convention)));
      break;
    case Space::judge:
      with = {&judge_features()};
      break;
    case Space::features:
      with = {&best_features()};
      break;
    case Space::features_or_pixels:
      with = {has_features() ? &best_features() : nullptr};
      break;
    case Space::plane:  // no images: check_metric has refused either
    case Space::letters:
    case Space::pixels:
    case Space::pixels_and_features:
      with = {nullptr};
      break;
  }
  std::vector<gan::Score> all;
  for (FeatureCache* each : with) {
    gan::Score score{.metric = metric.name, .reals = reals_.count, .fakes = fakes_->count};
    score.convention = each == nullptr                      ? "pixels"
                       : each->extractor->name() == "judge" ? "judge"
                                                            : each->extractor->convention();
    if (each != nullptr) score.weights = each->extractor->hash();
    score.split = split_name(request_.split);
    metric.compute(*this, each, score);
    all.push_back(std::move(score));
  }
  return all;
}

void Comparison::prepare() {
  for (const std::string& metric : request_.metrics) {
    const Space space = find_metric(metric).space;
    const bool best = space == Space::features || space == Space::features_or_pixels;
    if (space == Space::judge || (has_judge() && ((best && !network_) || space == Space::pixels_and_features)))
      shared_judge();
  }
}

Ticker Comparison::ticker(const std::string& what) const {
  if (!announce_) return {};
  return [this, what](int64_t done, int64_t total) { announce_(what, done, total); };
}

std::shared_ptr<const Judge> Comparison::shared_judge() {
  constexpr uint64_t seed = 0;
  if (!judge_) judge_ = Judge::of(train_, test_, seed, request_.cache, ticker("training the built-in judge"));
  return judge_;
}

FeatureCache& Comparison::features(const std::string& convention) {
  FeatureCache& features = features_[convention];
  if (!features.extractor)
    features.extractor = convention == "judge" ? ExtractorPtr(shared_judge())
                                               : inception_extractor(network_, find_convention(convention));
  return features;
}

Tensor Comparison::features_of(const Extractor& extractor, const Pictures& pictures) const {
  return extract(extractor, pictures, ticker("looking at " + pictures.name)).features;
}

const Tensor& Comparison::real_features(FeatureCache& features) {
  if (!features.reals) features.reals = features_of(*features.extractor, reals_);
  return *features.reals;
}

const Gaussian& Comparison::real_gaussian(FeatureCache& features) {
  if (!features.real_gaussian) features.real_gaussian = gaussian_of(real_features(features));
  return *features.real_gaussian;
}

const Activations& Comparison::fake_activations(FeatureCache& features) {
  if (!features.fakes) features.fakes = extract(*features.extractor, *fakes_, ticker("looking at " + fakes_->name));
  return *features.fakes;
}

// All images of a set, or as many as `most_bytes` of floats hold.
Pictures Comparison::bounded(const gan::DataSetPtr& data) const {
  const int64_t most = std::max<int64_t>(1, most_bytes / (data->sample().numel() * int64_t{sizeof(float)}));
  return pictures_of(data, data->name()).subset(std::min(most, data->count()), request_.seed);
}

const Comparison::Subsets& Comparison::subsets(const Extractor* extractor) {
  if (!subsets_) {
    subsets_ = Subsets{.seen = bounded(train_), .held_out = bounded(test_)};
    subsets_->seen_images = as_tensor(subsets_->seen, 0, subsets_->seen.count);
    subsets_->held_out_images = as_tensor(subsets_->held_out, 0, subsets_->held_out.count);
  }
  if (extractor != nullptr && !subsets_->seen_features.defined()) {
    subsets_->seen_features = features_of(*extractor, subsets_->seen);
    subsets_->held_out_features = features_of(*extractor, subsets_->held_out);
  }
  return *subsets_;
}

std::vector<std::string> Comparison::networks() const {
  std::vector<std::string> lines;
  for (const auto& [convention, features] : features_) lines.push_back(features.extractor->about());
  return lines;
}

}  // namespace forger::metrics
