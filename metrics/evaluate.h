// Scores of a generator against its data, by name: what `forger evaluate` and a training run that watches its quality
// ask for. An Evaluation keeps what does not change between questions: the networks, and their features of the real
// images.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "metrics/judge.h"
#include "metrics/metric.h"

namespace forger::metrics {

// Told of long work: what is being done, and how far. May be empty.
using Announcer = std::function<void(const std::string& what, int64_t done, int64_t total)>;

class Evaluation {
 public:
  // The two subsets of a data set; the same one twice where there is only one. UsageError for a metric that cannot be
  // had of this data, DataError for weights that cannot be read: before any work.
  Evaluation(gan::DataSetPtr train, gan::DataSetPtr test, Request request, Announcer announce = {});
  ~Evaluation();
  Evaluation(Evaluation&&) noexcept;

  // A score for each metric asked for, in that order; one for each convention of Inception's.
  std::vector<gan::Score> scores(const Pictures& fakes);
  // Of what a view makes, `count` samples or as many as there are rows of `held_out` for it to start from.
  std::vector<gan::Score> scores(gan::Recipe& recipe, const gan::View& view, const gan::DataSet& held_out,
                                 const std::string& name);

  // The `count` real images that the discriminator doubts most, the least likely first, then as many that it is surest
  // of, the surest last, (2*count, H, W, C): modes that the generator misses are among the latter, where nothing ever
  // taught D to doubt. Undefined when the recipe has no discriminator or there are fewer than 2*count images.
  Tensor extreme_reals(gan::Recipe& recipe, int64_t count);

  // A line for people about each network whose features were taken so far.
  std::vector<std::string> networks() const;

  // Trains the judge now if a metric will ask for it, not in the middle of something else.
  void prepare();

  // The judge of this data, trained when first asked for. UsageError when it has no labels.
  const Judge& judge();
  // The two subsets.
  const gan::DataSetPtr& train() const;
  const gan::DataSetPtr& test() const;

 private:
  std::unique_ptr<Comparison> comparison_;
};

}  // namespace forger::metrics
