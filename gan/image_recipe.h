// What unconditional image recipes with DCGAN's networks share: the two networks, their Adam optimisers, sampling.
#pragma once
#include "gan/networks.h"
#include "gan/recipe.h"

namespace forger::gan {

class ImageRecipe : public Recipe {
 public:
  // sample: (size, size, channels). Reads latent, width, batch, n_critic, lr_g, lr_d, beta1 and beta2.
  ImageRecipe(const Settings& settings, const Shape& sample, bool batch_norm_in_d);

  Tensor latent(int64_t n, Random& random) override {
    return random.normal({n, latent_}, 0, 1, DType::f32, device_);
  }  // N(0, I)
  Tensor generate(const Tensor& latent) override;
  std::vector<Part> parts() const override;

 protected:
  int64_t latent_, batch_, n_critic_;
  std::shared_ptr<nn::Sequential> generator_, discriminator_;
  std::shared_ptr<nn::Adam> optimizer_g_, optimizer_d_;
};

// A RecipeEntry's `make` for a class R(settings, sample) on such images.
template <class R>
std::unique_ptr<Recipe> make_image_recipe(const Settings& settings, const Shape& sample) {
  require_dcgan_images(settings.text("recipe").c_str(), sample);
  return std::make_unique<R>(settings, sample);
}

}  // namespace forger::gan
