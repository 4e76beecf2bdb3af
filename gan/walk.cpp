#include "gan/walk.h"

#include <algorithm>
#include <cmath>

#include "core/ops.h"

namespace forger::gan {
namespace {

// a, b (1, ...): two latents; t in [0, 1]
Tensor slerp(const Tensor& a, const Tensor& b, double t) {
  const double dot = sum(a * b).item(), lengths = norm(a).item() * norm(b).item();
  const double angle = std::acos(std::clamp(lengths > 0 ? dot / lengths : 1, -1.0, 1.0));
  const double sine = std::sin(angle);
  if (sine < 1e-6) return a * (1 - t) + b * t;  // parallel: the sphere is flat here
  return a * (std::sin((1 - t) * angle) / sine) + b * (std::sin(t * angle) / sine);
}

// One of several ways, by which of what was drawn it begins and ends with.
struct Way {
  int64_t from, to;
};

// Of numbers: `steps` rows along each way, the first latent included, the last one where `closed`.
Tensor between(const Tensor& latents, const std::vector<Way>& ways, int64_t steps, bool closed) {
  const auto last = static_cast<double>(closed ? std::max<int64_t>(steps - 1, 1) : steps);
  std::vector<Tensor> path;
  for (const Way& way : ways) {
    const Tensor a = slice(latents, 0, way.from, way.from + 1), b = slice(latents, 0, way.to, way.to + 1);
    for (int64_t i = 0; i < steps; i++) path.push_back(slerp(a, b, static_cast<double>(i) / last));
  }
  return concat(path, 0);
}

// Of integers, such as classes and captions: those at the beginning of each way, all along it.
Tensor held(const Tensor& words, const std::vector<Way>& ways, int64_t steps) {
  const Tensor numbers = to(words, Device::cpu);
  std::vector<int64_t> sizes(numbers.shape().begin(), numbers.shape().end());
  sizes[0] = std::ssize(ways) * steps;
  const Tensor all(Shape(sizes), DType::i64);
  const int64_t length = numbers.numel() / numbers.size(0);
  int64_t* row = all.data<int64_t>();
  for (const Way& way : ways)
    for (int64_t i = 0; i < steps; i++, row += length)
      std::copy_n(numbers.data<int64_t>() + way.from * length, length, row);
  return all;
}

Batch along(const Batch& drawn, const std::vector<Way>& ways, int64_t steps, bool closed) {
  Batch all;
  for (const auto& [name, tensor] : drawn.tensors)
    all.add(name, tensor.dtype() == DType::i64 ? held(tensor, ways, steps) : between(tensor, ways, steps, closed));
  return all;
}

}  // namespace

Batch walks(const View& view, int64_t count, int64_t steps, Random& random) {
  std::vector<Way> ways;
  for (int64_t k = 0; k < count; k++) ways.push_back({2 * k, 2 * k + 1});
  return along(view.draw(2 * count, random), ways, steps, /*closed=*/true);
}

Batch loop(const View& view, int64_t stops, int64_t steps, Random& random) {
  std::vector<Way> ways;
  for (int64_t k = 0; k < stops; k++) ways.push_back({k, (k + 1) % stops});
  return along(view.draw(stops, random), ways, steps, /*closed=*/false);
}

std::vector<Image> film_of_walks(Recipe& recipe, const View& view, int64_t count, int64_t stops, int64_t steps,
                                 Random& random) {
  std::vector<PictureBuilder> pictures(static_cast<size_t>(stops * steps), PictureBuilder(count));
  for (int64_t walk = 0; walk < count; walk++) {
    const Tensor made = make_all(recipe, view, loop(view, stops, steps, random));
    for (int64_t k = 0; k < std::ssize(pictures); k++) pictures[static_cast<size_t>(k)].add(slice(made, 0, k, k + 1));
  }
  std::vector<Image> frames;
  for (const PictureBuilder& picture : pictures) frames.push_back(picture.picture());
  return frames;
}

}  // namespace forger::gan
