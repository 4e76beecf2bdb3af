// The built-in judge: a small classifier trained on the data set itself, for data without an Inception that knows it.
// Its scores are named FCD, CS and KCD, never FID, IS and KID: they compare runs on one data set, and nothing else.
//
// Three 4x4 stride-2 convolutions with batch norm and ReLU, a hidden layer, a linear layer; Adam with a cosine
// schedule. Its features are the 128 numbers of the hidden layer.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "metrics/extractor.h"
#include "nn/module.h"

namespace forger::metrics {

class Judge : public Extractor {
 public:
  // Learns the labels of `train`; accuracy is measured on `test`. Trained once, with the machine's own settings
  // whatever the caller's are: the same data and seed find it again in the cache folder (cache_folder() when empty).
  // UsageError when the data has no labels.
  static std::shared_ptr<const Judge> of(const gan::DataSetPtr& train, const gan::DataSetPtr& test, uint64_t seed = 0,
                                         const std::string& cache = "", const Ticker& ticker = {});

  double accuracy() const { return accuracy_; }  // share of test images that it names rightly
  int64_t classes() const { return std::ssize(class_names_); }
  const std::vector<std::string>& class_names() const { return class_names_; }

  std::string name() const override { return "judge"; }
  std::string convention() const override;
  std::string hash() const override { return hash_; }
  std::string about() const override;
  int64_t batch() const override { return 256; }
  int channels() const override { return channels_; }
  Activations activations(const std::vector<gan::Image>& images) const override;

 private:
  Judge(int channels, std::vector<std::string> class_names, uint64_t seed);
  struct Network;
  void fit(const gan::DataSetPtr& train, uint64_t seed, const Ticker& ticker);
  void measure(const gan::DataSet& test);

  int channels_;
  std::vector<std::string> class_names_;
  Random random_;
  std::string data_name_, hash_;
  double accuracy_ = 0;
  std::shared_ptr<Network> network_;
};

// What the classes of a set of samples tell.
struct ClassHistogram {
  std::vector<int64_t> counts;  // by class
  double confidence = 0;        // mean of the largest probability
  int64_t found() const;        // classes with a sample
};
ClassHistogram class_histogram(const Tensor& logits);  // (N, classes)

}  // namespace forger::metrics
