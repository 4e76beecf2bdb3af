#include "gan/stepper.h"

#include <optional>

#include "gan/player.h"

namespace forger::gan {

Stepper::Stepper(Recipe& recipe, Loader& loader, bool graph) : recipe_(recipe), loader_(loader), graph_(graph) {}

Batch Stepper::next_batch() { return recipe_.here(loader_.next()); }

Readings Stepper::step(bool checked) {
  if (!graph_) {
    std::optional<UncheckedUpdates> unchecked;
    if (!checked) unchecked.emplace();
    std::vector<Batch> batches;
    for (size_t i = 0; i < draws_; i++) batches.push_back(next_batch());
    size_t taken = 0;
    const Readings readings =
        recipe_.step([&] { return taken++ < batches.size() ? batches[taken - 1] : next_batch(); });
    draws_ = taken;
    return readings;
  }
  if (inputs_.empty()) {  // the first step runs as written: memory that is made on demand is there afterwards
    const UncheckedUpdates unchecked;
    return recipe_.step([this] {
      inputs_.push_back(next_batch());
      return inputs_.back();
    });
  }
  for (const auto& player : recipe_.players()) player->optimizer().upload_lr();
  if (!recorded_) record();
  for (const Batch& input : inputs_) {
    const Batch batch = cast(loader_.next(), recipe_.dtype());
    for (size_t k = 0; k < input.tensors.size(); k++)
      copy_into(input.tensors[k].tensor, batch.tensors[k].tensor, "next batch");
  }
  kernels::DeviceRuntime& runtime = kernels::runtime(recipe_.device());
  runtime.set_random_offset(recipe_.random().block - first_block_);
  recorded_->replay();
  runtime.set_random_offset(0);
  recipe_.random().block += blocks_;
  return readings_;
}

void Stepper::record() {
  const UncheckedUpdates unchecked;
  first_block_ = recipe_.random().block;
  size_t i = 0;
  recorded_ =
      std::make_unique<RecordedOps>(recipe_.device(), [&] { readings_ = recipe_.step([&] { return inputs_[i++]; }); });
  blocks_ = recipe_.random().block - first_block_;
  recipe_.random().block = first_block_;
}

}  // namespace forger::gan
