#include "gan/latent.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "gan/fidelity.h"

namespace forger::gan {
namespace {

Tensor picked(const Tensor& tensor, const std::vector<int64_t>& rows) {
  const Tensor from = to(tensor, Device::cpu);
  Shape shape = from.shape();
  shape.set(0, std::ssize(rows));
  const Tensor out(shape, from.dtype());
  if (out.numel() == 0) return out;
  const size_t bytes = from.storage()->bytes() / static_cast<size_t>(from.size(0));
  auto* at = static_cast<uint8_t*>(out.storage()->data());
  for (const int64_t row : rows) {
    std::memcpy(at, static_cast<const uint8_t*>(from.storage()->data()) + static_cast<size_t>(row) * bytes, bytes);
    at += bytes;
  }
  return out;
}

// (N): the mean squared error of each.
Tensor errors(const Tensor& made, const Tensor& picture) {
  return mean(flatten(square(made - broadcast_to(picture, made.shape()))), {1});
}

int64_t least_of(const std::vector<double>& values) { return std::ranges::min_element(values) - values.begin(); }

}  // namespace

Batch pick_rows(const Batch& batch, const std::vector<int64_t>& rows) {
  Batch out;
  for (const auto& [name, tensor] : batch.tensors) out.add(name, picked(tensor, rows));
  return out;
}

Batch with_latent(const Batch& drawn, const Tensor& z) {
  Batch out;
  for (const auto& [name, tensor] : drawn.tensors) out.add(name, name == "z" ? z : tensor);
  return out;
}

Tensor moved(const Tensor& z, const Tensor& direction, double amount) {
  constexpr double least = 1e-12;  // of a squared length: a z of zeros has none to be drawn back to
  const Tensor further = z + amount * reshape(direction, {1, direction.numel()});
  return further * (norm(z, {1}, least, /*keepdim=*/true) / norm(further, {1}, least, /*keepdim=*/true));
}

Inverted invert(Recipe& recipe, const View& view, const Tensor& picture, const InversionOptions& options,
                Random& random, const std::function<void(int64_t done, int64_t total)>& ticker) {
  // Where to begin.
  std::vector<int64_t> chosen;
  const Batch draws = view.draw(options.starts * options.tried, random);
  check<UsageError>(draws.has("z"), "the view ", view.name, " draws no z to look for");
  std::vector<double> far;
  make_in_parts(recipe, view, draws, [&](const Batch&, const Batch& made) {
    const Tensor pictures = to(made.tensors.front().tensor, Device::cpu);
    check<UsageError>(pictures.rank() == 4 && slice(pictures, 0, 0, 1).shape() == picture.shape(), "the view ",
                      view.name, " makes samples of ", pictures.shape(), ", the picture is ", picture.shape());
    for (const double error : errors(pictures, picture).to_vector()) far.push_back(error);
  });
  for (int64_t s = 0; s < options.starts; s++) {
    const auto first = static_cast<size_t>(s * options.tried), last = first + static_cast<size_t>(options.tried);
    chosen.push_back(s * options.tried + least_of({far.begin() + first, far.begin() + last}));
  }

  // All of them at once: what one of them does changes nothing for another.
  const Batch starts = recipe.here(pick_rows(draws, chosen));
  Tensor z = clone(starts["z"]);
  z.set_requires_grad();
  const Tensor target = recipe.here(Batch().add("x", picture))["x"];
  const auto losses = [&] { return errors(view.make(with_latent(starts, z)).tensors.front().tensor, target); };
  {
    const Evaluating evaluating(recipe);
    nn::Adam adam({{"z", z}}, {.lr = options.rate, .beta1 = 0.9, .beta2 = 0.999});
    for (int64_t step = 0; step < options.steps; step++) {
      if (ticker) ticker(step, options.steps);
      adam.lr = options.rate * nn::cosine_schedule(step, options.steps);
      minimise(adam, {[&] { return sum(losses()); }});
    }
  }
  const Batch found = with_latent(starts, z.detach());
  const Tensor made = to(recipe.make(view, found).tensors.front().tensor, Device::cpu);
  const int64_t best = least_of(errors(made, picture).to_vector());
  Inverted inverted{.from = pick_rows(found, {best}), .made = slice(made, 0, best, best + 1)};
  inverted.psnr = psnr(inverted.made, picture).item();
  return inverted;
}

}  // namespace forger::gan
