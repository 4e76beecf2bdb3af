// Two sets of images side by side, the real ones and the fakes, and what metrics ask of them: pixels, features, the
// judge. Each is computed when first asked for; what belongs to the real images is kept from one set of fakes to the
// next.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "metrics/evaluate.h"
#include "metrics/moments.h"

namespace forger::metrics {

Gaussian gaussian_of(const Tensor& features);      // (N, D)
Tensor first_rows(const Tensor& x, int64_t most);  // all, if there are no more
bool same_images(const gan::DataSet& a, const gan::DataSet& b);

// What one extractor says of either set.
struct FeatureCache {
  ExtractorPtr extractor;
  std::optional<Tensor> reals;
  std::optional<Gaussian> real_gaussian;
  std::optional<Activations> fakes;
};

class Comparison {
 public:
  // As Evaluation: the request is checked here.
  Comparison(gan::DataSetPtr train, gan::DataSetPtr test, Request request, Announcer announce);

  // The fakes from now on.
  void compare_with(const Pictures& fakes);
  // A score for each convention where Inception's features are taken, else one.
  std::vector<gan::Score> scores(const Metric& metric);
  void prepare();  // trains the judge if a metric asks for it

  const Request& request() const { return request_; }
  const gan::DataSetPtr& train() const { return train_; }
  const gan::DataSetPtr& test() const { return test_; }
  const Pictures& reals() const { return reals_; }  // of the split
  const Pictures& fakes() const { return *fakes_; }
  const Judge& judge() { return *shared_judge(); }
  Random random(uint64_t stream) const { return Random(request_.seed, stream); }
  Ticker ticker(const std::string& what) const;

  bool has_judge() const { return train_->classes() > 1; }
  bool has_features() const { return has_judge() || network_ != nullptr; }
  // By the judge, or by Inception under a convention.
  FeatureCache& judge_features() { return features("judge"); }
  FeatureCache& best_features() { return features(network_ ? name_of(request_.conventions.front()) : "judge"); }
  const Tensor& real_features(FeatureCache& features);
  const Gaussian& real_gaussian(FeatureCache& features);
  const Activations& fake_activations(FeatureCache& features);
  // The pixels and features of both subsets, as many images as memory holds.
  struct Subsets {
    Pictures seen, held_out;
    Tensor seen_images = {}, held_out_images = {};      // (N, H, W, C)
    Tensor seen_features = {}, held_out_features = {};  // undefined until asked for with an extractor
  };
  const Subsets& subsets(const Extractor* extractor);

  std::vector<std::string> networks() const;  // a line about each that has extracted so far

 private:
  std::shared_ptr<const Judge> shared_judge();
  FeatureCache& features(const std::string& convention);
  Tensor features_of(const Extractor& extractor, const Pictures& pictures) const;
  Pictures bounded(const gan::DataSetPtr& data) const;

  Request request_;
  Announcer announce_;
  gan::DataSetPtr train_, test_;
  Pictures reals_;
  std::optional<Pictures> fakes_;
  std::shared_ptr<const Judge> judge_;
  std::shared_ptr<const Inception> network_;      // where there is a file of weights
  std::map<std::string, FeatureCache> features_;  // by convention; "judge"
  std::optional<Subsets> subsets_;
};

}  // namespace forger::metrics
