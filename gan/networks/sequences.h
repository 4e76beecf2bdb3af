// Networks of sequences, as Gulrajani et al. 2017 (arXiv:1704.00028, section 5.4 and their code) have them for a
// language model of characters: residual blocks of convolutions along the sequence, five letters wide, `width`
// channels. No step waits for the one before it. A sequence is an image one pixel wide, (L, 1, C). Weights start as
// PyTorch's, by which a block's body adds a sixth of what goes in: theirs adds 0.3 of a larger one.
#pragma once
#include <memory>

#include "gan/networks/norm.h"

namespace forger::gan {

// z (N, latent) -> logits of the letters, (N, L, V): a linear map to (L, 1, width), the blocks, a 1x1 convolution.
std::shared_ptr<nn::Sequential> sequence_generator(int64_t latent, int64_t width, int64_t blocks, const Shape& rows,
                                                   Random& random);
// Rows (N, L, V), one-hot or between such -> (N): a 1x1 convolution, the blocks, a linear map of all that is left.
std::shared_ptr<nn::Sequential> sequence_critic(int64_t width, int64_t blocks, const Shape& rows, DNorm norm,
                                                Random& random);

}  // namespace forger::gan
