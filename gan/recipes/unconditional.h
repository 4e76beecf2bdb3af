// What systems share that make samples from noise alone: two networks, two players, one game.
//
//   repeat: n_critic times: x = a batch of the data, z ~ N(0, I)
//       D: one step on its terms for x and G(z), apart, and on its penalty
//     G: one step on its term for G(z); with n_critic 1 for the same z, whose G(z) is not computed again
#pragma once
#include <optional>

#include "gan/adversary.h"
#include "gan/networks/arch.h"
#include "gan/recipe.h"

namespace forger::gan {

class Unconditional : public Recipe {
 public:
  // Reads arch, latent, width, batch, n_critic, lr_g, lr_d, beta1, beta2 and what an Adversary reads. `column`: what it
  // learns to make. `norm`: what its discriminator needs; where it needs nothing the architecture decides.
  Unconditional(const Settings& settings, const Column& column, std::optional<DNorm> norm = {});
  Readings step(const NextBatch& next) override;
  std::vector<View> views() override;  // "sample" and "judge"

 private:
  std::string column_;
  int64_t latent_, batch_, n_critic_;
  nn::LayerPtr g_, d_;
  std::shared_ptr<Player> player_g_, player_d_;
  Adversary game_;
};

// A RecipeEntry's `make` of such a system on images.
std::function<std::unique_ptr<Recipe>(const Settings&, const Columns&)> gan_on_images(std::optional<DNorm> norm = {});

// The setting of its networks.
Setting arch_setting(const std::string& usual);

}  // namespace forger::gan
