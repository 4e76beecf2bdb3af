#include "metrics/frechet_file.h"

#include <algorithm>

#include "core/autograd.h"
#include "core/utf8.h"
#include "metrics/statistics.h"
#include "nn/checkpoint.h"

namespace forger::metrics {

Statistics statistics_of(const Extractor& extractor, const Pictures& pictures, const Ticker& ticker) {
  check<DataError>(pictures.count >= 2, pictures.name, ": a distance needs at least 2 images, there ",
                   pictures.count == 1 ? "is 1" : "are none");
  const NoGrad no_grad;
  std::optional<Moments> moments;
  extract(
      extractor, pictures,
      [&](const Activations& found) {
        if (!moments) moments.emplace(found.features.size(1));
        moments->add(found.features);
      },
      ticker);
  return {moments->gaussian(), pictures.name, extractor.name(), extractor.convention(), extractor.hash()};
}

namespace {
constexpr const char* statistics_format = "forger statistics";

Tensor tensor_of(const std::vector<double>& values, const Shape& shape) {
  const Tensor t(shape, DType::f64);
  std::copy(values.begin(), values.end(), t.data<double>());
  return t;
}
}  // namespace

void save_statistics(const std::string& path, const Statistics& s) {
  const int64_t d = s.gaussian.dims();
  nn::Checkpoint file;
  file.tensors = {{"mean", tensor_of(s.gaussian.mean, {d})}, {"covariance", tensor_of(s.gaussian.covariance, {d, d})}};
  file.metadata = {{"format", statistics_format},
                   {"name", to_utf8(s.name)},
                   {"count", std::to_string(s.gaussian.count)},
                   {"extractor", s.extractor},
                   {"convention", s.convention},
                   {"weights", s.weights},
                   {"split", s.split}};
  nn::save_checkpoint(path, file);
}

Statistics load_statistics(const std::string& path) {
  const nn::Checkpoint file = nn::load_checkpoint(path);
  const auto field = [&](const char* key) {
    const auto found = file.metadata.find(key);
    check<DataError>(found != file.metadata.end(), "'", path, "' holds no statistics: its metadata has no '", key,
                     "' (forger stats makes such files)");
    return found->second;
  };
  check<DataError>(field("format") == statistics_format, "'", path,
                   "' holds no statistics (forger stats makes such files)");
  const Tensor *mean = file.find("mean"), *covariance = file.find("covariance");
  const int64_t d = mean ? mean->numel() : 0;
  check<DataError>(mean && covariance && mean->rank() == 1 && covariance->shape() == Shape({d, d}) &&
                       mean->dtype() == DType::f64 && covariance->dtype() == DType::f64,
                   "'", path, "' holds no statistics: it needs float64 tensors mean (D) and covariance (D, D)");
  char* end = nullptr;
  const std::string digits = field("count");
  const int64_t count = std::strtoll(digits.c_str(), &end, 10);
  check<DataError>(!digits.empty() && !*end && count > 1, "'", path, "': its count is '", digits, "'");
  return {{count, mean->to_vector(), covariance->to_vector()},
          field("name"),
          field("extractor"),
          field("convention"),
          field("weights"),
          field("split")};
}

std::string rank_remark(int64_t reals, int64_t fakes, int64_t dims) {
  if (std::min(reals, fakes) > dims) return {};
  return text("fewer than ", gan::thousands(dims + 1),
              " images: the covariance is not of full rank and the score is too high; compare at equal N only");
}

gan::Score frechet_score(const Statistics& a, const Statistics& b) {
  const auto network = [](const Statistics& s) {
    return text(s.extractor, ", ", s.convention, ", weights ", s.weights);
  };
  check<DataError>(network(a) == network(b), a.name, " was seen by ", network(a), " and ", b.name, " by ", network(b),
                   ": only one network's features with one convention can be compared");
  gan::Score s{.metric = a.extractor == "judge" ? "fcd" : "fid", .values = {}};
  s.values = {{s.metric, frechet_distance(a.gaussian, b.gaussian)}};
  s.reals = a.gaussian.count, s.fakes = b.gaussian.count;
  s.convention = a.extractor == "judge" ? "judge" : a.convention;
  s.weights = a.weights;
  s.split = a.split == b.split ? a.split : a.split + (a.split.empty() || b.split.empty() ? "" : " and ") + b.split;
  s.remark = rank_remark(s.reals, s.fakes, a.gaussian.dims());
  return s;
}

}  // namespace forger::metrics
