// A Frechet distance between two sets of images, and files of what it needs of a set.
#pragma once
#include <string>

#include "gan/score.h"
#include "metrics/extractor.h"
#include "metrics/moments.h"

namespace forger::metrics {

// What a Frechet distance needs of a set, and which network it was that extracted the features.
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
// "fid", or "fcd" of the judge's features. DataError when they were not made by one network with one convention.
gan::Score frechet_score(const Statistics& a, const Statistics& b);
// Of a Frechet distance in so many dimensions: empty unless there are too few images for it.
std::string rank_remark(int64_t reals, int64_t fakes, int64_t dims);

}  // namespace forger::metrics
