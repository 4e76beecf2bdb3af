#include "gan/networks/multi_scale.h"

#include "gan/networks/stages.h"
#include "nn/init.h"

namespace forger::gan {

Scales::Scales(int64_t channels, Extent size) {
  for (Extent map = smallest(size); map.height <= size.height; map = {2 * map.height, 2 * map.width}) {
    samples_.push_back({map.height, map.width, channels});
    numel_ += samples_.back().numel();
  }
}

Tensor Scales::pack(const Tensor& image) const {
  std::vector<Tensor> parts{flatten(image)};
  for (Tensor x = image; parts.size() < samples_.size();) {
    x = avg_pool2d(x);
    parts.insert(parts.begin(), flatten(x));
  }
  return concat(parts, 1);
}

std::vector<Tensor> Scales::unpack(const Tensor& pack) const {
  std::vector<Tensor> images;
  int64_t first = 0;
  for (const Shape& sample : samples_) {
    const Tensor part = slice(pack, 1, first, first + sample.numel());
    images.push_back(reshape(part, {pack.size(0), sample[0], sample[1], sample[2]}));
    first += sample.numel();
  }
  return images;
}

Tensor Scales::largest(const Tensor& pack) const {
  const Shape& sample = samples_.back();
  return reshape(slice(pack, 1, numel_ - sample.numel(), numel_), {pack.size(0), sample[0], sample[1], sample[2]});
}

namespace {

class Generator : public nn::Layer {
 public:
  Generator(int64_t latent, int64_t width, int64_t channels, Extent size, Random& random, DropoutNoise* noise) {
    GeneratorStages stages(smallest(size), random, noise);
    const auto block = [&](int64_t in, int64_t out, Extent window, const Conv2dOptions& options) {
      const std::string number = std::to_string(blocks_.size());
      auto layers = std::make_shared<nn::Sequential>();
      stages.append(*layers, in, out, window, options);
      blocks_.push_back(child("block" + number, layers));
      images_.push_back(
          child("image" + number, std::make_shared<nn::Conv2d>(out, channels, 1, project, random, false)));
    };
    int64_t multiple = halvings(size) / 2;
    block(latent, width * multiple, smallest(size), project);
    for (; multiple > 1; multiple /= 2) block(width * multiple, width * multiple / 2, kernel, halve);
    last_ = child("last", std::make_shared<nn::ConvTranspose2d>(width, channels, kernel, halve, random, false));
    nn::init_dcgan(*this, random);
  }

  Tensor forward(const Tensor& z) override {
    Tensor x = reshape(z, {z.size(0), 1, 1, z.size(1)});
    std::vector<Tensor> parts;
    for (size_t i = 0; i < blocks_.size(); i++) {
      x = (*blocks_[i])(x);
      parts.push_back(flatten(tanh((*images_[i])(x))));
    }
    parts.push_back(flatten(tanh((*last_)(x))));
    return concat(parts, 1);
  }

 private:
  std::vector<nn::LayerPtr> blocks_, images_;
  nn::LayerPtr last_;
};

class Discriminator : public nn::Layer {
 public:
  Discriminator(int64_t width, int64_t channels, Extent size, DNorm norm, Random& random) : scales_(channels, size) {
    DiscriminatorStages stages(size, norm, random);
    const auto stage = [&](int64_t in, int64_t out, bool normed) {
      auto layers = std::make_shared<nn::Sequential>();
      stages.append(*layers, in, out, kernel, halve, normed);
      stages_.push_back(child("stage" + std::to_string(stages_.size()), layers));
    };
    stage(channels, width, /*normed=*/false);
    int64_t multiple = 1;
    for (; multiple < halvings(size) / 2; multiple *= 2)
      stage(width * multiple + channels, 2 * width * multiple, /*normed=*/true);
    head_ = child("head", stages.head(width * multiple + channels, 1, smallest(size), project));
  }

  Tensor forward(const Tensor& pack) override {
    const std::vector<Tensor> images = scales_.unpack(pack);
    Tensor x = images.back();
    for (size_t i = 0; i < stages_.size(); i++)
      x = concat(std::vector<Tensor>{(*stages_[i])(x), images[images.size() - 2 - i]}, 3);
    return reshape((*head_)(x), {pack.size(0)});
  }

 private:
  Scales scales_;
  std::vector<nn::LayerPtr> stages_;
  nn::LayerPtr head_;
};

}  // namespace

nn::LayerPtr multi_scale_generator(int64_t latent, int64_t width, int64_t channels, Extent size, Random& random,
                                   DropoutNoise* noise) {
  return std::make_shared<Generator>(latent, width, channels, size, random, noise);
}

nn::LayerPtr multi_scale_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm, Random& random) {
  return std::make_shared<Discriminator>(width, channels, size, norm, random);
}

}  // namespace forger::gan
