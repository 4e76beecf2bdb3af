// The metrics, by name: a row each says what it needs, what it gives and how it is computed.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gan/data.h"
#include "gan/score.h"
#include "metrics/preprocess.h"

namespace forger::metrics {

class Comparison;
struct FeatureCache;

// What a metric compares.
enum class Space : uint8_t {
  pixels,
  inception,           // Inception's features or logits, under each convention asked for
  judge,               // the built-in judge's
  features,            // Inception's where its weights are given, else the judge's
  features_or_pixels,  // the same; pixels where there are neither
  plane,               // points (N, 2): no images
  letters,             // words: no images
  pixels_and_features  // pixels, and the features of the judge, else Inception's, where there are any
};

// Where a metric belongs to the usual ones: by who there is to extract features.
enum Usual : uint8_t { never = 0, with_inception = 1, with_judge = 2, with_neither = 4 };

struct Metric {
  std::string name;   // "fid"
  std::string title;  // one line
  bool lower_is_better = false;
  Space space = Space::pixels;
  int usual = never;
  bool needs_held_out = false;  // real images that training has not seen
  bool needs_asked = false;     // samples of which a class was asked for
  size_t curves = 1;            // how many of its values, from the first on, are scores by themselves
  // Of the fakes in the comparison; `features` is null where pixels are compared. What is known of any score is
  // written already.
  void (*compute)(Comparison& comparison, FeatureCache* features, gan::Score& score) = nullptr;
};
const std::vector<Metric>& metric_table();
const Metric& find_metric(const std::string& name);                // UsageError with the nearest one
std::vector<std::string> parse_metrics(const std::string& names);  // "fid,kid": UsageError for an unknown one

struct Request {
  std::vector<std::string> metrics;
  int64_t count = 10'000;                 // samples; as many real images, if there are
  uint64_t seed = 0;                      // of the samples, subsets and orders
  gan::Subset split = gan::Subset::test;  // the real images that fakes are compared with
  std::string inception = {};             // a file of weights; empty: only the built-in judge has features
  std::vector<Convention> conventions = {Convention::tf};
  std::string cache = {};  // folder of trained judges; empty: cache_folder()
  bool asked = false;      // the samples are of classes that were asked for: their labels
};
// What these images allow where nothing is asked for by name.
std::vector<std::string> usual_metrics(const gan::DataSet& images, const Request& request);
// UsageError for what no data could answer: fewer samples than scores need, no convention.
void check_request(const Request& request);
// UsageError for a metric that cannot be had of these images. `has_split`: some of them are held out.
void check_metric(const Metric& metric, const Request& request, const gan::DataSet& images, bool has_split);

}  // namespace forger::metrics
