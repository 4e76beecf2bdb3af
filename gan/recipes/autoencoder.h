// What systems with a generator and an encoder of images share: what they let be looked at.
#pragma once
#include <functional>
#include <vector>

#include "gan/recipe.h"

namespace forger::gan {

// "sample", from what `draw` gives as "z"; "reconstruct", a picture and what comes back of it; "encode", its code.
// generate: (N, latent) -> (N, H, W, C); encode: back again.
std::vector<View> autoencoder_views(const std::function<Batch(int64_t n, Random& random)>& draw,
                                    const std::function<Tensor(const Tensor& z)>& generate,
                                    const std::function<Tensor(const Tensor& x)>& encode);

}  // namespace forger::gan
