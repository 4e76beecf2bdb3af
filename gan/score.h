// What a metric (metrics/metric.h) says of a set of images; here, where a run's report can tell of it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace forger::gan {

struct Score {
  std::string metric;                                        // "fid"
  std::vector<std::pair<std::string, double>> values = {};   // the first one is the score; {"recall", 0.4} may follow
  std::vector<std::pair<std::string, double>> classes = {};  // share of the samples in each
  std::optional<double> spread = {};  // standard deviation over splits or subsets, or standard error
  int64_t reals = 0, fakes = 0;       // how many of each were compared; 0: none were needed
  std::string convention = {};        // "tf", "judge", "pixels"
  std::string weights = {};           // hash of the network whose features were taken; empty: none
  std::string split = {};             // of the real images: "test"
  std::string remark = {};            // a warning, or what else to know
  // The score under each convention, where it was asked for under several; what else is said here is of the first.
  std::vector<std::pair<std::string, double>> conventions = {};
  std::string view = {};  // of a system with several; empty: the first one's
  std::string key() const { return view.empty() ? metric : view + "." + metric; }  // "fid", "reconstruct.fid"
  double value() const { return values.front().second; }
};

// For people: "23.41  (tf, 10,000 real, 10,000 fake, test, weights 0123456789abcdef)".
std::string line_of(const Score& score);
std::string thousands(int64_t n);  // "10,000"

}  // namespace forger::gan
