#include "gan/agreement.h"

#include <vector>

#include "core/ops.h"

namespace forger::gan {
namespace {

// i64 (N): for each picture the row of the nearest of `among`, by squared distance, of which |x|^2 is the same for all.
Tensor nearest(const Tensor& x, const Tensor& among) {
  const Tensor rows = flatten(among);
  return argmax(2 * matmul(flatten(x), rows, false, true) - sum(square(rows), {1}));
}

}  // namespace

Tensor moved_on(const Tensor& x) {
  return concat(std::vector<Tensor>{slice(x, 0, 1, x.size(0)), slice(x, 0, 0, 1)}, 0);
}

Readings agreement(const Tensor& a, const Tensor& b, const Batch& held_out) {
  if (!held_out.has("a.truth")) return {};
  const Tensor like_a = nearest(a, held_out["a.image"]), truth = gather(held_out["a.truth"], like_a);
  Readings readings{{"pair.l1", l1_loss(b, truth)}, {"pair.l1_shuffled", l1_loss(moved_on(b), truth)}};
  if (!held_out.has("a.label") || !held_out.has("b.label")) return readings;
  const auto classes_of = [&](const Tensor& nearest_rows, const char* label) {
    const std::vector<double> known = held_out[label].to_vector();
    std::vector<double> classes;
    for (const double row : nearest_rows.to_vector()) classes.push_back(known[static_cast<size_t>(row)]);
    return from_values({std::ssize(classes)}, classes, a.dtype() == DType::f64 ? DType::f64 : DType::f32);
  };
  const Tensor of_a = classes_of(like_a, "a.label"), of_b = classes_of(nearest(b, held_out["b.image"]), "b.label");
  readings.push_back({"pair.class", mean(equal(of_a, of_b))});
  readings.push_back({"pair.class_shuffled", mean(equal(of_a, moved_on(of_b)))});
  return readings;
}

}  // namespace forger::gan
