// Modes that are missing, of points (N, 2) of float32 on the CPU.
//
// Nothing depends on the number of threads. ShapeError for arguments that do not fit each other, DataError for too few
// rows and for elements that are not finite.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.h"
#include "gan/data.h"
#include "gan/score.h"

namespace forger::metrics {

// Modes of a mixture in the plane: a sample is of high quality within 3 standard deviations of the nearest mode; a mode
// is covered when it gets one (Srivastava et al. 2017, arXiv:1705.07761). Between two modes the first counts.
struct ModeCoverage {
  int64_t modes = 0, covered = 0;
  double high_quality = 0;       // share of samples
  std::vector<int64_t> samples;  // of high quality, by mode
};
ModeCoverage mode_coverage(const Tensor& points, std::span<const std::array<double, 2>> centres, double stddev);

// The metric "mixture": of samples (N, 2), modes covered and the share of high quality.
gan::Score mixture_score(const Tensor& points, const gan::Mixture& mixture);

}  // namespace forger::metrics
