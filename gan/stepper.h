// Takes a recipe from step to step: each one run as it is written, or the second one recorded and from then on replayed
// as a CUDA graph. Both give the same bits.
#pragma once
#include <memory>
#include <vector>

#include "core/graph.h"
#include "gan/data.h"
#include "gan/recipe.h"

namespace forger::gan {

class Stepper {
 public:
  // A graph needs a device that records: step() throws DeviceError on the CPU.
  Stepper(Recipe& recipe, Loader& loader, bool graph);

  // One training step. Its batches are there before it begins, but for the first one's: data that cannot be read leaves
  // the networks between two steps. Readings hold until the next one. `checked`: losses are looked at before they are
  // acted on, and NonFiniteError names the op that made the first NaN; a step that is not checked, or replayed, never
  // waits.
  Readings step(bool checked);

 private:
  Batch next_batch();
  void record();

  Recipe& recipe_;
  Loader& loader_;
  bool graph_;
  size_t draws_ = 0;                       // batches of a step, known after the first
  std::vector<Batch> inputs_;              // of a recorded step: written in place before each replay
  uint64_t first_block_ = 0, blocks_ = 0;  // of random numbers: where the recorded step began, how many it draws
  Readings readings_;
  std::unique_ptr<RecordedOps> recorded_;
};

}  // namespace forger::gan
