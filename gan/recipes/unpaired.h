// What systems share that learn to translate without pairs. Of two domains (Zhu et al. 2017, arXiv:1703.10593): a
// translator each way, a discriminator in each domain, and what was translated there and back must be what it was.
//
//   repeat: n_critic - 1 times: a, b = batches of the two domains, drawn apart
//       A, B: one step each on its terms for real and fake samples of its domain
//     a, b = further batches
//     AB, BA: one step on their terms for AB(a) and BA(b), plus
//             lambda (|BA(AB(a)) - a| + |AB(BA(b)) - b|)                  the cycle
//             lambda_identity (|AB(b) - b| + |BA(a) - a|)                 what is of a domain already stays; only where
//                                                                         the domains share their colours: off at first
//     A, B:   one step each, on the same fakes
//   |x - y| is the mean distance, or with --distance mse the mean of its square
#pragma once
#include "gan/adversary.h"
#include "gan/craft/honest_cycle.h"
#include "gan/recipe.h"

namespace forger::gan {

// From one domain into another, and back.
struct Way {
  std::string name;         // "a-to-b"
  std::string given, like;  // columns: of what is translated, "a.image"; of what it is to become, "b.image"
  std::string truth;        // what is given as it is over there, in rows where that is known: "a.truth"
  std::function<Tensor(const Tensor&x)> there, back;
};
// A view each: the translation, and the way back from it beside.
std::vector<View> views_of(const std::vector<Way>& ways);
// Where the truth is known, how near each translation comes to it; and how much of a picture survives there and back.
// Ways of one name are one: the mean.
Readings test_of(const std::vector<Way>& ways, const Batch& held_out);

// PatchGAN, or the discriminator of whole images with --field 0, with fresh weights.
nn::LayerPtr domain_discriminator(const Settings& settings, const Shape& image, Random& random);
// A game's readings, those that every game has ("penalty") under its domain's name ("penalty_a").
Readings of_domain(Readings readings, const std::string& domain);

class Unpaired : public Recipe {
 public:
  // Reads what unpaired_settings has.
  Unpaired(const Settings& settings, const Columns& columns);
  Readings step(const NextBatch& next) override;
  std::vector<View> views() override { return views_of(ways_); }
  Readings test(const Batch& held_out) override { return test_of(ways_, held_out); }

 private:
  nn::LayerPtr translator(const Settings& settings, const Shape& from, const Shape& into);
  Tensor distance(const Tensor& x, const Tensor& y) const { return squared_ ? mse_loss(x, y) : l1_loss(x, y); }
  Readings judge(const Tensor& a, const Tensor& b, Shared& fake_a, Shared& fake_b);

  int64_t n_critic_;
  double lambda_, lambda_identity_;
  bool squared_;
  HonestCycle honest_;
  nn::LayerPtr ab_, ba_, a_, b_;
  std::shared_ptr<Player> translators_;
  Adversary game_a_, game_b_;
  std::vector<Way> ways_;
};

// Of discriminators of domains: their norm and width, what they judge, and the data.
std::vector<Setting> domain_settings();
// What every translation without pairs can be told, and a system's own settings over it.
std::vector<Setting> translation_settings(const std::string& loss, const std::string& penalty,
                                          const std::vector<Setting>& own);
// The same of an Unpaired system.
std::vector<Setting> unpaired_settings(const std::string& loss, const std::string& penalty,
                                       const std::vector<Setting>& own = {});

}  // namespace forger::gan
