// Walks through the latent space, from one latent to the next along the sphere that they lie on (Shoemake 1985; for GANs
// White 2016, arXiv:1609.04468):
//
//   z(t) = (sin((1 - t) w) a + sin(t w) b) / sin(w),   w the angle between a and b
//
// The straight line passes near the origin, where a Gaussian in many dimensions has next to no mass and the generator
// was never trained. Between two classes or captions there is nothing: they stay what they are until the next latent.
#pragma once
#include <vector>

#include "gan/image.h"
#include "gan/recipe.h"

namespace forger::gan {

// What the view draws, `count` walks of `steps` rows, one after the other: each between two latents of its own.
Batch walks(const View& view, int64_t count, int64_t steps, Random& random);
// One walk of `stops` times `steps` rows through so many latents and back to the first: the row after the last is the
// first.
Batch loop(const View& view, int64_t stops, int64_t steps, Random& random);
// Several such loops side by side, of what the view makes first, in 8 bits.
std::vector<Image> film_of_walks(Recipe& recipe, const View& view, int64_t count, int64_t stops, int64_t steps,
                                 Random& random);

}  // namespace forger::gan
