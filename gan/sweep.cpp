#include "gan/sweep.h"

#include <vector>

#include "core/ops.h"

namespace forger::gan {

Batch in_turn(const Batch& one, const std::string& category, int64_t kinds, int64_t n) {
  std::vector<int64_t> classes;
  for (int64_t i = 0; i < n; i++) classes.push_back(i % kinds);
  const Tensor first =
      to(from_indices(std::vector<int64_t>(static_cast<size_t>(n), 0)), one.tensors.front().tensor.device());
  Batch rows;
  for (const auto& [name, tensor] : one.tensors)
    rows.add(name, name == category ? from_indices(classes) : gather(tensor, first));
  return rows;
}

Batch sweep(const Batch& from, const std::string& code, int64_t k, const std::function<Tensor(const Batch&)>& make) {
  constexpr int64_t pictures = 10;
  const Tensor& start = from[code];
  const Tensor unit = to(cast(slice(one_hot_rows(start.size(1)), 0, k, k + 1), start.dtype()), start.device());
  Batch made;
  for (int64_t i = 0; i < pictures; i++) {
    const double value = -1 + 2 * static_cast<double>(i) / (pictures - 1);
    Batch moved;
    for (const auto& [name, tensor] : from.tensors)
      moved.add(name, name == code ? start * (1 - unit) + value * unit : tensor);
    made.add(text("image ", i + 1), make(moved));
  }
  return made;
}

}  // namespace forger::gan
