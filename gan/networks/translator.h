// The translators of CycleGAN (Zhu, Park, Isola, Efros 2017, arXiv:1703.10593, section 7.2; after Johnson et al. 2016),
// and of DiscoGAN (Kim et al. 2017, arXiv:1703.05192).
#pragma once
#include <memory>

#include "gan/networks/shapes.h"

namespace forger::gan {

// (N, H, W, in_channels) -> (N, H, W, out_channels) in [-1, 1], sides that halve twice:
//
//   7x7, width -- halve, 2 width -- halve, 4 width -- `blocks` residual blocks
//     -- double, 2 width -- double, width -- 7x7
//
// Instance norm and ReLU after each but the last, tanh at the end; the 7x7 and 3x3 windows see the image reflected at
// its edges. Convolutions that halve and double are 4x4 here, where the paper's are 3x3.
std::shared_ptr<nn::Sequential> resnet_translator(int64_t in_channels, int64_t out_channels, int64_t width,
                                                  int64_t blocks, Random& random);
// Its halves: to the map between, (N, H/4, W/4, 4 width), and on from there, with `blocks` of their own.
std::shared_ptr<nn::Sequential> resnet_encoder(int64_t in_channels, int64_t width, int64_t blocks, Random& random);
std::shared_ptr<nn::Sequential> resnet_decoder(int64_t out_channels, int64_t width, int64_t blocks, Random& random);

// DiscoGAN's: 4x4 stride-2 convolutions to the smallest map, width * {1, 2, 4, ...} channels, LeakyReLU 0.2 and batch
// norm but after the first; transposed ones back, batch norm and ReLU, tanh at the end. Nothing goes past that map.
std::shared_ptr<nn::Sequential> encoder_decoder(int64_t in_channels, int64_t out_channels, int64_t width, Extent size,
                                                Random& random);

}  // namespace forger::gan
