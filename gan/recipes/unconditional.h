// What systems share that make samples from noise alone: two networks, two players, one game.
//
//   repeat: n_critic times: x = a batch of the data, z ~ N(0, I)
//       D: one step on its terms for x and G(z), apart, and on its penalty
//     G: one step on its term for G(z); with n_critic 1 for the same z, whose G(z) is not computed again
//   --generators K: G is K networks, each of which makes its share of a batch; a sample is by one of them at random
//     (an ensemble: Wang, Zhang, van de Weijer 2016, arXiv:1612.00991; a mixture: Hoang et al. 2018, arXiv:1708.02556)
//   --past N: copies of G and D as they were up to N steps ago play along: D judges half of its fakes from the old G,
//     G has half of its own judged by the old D
#pragma once
#include "gan/adversary.h"
#include "gan/networks/arch.h"
#include "gan/networks/multi_scale.h"
#include "gan/recipe.h"

namespace forger::gan {

class Unconditional : public Recipe {
 public:
  // Reads what unconditional_settings and game_settings have. `column`: what it learns to make.
  Unconditional(const Settings& settings, const Column& column);
  Readings step(const NextBatch& next) override;
  void after_step(int64_t step) override;
  std::vector<View> views() override;  // "sample" and "judge"

 private:
  struct Generator {
    nn::LayerPtr network;
    std::shared_ptr<DropoutNoise> dropout;  // null: none
  };
  Generator generator(const std::string& name, const Settings& settings, const Shape& sample, bool averaged);
  // What a batch is made from: "z"; "dropout" where G drops units.
  Batch drawn(int64_t n, Random& random) const;
  Tensor make(const Generator& generator, const Batch& from);
  Tensor make_shares(const Batch& from);  // each generator its share of the rows, in order
  Tensor make_chosen(const Batch& from);  // each row by the generator that its "generator" says
  Tensor as_seen(const Tensor& sample) const { return scales_ ? scales_->pack(sample) : sample; }
  Tensor with_past(const Tensor& fakes, const Batch& from);

  std::string column_;
  int64_t latent_, batch_, n_critic_, past_every_;
  bool uniform_;
  std::vector<Generator> g_;
  Generator past_g_;
  nn::LayerPtr d_, past_d_;
  std::optional<Scales> scales_;  // --arch msg: the networks' samples are images at all scales
  Tensor choices_;                // one-hot rows, of several generators
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

// The settings of such a system: those of its game and of its networks, and its own over them.
std::vector<Setting> unconditional_settings(const std::string& loss, const std::string& penalty,
                                            const std::string& arch, const std::vector<Setting>& own = {});

// The protocol of Lucic et al. 2018 (arXiv:1711.10337) on images of 28 pixels: networks, noise, batch and length as
// theirs, and for each system its rate, beta1 and updates of D (their table of settings).
Preset lucic_preset(const std::string& rate, const std::string& beta1, const std::string& n_critic);

// A RecipeEntry's `make` of such a system: of images, or else of points.
std::unique_ptr<Recipe> make_unconditional(const Settings& settings, const Columns& columns);

}  // namespace forger::gan
