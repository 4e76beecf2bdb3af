// Whether two pictures that were made as one, in two domains, are of one thing. What the made picture of a would be in b
// is not known; what the held-out picture of a nearest to it is in b, is.
#pragma once
#include "gan/batch.h"
#include "gan/player.h"

namespace forger::gan {

// a, b (N, H, W, C): made as pairs. Of a held-out batch that knows the truth ("a.truth"):
//   pair.l1     from each b to the truth of the a-picture nearest to its partner
//   pair.class  share of pairs whose nearest pictures, each in its own domain, are of one class ("a.label", "b.label")
// and beside them the baselines "..._shuffled": of each a beside the b of another pair. None where no truth is known.
// a may also be the held-out pictures themselves, and b what was made of them.
Readings agreement(const Tensor& a, const Tensor& b, const Batch& held_out);

// Each row in the place of the one before it, the first in that of the last: rows of other pairs.
Tensor moved_on(const Tensor& x);

}  // namespace forger::gan
