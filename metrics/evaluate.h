// Scores of a generator against its data, by name: what `forger evaluate` and a training run that watches its quality
// ask for. An Evaluation keeps what does not change between questions: the extractors and what they saw in the real
// images.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "metrics/extractor.h"
#include "metrics/statistics.h"

namespace forger::metrics {

struct Score {
  std::string metric;                                  // "fid"
  std::vector<std::pair<std::string, double>> values;  // the first one is the score; {"recall", 0.4} may follow
  std::optional<double> spread;                        // standard deviation, or error, of the score
  int64_t reals = 0, fakes = 0;                        // how many of each were looked at; 0: none were needed
  std::string convention;   // who looked and how, with the hash of the weights, and the split
  std::string remark = {};  // a warning, or what else to know
  double value() const { return values.front().second; }
};

struct MetricEntry {
  std::string name;      // "fid"
  std::string title;     // one line
  bool lower_is_better;  // among those that rank generators
};
const std::vector<MetricEntry>& metric_entries();
const MetricEntry& find_metric(const std::string& name);           // UsageError with the nearest one
std::vector<std::string> parse_metrics(const std::string& names);  // "fid,kid": UsageError for an unknown one

struct Request {
  std::vector<std::string> metrics;
  int64_t count = 10'000;                 // samples; as many real images, if there are
  uint64_t seed = 0;                      // of the samples, subsets and orders
  gan::Subset split = gan::Subset::test;  // the real images that fakes are compared with
  std::string inception = {};             // a file of weights; empty: only the built-in judge
  std::vector<Convention> conventions = {Convention::tf};
  std::string cache = {};  // folder of trained judges; empty: cache_folder()
};

// Told of long work: what is being done, and how far.
using Announcer = std::function<void(const std::string& what, int64_t done, int64_t total)>;

class Evaluation {
 public:
  // data: a spec and a size as of gan::open_data. UsageError, before any work, for a metric that cannot be had.
  Evaluation(const std::string& data, int64_t size, Request request, Announcer announce = {});
  ~Evaluation();

  // A score for each metric asked for (for each convention, where Inception looks). `name` is what the samples are
  // called.
  std::vector<Score> scores(gan::Recipe& recipe, const std::string& name);

  // Real images that the recipe's discriminator takes for the most certain, the most doubtful first: modes that the
  // generator misses stand at the end, where D has never been fooled. Undefined when the recipe has none.
  Tensor reals_by_discriminator(gan::Recipe& recipe, int64_t count);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The Frechet distance of two sets, each a data set's spec, a folder or a file that save_statistics wrote.
struct Statistics {
  Gaussian gaussian;
  std::string name, convention, hash;
};
Statistics statistics_of(const Extractor& extractor, const Pictures& pictures, const Ticker& ticker = {});
void save_statistics(const std::string& path, const Statistics& statistics);
Statistics load_statistics(const std::string& path);  // DataError when it is not such a file
// DataError when they were not made by one network with one convention.
Score frechet_score(const Statistics& a, const Statistics& b);

}  // namespace forger::metrics
