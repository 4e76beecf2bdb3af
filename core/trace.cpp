#include "core/trace.h"

#include <utility>

namespace forger {

thread_local Trace* Trace::active_ = nullptr;

Trace::Trace() { active_ = this; }
Trace::~Trace() { active_ = nullptr; }

void Trace::announce(Attributes with, std::vector<Tensor> more) {
  with_ = std::move(with);
  more_ = std::move(more);
}

void Trace::note(const char* op, const Tensor& output, std::span<const Tensor> inputs) {
  ops_.push_back({op, std::exchange(with_, {}), {inputs.begin(), inputs.end()}, output});
  for (Tensor& input : std::exchange(more_, {})) ops_.back().inputs.push_back(std::move(input));
}

}  // namespace forger
