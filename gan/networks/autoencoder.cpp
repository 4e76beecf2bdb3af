#include "gan/networks/autoencoder.h"

namespace forger::gan {

Autoencoder::Autoencoder(nn::LayerPtr encoder, nn::LayerPtr decoder)
    : encoder_(child("encoder", std::move(encoder))), decoder_(child("decoder", std::move(decoder))) {}

Autoencoder::Autoencoder(int64_t code, int64_t width, int64_t channels, Extent size, Random& random)
    : encoder_(child("encoder", dcgan_encoder(code, width, channels, size, DNorm::batch, random))),
      decoder_(child("decoder", dcgan_generator(code, width, channels, size, random))) {}

}  // namespace forger::gan
