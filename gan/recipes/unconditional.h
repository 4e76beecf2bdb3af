// What systems share that make samples from noise alone: two networks, two players, one game.
//
//   repeat: n_critic times: x = a batch of the data, z ~ N(0, I)
//       D: one step on its terms for x and G(z), apart, and on its penalty
//     G: one step on its term for G(z); with n_critic 1 for the same z, whose G(z) is not computed again
#pragma once
#include "gan/adversary.h"
#include "gan/networks/arch.h"
#include "gan/recipe.h"

namespace forger::gan {

class Unconditional : public Recipe {
 public:
  // Reads arch, latent, width, batch, n_critic, lr_g, lr_d, beta1, beta2 and what an Adversary reads. `column`: what it
  // learns to make. `norm`: what it needs of its discriminator.
  Unconditional(const Settings& settings, const Column& column, std::optional<DNorm> norm = {});
  Readings step(const NextBatch& next) override;
  std::vector<View> views() override;  // "sample" and "judge"

 private:
  std::string column_;
  int64_t latent_, batch_, n_critic_;
  nn::LayerPtr g_, d_;
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

// A RecipeEntry's `make` of such a system: of images, or else of points.
std::unique_ptr<Recipe> make_unconditional(const Settings& settings, const Columns& columns);

}  // namespace forger::gan
