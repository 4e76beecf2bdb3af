// What unconditional image recipes share: two networks, their Adam optimisers, sampling, and the step that most take.
#pragma once
#include "gan/networks.h"
#include "gan/objectives.h"
#include "gan/recipe.h"
#include "gan/update.h"

namespace forger::gan {

struct Networks {
  std::shared_ptr<nn::Sequential> generator, discriminator;
};
// A system's networks for samples of (height, width, channels), by its settings, with fresh weights.
using BuildNetworks = Networks (*)(const Settings& settings, const Shape& sample, Random& random);

class ImageRecipe : public Recipe {
 public:
  Tensor latent(int64_t n, Random& random) override {  // N(0, I)
    return random.normal({n, latent_}, 0, 1, DType::f32, device_);
  }
  Tensor generate(const Tensor& latent) override;
  Tensor discriminate(const Tensor& samples) override;
  std::vector<Part> parts() const override;

 protected:
  // Reads latent, batch, n_critic, lr_g, lr_d, beta1 and beta2. Networks are built on the CPU, so that their first
  // weights are the same for every device, and moved from there.
  ImageRecipe(const Settings& settings, const Shape& sample, BuildNetworks build);

  // n_critic times: x = a batch, z ~ N(0, I), D: one Adam step on the objective's terms for x and G(z), apart.
  // Then G: one Adam step on its term for the last z, whose G(z) is not computed again.
  Readings alternating_step(const Objective& objective, const std::function<Loader::Batch()>& next_batch);

  int64_t latent_, batch_, n_critic_;
  std::shared_ptr<nn::Sequential> generator_, discriminator_;
  std::shared_ptr<nn::Adam> optimizer_g_, optimizer_d_;
};

// A RecipeEntry's `make` for a class R(settings, sample) on images of 16 to 256 pixels.
template <class R>
std::unique_ptr<Recipe> make_image_recipe(const Settings& settings, const Shape& sample) {
  require_dcgan_images(settings.text("recipe").c_str(), sample);
  return std::make_unique<R>(settings, sample);
}

// A whole recipe: those networks, trained by alternating_step on the objective that the setting "loss" names.
template <BuildNetworks Build>
class AlternatingRecipe : public ImageRecipe {
 public:
  AlternatingRecipe(const Settings& settings, const Shape& sample)
      : ImageRecipe(settings, sample, Build), objective_(find_objective(settings.text("loss"))) {}

  Readings step(const std::function<Loader::Batch()>& next_batch) override {
    return alternating_step(objective_, next_batch);
  }

 private:
  const Objective& objective_;
};

}  // namespace forger::gan
