#include "metrics/linear_probe.h"

#include "core/ops.h"
#include "metrics/linear_algebra.h"
#include "metrics/probe.h"

namespace forger::metrics {

double linear_probe(const Tensor& codes, const std::vector<int64_t>& labels, const Tensor& unseen,
                    const std::vector<int64_t>& truths, int64_t classes) {
  constexpr double ridge = 1e-3, least_variance = 1e-20;
  const int64_t n = codes.size(0), length = codes.size(1);
  const Tensor x = cast(codes, DType::f64), centre = mean(x, {0}, /*keepdim=*/true),
               scale = reciprocal(sqrt(variance(x, {0}, /*keepdim=*/true) + least_variance));
  const auto standard = [&](const Tensor& code) { return (cast(code, DType::f64) - centre) * scale; };
  const Tensor eye = cast(gan::one_hot_rows(classes), DType::f64), y = gather(eye, from_indices(labels)),
               mean_y = mean(y, {0}, /*keepdim=*/true), seen = standard(codes);
  const double each = 1 / static_cast<double>(n);
  const Tensor a = each * matmul(seen, seen, true) + ridge * cast(gan::one_hot_rows(length), DType::f64),
               b = each * matmul(seen, y - mean_y, true);
  const Tensor w = from_values({length, classes}, solve(a.to_vector(), b.to_vector(), length, classes), DType::f64);
  return share_of_equal(argmax(matmul(standard(unseen), w) + mean_y), from_indices(truths));
}

std::vector<gan::Score> linear_probe_scores(gan::Recipe& recipe, gan::Recipe& fresh, const gan::DataSet& train,
                                            const gan::DataSet& held_out, int64_t count) {
  const std::vector<gan::View> views = recipe.views();
  const gan::View* encode = gan::find_view(views, "encode");
  if (encode == nullptr || train.classes() < 2 || held_out.classes() != train.classes()) return {};
  const auto labels_of = [](const gan::DataSet& data, const std::vector<int64_t>& rows) {
    std::vector<int64_t> labels;
    for (const int64_t row : rows) labels.push_back(data.label(row));
    return labels;
  };
  constexpr uint64_t seed = 0;
  const std::vector<int64_t> seen = some_rows(train, count, seed), unseen = some_rows(held_out, count, seed),
                             labels = labels_of(train, seen), truths = labels_of(held_out, unseen);
  const auto probed = [&](gan::Recipe& of) {
    const gan::View view = gan::view_of(of, "encode");
    return linear_probe(made_of(of, view, train, seen), labels, made_of(of, view, held_out, unseen), truths,
                        train.classes());
  };
  return {{.metric = "probe",
           .values = {{"probe", probed(recipe)}, {"untrained", probed(fresh)}},
           .reals = std::ssize(unseen),
           .remark = text("share of held-out pictures whose class a linear classifier names by their codes, fitted on ",
                          gan::thousands(std::ssize(seen)), " others")}};
}

}  // namespace forger::metrics
