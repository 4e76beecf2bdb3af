#include "metrics/directions.h"

#include <algorithm>

#include "core/ops.h"
#include "metrics/extractor.h"
#include "metrics/linear_algebra.h"

namespace forger::metrics {

std::vector<int64_t> classes_of(const Judge& judge, const Tensor& images) {
  std::vector<int64_t> classes;
  for (const double c : argmax(extract(judge, pictures_of(images, "samples")).logits).to_vector())
    classes.push_back(static_cast<int64_t>(c));
  return classes;
}

Tensor towards_class(const Tensor& z, const std::vector<int64_t>& classes, int64_t target, const std::string& name) {
  constexpr int64_t least = 5;
  const auto there = std::ranges::count(classes, target), others = std::ssize(classes) - there;
  check<UsageError>(there >= least && others >= least, "of ", std::ssize(classes), " samples the judge takes ", there,
                    " for ", name, ": a direction towards it takes at least ", least, ", and as many others");
  std::vector<double> weights;  // of each z in the difference of means
  for (const int64_t c : classes) weights.push_back(1.0 / static_cast<double>(c == target ? there : -others));
  const Tensor difference = reshape(
      matmul(from_values({1, std::ssize(classes)}, weights), cast(to(z, Device::cpu), DType::f32)), {z.size(1)});
  return difference / norm(difference).item();
}

Tensor principal_directions(gan::Recipe& recipe, const gan::View& view, int64_t count, Random& random,
                            const Ticker& ticker) {
  constexpr int64_t points = 8;
  constexpr double h = 0.05;  // of z ~ N(0, 1): what float32 rounds off does not count
  const gan::Batch draws = view.draw(points, random);
  const int64_t latent = draws["z"].size(1);
  check<UsageError>(count <= latent, "z has ", latent, " dimensions: there is no direction ", count);
  Tensor m = zeros({latent, latent}, DType::f64);
  for (int64_t p = 0; p < points; p++) {
    if (ticker) ticker(p, points);
    const gan::Batch here = gan::pick_rows(draws, std::vector<int64_t>(static_cast<size_t>(latent), p));
    const auto at = [&](double offset) {  // (latent, pixels): row j has z_j moved by `offset`
      const Tensor step = affine(gan::one_hot_rows(latent), offset, 0);
      std::vector<Tensor> parts;
      gan::make_in_parts(recipe, view, gan::with_latent(here, cast(here["z"], DType::f32) + step),
                         [&](const gan::Batch&, const gan::Batch& made) {
                           parts.push_back(flatten(to(made.tensors.front().tensor, Device::cpu)));
                         });
      return cast(concat(parts, 0), DType::f64);
    };
    const Tensor j = (at(h) - at(-h)) * (0.5 / h);
    m = m + matmul(j, j, false, /*trans_b=*/true);
  }
  return cast(from_values({count, latent}, principal_axes(m.to_vector(), latent, count), DType::f64), DType::f32);
}

}  // namespace forger::metrics
