// Can a score be believed? Real images are damaged more and more, and the distance to undamaged ones must rise with
// every step: the experiment of Heusel et al. 2017, appendix A1, on the user's own data and with the judge's own eyes.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "metrics/judge.h"

namespace forger::metrics {

// ---- damage: each returns the pictures, spoilt; the same seed, the same damage; level 0 leaves them as they are ----

Pictures with_noise(const Pictures& pictures, double stddev, uint64_t seed);  // Gaussian, [-1, 1] being the range
Pictures with_blur(const Pictures& pictures, double sigma);                   // Gaussian, in pixels; edges go on
Pictures with_salt_and_pepper(const Pictures& pictures, double share, uint64_t seed);  // of pixels: black or white
Pictures with_duplicates(const Pictures& pictures, int64_t distinct);                  // the first ones again and again
Pictures without_classes(const Pictures& pictures, int64_t dropped);                   // classes 0 ... dropped - 1

// ---- curves ----

struct SanityCurve {
  std::string title, axis;                        // "Gaussian noise", "standard deviation"
  std::vector<std::pair<double, double>> points;  // level, FCD to undamaged training images
  bool rises() const;                             // at every step
};
// Five curves on up to `count` images of the test set, against as many of the training set.
std::vector<SanityCurve> sanity_curves(const Judge& judge, const gan::DataSetPtr& train, const gan::DataSetPtr& test,
                                       int64_t count, const Ticker& ticker = {});
// All of them side by side, as one SVG that follows the colours of the page it stands in.
std::string draw(const std::vector<SanityCurve>& curves);

}  // namespace forger::metrics
