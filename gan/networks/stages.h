// What DCGAN's networks and those after them are made of, stage by stage. Weights are N(0, 0.02).
#pragma once
#include "gan/networks/dropout.h"
#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// Appends stages of a generator: a transposed convolution, batch norm and ReLU, dropout where there is noise for it. The
// first one makes a map of `smallest`, each further one doubles it. Initialise the whole network afterwards.
class GeneratorStages {
 public:
  GeneratorStages(Extent smallest, Random& random, DropoutNoise* noise)
      : map_(smallest), random_(random), noise_(noise) {}
  void append(nn::Sequential& net, int64_t in, int64_t out, Extent window, const Conv2dOptions& options);

 private:
  Extent map_;  // of the stage that comes next
  Random& random_;
  DropoutNoise* noise_;
};

// Appends stages of a discriminator of images of `size`: a convolution, a norm behind it or on its weight, LeakyReLU
// 0.2. `biased`: convolutions that no norm follows have a bias.
class DiscriminatorStages {
 public:
  DiscriminatorStages(Extent size, DNorm norm, Random& random, bool biased = false)
      : map_(size), norm_(norm), random_(random), biased_(biased) {}
  // `normed`: where the norm stands between; on weights it is everywhere.
  void append(nn::Sequential& net, int64_t in, int64_t out, Extent window, const Conv2dOptions& options,
              bool normed = true);
  // A convolution alone, without activation.
  nn::LayerPtr head(int64_t in, int64_t out, Extent window, const Conv2dOptions& options);

 private:
  nn::LayerPtr conv(int64_t in, int64_t out, Extent window, const Conv2dOptions& options, bool bias);
  Extent map_;  // that the next convolution sees
  DNorm norm_;
  Random& random_;
  bool biased_;
};

}  // namespace forger::gan
