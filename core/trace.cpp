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
  Op noted{op, std::exchange(with_, {}), {inputs.begin(), inputs.end()}, output};
  for (Tensor& input : std::exchange(more_, {})) noted.inputs.push_back(std::move(input));
  if (hidden_ == 0) ops_.push_back(std::move(noted));
}

Tensor Trace::Whole::noted(const char* op, const Tensor& output, std::initializer_list<Tensor> inputs,
                           Attributes with) const {
  if (trace_ && trace_->hidden_ == 1) trace_->ops_.push_back({op, std::move(with), inputs, output});
  return output;
}

}  // namespace forger
