// Scores of a generator against its data, by name: what `forger evaluate` and a training run that watches its quality
// ask for. An Evaluation keeps what does not change between questions: who looks, and what they saw in the real images.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "metrics/judge.h"
#include "metrics/statistics.h"

namespace forger::metrics {

struct Score {
  std::string metric;                                        // "fid"
  std::vector<std::pair<std::string, double>> values;        // the first one is the score; {"recall", 0.4} may follow
  std::vector<std::pair<std::string, double>> classes = {};  // share of the samples in each
  std::optional<double> spread = {};  // standard deviation over splits or subsets, or standard error
  int64_t reals = 0, fakes = 0;       // how many of each were looked at; 0: none were needed
  std::string convention = {};        // "tf", "judge", "pixels"
  std::string weights = {};           // hash of the network that looked; empty: none did
  std::string split = {};             // of the real images: "test"
  std::string remark = {};            // a warning, or what else to know
  std::string view = {};              // of a system with several; empty: the first one's
  std::string key() const { return view.empty() ? metric : view + "." + metric; }  // "fid", "reconstruct.fid"
  double value() const { return values.front().second; }
};

struct MetricEntry {
  std::string name;           // "fid"
  std::string title;          // one line
  bool lower_is_better;       // of the score
  bool needs_inception;       // a file of weights
  bool needs_labels = false;  // the built-in judge, and nothing else, can look
  bool needs_asked = false;   // samples of which a class was asked for
};
const std::vector<MetricEntry>& metric_entries();
const MetricEntry& find_metric(const std::string& name);           // UsageError with the nearest one
std::vector<std::string> parse_metrics(const std::string& names);  // "fid,kid": UsageError for an unknown one
struct Request;
// What these images allow where nothing is asked for by name.
std::vector<std::string> usual_metrics(const gan::DataSet& images, const Request& request);

struct Request {
  std::vector<std::string> metrics;
  int64_t count = 10'000;                 // samples; as many real images, if there are
  uint64_t seed = 0;                      // of the samples, subsets and orders
  gan::Subset split = gan::Subset::test;  // the real images that fakes are compared with
  std::string inception = {};             // a file of weights; empty: only the built-in judge looks
  std::vector<Convention> conventions = {Convention::tf};
  std::string cache = {};  // folder of trained judges; empty: cache_folder()
  bool asked = false;      // the samples are of classes that were asked for: their labels
};
// UsageError for what no data could answer: fewer samples than scores need, no convention.
void check_request(const Request& request);

// Told of long work: what is being done, and how far. May be empty.
using Announcer = std::function<void(const std::string& what, int64_t done, int64_t total)>;

class Evaluation {
 public:
  // The two subsets of a data set; the same one twice where there is only one. UsageError for a metric that cannot be
  // had of this data, DataError for weights that cannot be read: before any work.
  Evaluation(gan::DataSetPtr train, gan::DataSetPtr test, Request request, Announcer announce = {});
  ~Evaluation();
  Evaluation(Evaluation&&) noexcept;

  // A score for each metric asked for, in that order; one for each convention where Inception looks.
  std::vector<Score> scores(const Pictures& fakes);
  // Of what a view makes, `count` samples or as many as there are rows of `held_out` for it to start from.
  std::vector<Score> scores(gan::Recipe& recipe, const gan::View& view, const gan::DataSet& held_out,
                            const std::string& name);

  // The `count` real images that the discriminator doubts most, the least likely first, then as many that it is surest
  // of, the surest last, (2*count, H, W, C): modes that the generator misses are among the latter, where nothing ever
  // taught D to doubt. Undefined when the recipe has no discriminator or there are fewer than 2*count images.
  Tensor extreme_reals(gan::Recipe& recipe, int64_t count);

  // A line for people about each network that has looked so far.
  std::vector<std::string> lookers() const;

  // Trains the judge now if a metric will ask for it, not in the middle of something else.
  void prepare();

  // The judge of this data, trained when first asked for. UsageError when it has no labels.
  const Judge& judge();
  // The two subsets.
  const gan::DataSetPtr& train() const;
  const gan::DataSetPtr& test() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// For people: "23.41  (tf, 10,000 real, 10,000 fake, test, weights 0123456789abcdef)".
std::string line_of(const Score& score);

// ---- two sets of images ---------------------------------------------------------------------------------------------

// What a Frechet distance needs of a set, and who looked at it.
struct Statistics {
  Gaussian gaussian;
  std::string name;                   // of the set
  std::string extractor, convention;  // "inception", "tf"
  std::string weights;                // hash
  std::string split = {};             // of a data set: "test"
};
Statistics statistics_of(const Extractor& extractor, const Pictures& pictures, const Ticker& ticker = {});
void save_statistics(const std::string& path, const Statistics& statistics);  // safetensors, atomically
Statistics load_statistics(const std::string& path);                          // DataError when it is not such a file
// "fid", or "fcd" where the judge looked. DataError when they were not made by one network with one convention.
Score frechet_score(const Statistics& a, const Statistics& b);

}  // namespace forger::metrics
