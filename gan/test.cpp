#include "gan/test.h"

#include <algorithm>

namespace forger::gan {

Scalars test_scalars(Recipe& recipe, const DataSet& held_out, int64_t most) {
  constexpr int64_t at_once = 64;
  constexpr uint64_t seed = 0;  // always the same rows, of the whole set: folders are sorted by class
  const std::vector<int64_t> order = Random(seed).permutation(held_out.count());
  const int64_t total = std::min(most, held_out.count());
  Scalars means;
  for (int64_t first = 0; first < total; first += at_once) {
    const int64_t rows = std::min(at_once, total - first);
    const Scalars found = look_at(recipe.measure(
        read_rows(held_out, std::span(order).subspan(static_cast<size_t>(first), static_cast<size_t>(rows)))));
    if (found.empty()) return {};
    if (means.empty()) means = Scalars(found.size());
    for (size_t i = 0; i < found.size(); i++) {
      means[i].name = found[i].name;
      means[i].value += found[i].value * static_cast<double>(rows) / static_cast<double>(total);
    }
  }
  return means;
}

}  // namespace forger::gan
