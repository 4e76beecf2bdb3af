#include "metrics/mode_coverage.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "metrics/distances.h"

namespace forger::metrics {

ModeCoverage mode_coverage(const Tensor& points, std::span<const std::array<double, 2>> centres, double stddev) {
  const Rows rows = rows_of(points, "mode_coverage", "points");
  check<ShapeError>(rows.dims == 2, "[mode_coverage] points must be (N, 2), got ", points.shape());
  check<UsageError>(!centres.empty() && std::isfinite(stddev) && stddev > 0,
                    "[mode_coverage] expects modes with a standard deviation above 0, got ", centres.size(), " with ",
                    stddev);
  ModeCoverage result{.modes = std::ssize(centres), .samples = std::vector<int64_t>(centres.size())};
  int64_t good = 0;
  for (int64_t i = 0; i < rows.count; i++) {
    size_t mode = 0;
    double nearest = std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < centres.size(); k++) {
      const double distance = std::hypot(rows.at(i)[0] - centres[k][0], rows.at(i)[1] - centres[k][1]);
      if (distance < nearest) nearest = distance, mode = k;
    }
    if (nearest > 3 * stddev) continue;
    good++, result.samples[mode]++;
  }
  result.covered = std::count_if(result.samples.begin(), result.samples.end(), [](int64_t n) { return n > 0; });
  result.high_quality = static_cast<double>(good) / static_cast<double>(rows.count);
  return result;
}

gan::Score mixture_score(const Tensor& points, const gan::Mixture& mixture) {
  const ModeCoverage found = mode_coverage(points, mixture.centres, mixture.stddev);
  return {.metric = "mixture",
          .values = {{"covered", static_cast<double>(found.covered)}, {"quality", found.high_quality}},
          .fakes = points.size(0),
          .remark = text(found.covered, " of ", found.modes,
                         " modes; quality: the share of samples within 3 standard "
                         "deviations of one")};
}

}  // namespace forger::metrics
