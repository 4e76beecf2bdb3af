#include "gan/previews.h"

#include <algorithm>

#include "gan/words.h"

namespace forger::gan {
namespace {

// What the system knows of each cell of the plane, (n, n): the density there, or else what the discriminator says.
// Undefined where nobody judges points.
Tensor over_the_plane(Recipe& recipe) {
  constexpr int64_t n = 64;
  const std::vector<View> views = recipe.views();
  const View* view = find_view(views, "density");
  if (view == nullptr) view = find_view(views, "judge");
  if (view == nullptr || view->given != std::vector<std::string>{"point"}) return {};
  const Batch made = recipe.make(*view, Batch().add("point", cell_centres(n, plane_extent)));
  return reshape(made.tensors.front().tensor, {n, n});
}

constexpr uint64_t preview_stream = 2;  // of the run's seed; stream 0 is the training's, the loader has its own

}  // namespace

Previews::Previews(Recipe& recipe, const Settings& settings, const DataSet& data,
                   const std::function<const DataSet&()>& held_out) {
  Random noise(static_cast<uint64_t>(settings.integer("seed")), preview_stream);
  const int64_t count = settings.integer("previews");
  for (const View& view : recipe.views()) {
    if (view.like.empty()) continue;
    Batch from;
    if (view.draw) from = view.draw(count, noise);
    if (!view.given.empty()) {
      const int64_t there = held_out().count(), rows = view.draw ? count : std::min(count, there);
      check<UsageError>(rows <= there, "--previews ", count, " is more than the data holds out: ", there);
      const Batch given = read_rows(held_out(), 0, rows, columns_of(view));
      for (const auto& [name, tensor] : given.tensors) from.add(name, tensor);
    }
    if (previews_.empty())
      reals_ = read_rows(data, 0, std::min(count, data.count()), {view.like}).tensors.front().tensor;
    const Column* words = find_words(data.columns(), view.like);
    previews_.push_back({view, from, words != nullptr ? std::optional(*words) : std::nullopt});
  }
}

Previews::Made Previews::spelled_out(Recipe& recipe, const Preview& preview) {
  Made made;
  std::vector<double> numbers;
  make_in_parts(recipe, preview.view, preview.from, [&](const Batch&, const Batch& each) {
    const Tensor& tokens = each.tensors.front().tensor;
    made.words += as_lines(spelled(*preview.words, tokens));
    const std::vector<double> more = tokens.to_vector();
    numbers.insert(numbers.end(), more.begin(), more.end());
  });
  const int64_t rows = preview.from.rows();
  made.first = from_values({rows, std::ssize(numbers) / rows}, numbers);
  return made;
}

Previews::Made Previews::make(Recipe& recipe) const {
  std::vector<Image> pictures;
  Made made;
  if (!previews_.empty() && previews_.front().words) return spelled_out(recipe, previews_.front());
  for (const auto& [view, from, words] : previews_) {
    if (words) continue;
    std::vector<Batch> parts;
    std::vector<Tensor> first;
    make_in_parts(recipe, view, from, [&](const Batch& rows, const Batch& each) {
      parts.push_back(shown(view, rows, each));
      first.push_back(to(each.tensors.front().tensor, Device::cpu));
    });
    const Tensor levels = previews_.size() == 1 && first.front().rank() == 2 ? over_the_plane(recipe) : Tensor();
    pictures.push_back(levels.defined() ? scatter_over(levels, concat(first, 0), plane_extent)
                                        : picture(joined(parts)));
    if (!made.first.defined()) made.first = concat(first, 0);
  }
  made.picture = stacked(pictures);
  return made;
}

}  // namespace forger::gan
