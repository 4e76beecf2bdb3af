// A pool of past fakes that the discriminator sees again, so that it does not forget what the generator has stopped
// making (Shrivastava et al. 2017, arXiv:1612.07828, section 2.3): with even odds a fake is shown as it is, or goes
// into the pool in exchange for one from there. While the pool fills, all are shown and all are kept.
//
// Sample i of a batch of n has the places i, n + i, 2n + i, ... to itself, so that no two want the same one. How full
// the pool is is a number on the device: every step does the same and can be recorded.
#pragma once
#include "core/random.h"

namespace forger::gan {

class Replay {
 public:
  Replay() = default;  // no pool: fakes pass as they are
  // pool (rounds, n, ...sample) and filled (), the rounds that it has seen: memory of a run, zeros at first.
  Replay(Tensor pool, Tensor filled);

  void draw(Random& random);                // decides for the batch that comes next
  Tensor shown(const Tensor& fakes) const;  // (n, ...sample): what D sees in their place; changes nothing
  void keep(const Tensor& fakes);           // puts into the pool what belongs there
  bool empty() const { return !pool_.defined(); }

 private:
  Tensor pool_, filled_;
  Tensor rounds_;  // (rounds, 1, 1): 0, 1, ...
  Tensor place_;   // (rounds, n, 1): 1 at the place of each sample
  Tensor swap_;    // (1, n, 1): 1 where the pool's is shown
  Tensor moved_;   // (rounds, n, 1): 1 at places that take the sample
};

}  // namespace forger::gan
