// A GAN of sequences of letters. G gives logits l (L, V), and a letter is the largest of a row, which has no gradient: D
// is shown rows that have one, beside the one-hot rows of real words. --relax, with g = -log(-log u), u ~ U(0, 1):
//
//   gumbel       y = softmax((l + g) / t): the largest of a row of l + g is drawn with the probabilities softmax(l). D
//                sees its one-hot row, whose gradient is taken to be that of y (straight through; Jang, Gu, Poole,
//                "Categorical reparameterization with Gumbel-softmax", ICLR 2017, arXiv:1611.01144)
//   gumbel-soft  D sees y itself (Kusner, Hernandez-Lobato, "GANs for sequences of discrete elements with the
//                Gumbel-softmax distribution", 2016, arXiv:1611.04051); t falls from tau to tau_end by a constant factor
//                a step, in tau_steps
//   softmax      D sees softmax(l), and nothing is drawn but z (Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville,
//                "Improved training of Wasserstein GANs", NeurIPS 2017, arXiv:1704.00028, section 5.4): a critic whose
//                slope is bounded between y and the one-hot rows says how far it is to them:
//                --loss wasserstein --penalty gp --lambda 10 --n-critic 5
//
//   repeat: n_critic times: x = one-hot rows of a batch, z ~ N(0, I), u
//       D: one Adam step on  -E log s(D(x)) - E log(1 - s(D(y))) + lambda/2 E ||grad D(x)||^2
//     G: one Adam step on  -E log s(D(y))                          (with n_critic 1 for the same y)
#include <cmath>

#include "core/autograd.h"
#include "core/trace.h"
#include "gan/networks/arch.h"
#include "gan/networks/sequences.h"
#include "gan/recipe.h"

namespace forger::gan {
namespace {

class SequenceGan : public Recipe {
 public:
  SequenceGan(const Settings& settings, const Columns& columns)
      : Recipe(settings),
        latent_(settings.integer("latent")),
        n_critic_(settings.integer("n_critic")),
        relax_(settings.choice("relax", {"softmax", "gumbel", "gumbel-soft"})),
        tau_(settings.number("tau")),
        tau_end_(settings.number("tau_end")),
        tau_steps_(static_cast<double>(settings.integer("tau_steps"))) {
    const Column& tokens = need_column(settings, columns, "tokens");
    rows_ = {tokens.sample[0], std::ssize(tokens.words)};
    const int64_t width = settings.integer("width"), blocks = settings.integer("blocks");
    eye_ = eye(rows_[1]);
    g_ = network("g", sequence_generator(latent_, width, blocks, rows_, random_), /*averaged=*/true);
    d_ = network("d", sequence_critic(width, blocks, rows_, norm_of(settings, DNorm::none), random_));
    player_g_ = player("g", {"g"}, settings);
    game_ = Adversary(player("d", {"d"}, settings), settings, random_, craft("d", settings, rows_));
    if (samples()) progress_ = memory("progress", zeros({}));
  }

  Readings step(const NextBatch& next) override {
    const Critic d = [&](const Tensor& x) { return (*d_)(x); };
    const Tensor tau = samples() ? tau_ * exp(std::log(tau_end_ / tau_) * progress_) : Tensor();
    Readings readings;
    Batch from;
    Tensor real;
    Shared fake([&] { return relaxed(from, tau); });
    for (int64_t i = 0; i < n_critic_; i++) {
      real = one_hot(next()["tokens"]);
      from = drawn(real.size(0), random_);
      Shared shown([&] {
        if (n_critic_ == 1) return fake();
        const NoGrad no_grad;
        return relaxed(from, tau);
      });
      readings = game_.update(d, real, shown);
    }
    if (n_critic_ > 1) from = drawn(real.size(0), random_);
    const auto fool = game_.against(d, real);
    readings = std::move(readings) + player_g_->minimise({[&] { return fool(fake()); }});
    return samples() ? std::move(readings) + Readings{{"tau", tau}} : readings;
  }

  void after_step(int64_t step) override {
    if (!samples()) return;
    const double progress = std::min(1.0, static_cast<double>(step) / tau_steps_);
    copy_into(progress_, full({}, progress, dtype_), "progress");
  }

  std::vector<View> views() override {
    return {{.name = "sample",
             .draw = [this](int64_t n, Random& random) { return drawn(n, random); },
             .make =
                 [this](const Batch& from) {
                   const Tensor l = logits(from);
                   if (Trace* const trace = Trace::active()) trace->expose("logits", l);
                   return Batch().add("tokens", argmax(l));
                 },
             .like = "tokens"}};
  }

 private:
  bool samples() const { return relax_ != "softmax"; }

  Batch drawn(int64_t n, Random& random) const {
    Batch from;
    from.add("z", noise(n, latent_, random));
    return samples() ? from.add("u", uniform(n, rows_.numel(), random)) : from;
  }

  Tensor one_hot(const Tensor& tokens) const {  // i64 (N, L) -> (N, L, V)
    return reshape(gather(eye_, reshape(tokens, {tokens.numel()})), {tokens.size(0), rows_[0], rows_[1]});
  }

  // Of the letters, (N, L, V), under Gumbel noise where letters are sampled.
  Tensor logits(const Batch& from) {
    const Tensor l = (*g_)(from["z"]);
    if (!samples()) return l;
    constexpr double least = 1e-20;  // u may round to 1
    return l - log(affine(log(reshape(from["u"], l.shape())), -1, least));
  }

  Tensor relaxed(const Batch& from, const Tensor& tau) {
    if (!samples()) return softmax(logits(from));
    const Tensor y = softmax(logits(from) / tau);
    return relax_ == "gumbel" ? y + (one_hot(argmax(y)) - y).detach() : y;
  }

  int64_t latent_, n_critic_;
  std::string relax_;
  double tau_, tau_end_, tau_steps_;
  Shape rows_;  // (L, V)
  Tensor eye_, progress_;
  nn::LayerPtr g_, d_;
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "seqgan",
    .title = "GAN of sequences of letters",
    .citation = "Kusner, Hernandez-Lobato 2016, arXiv:1611.04051; Gulrajani et al. 2017, arXiv:1704.00028",
    .data = "words, as sequences of letters",
    .needs = {"tokens"},
    .settings = game_settings(
        "non-saturating", "r1",
        {{"data", "words", "words as sequences of letters"},
         {"relax", "gumbel", "what D sees of G's letters: gumbel (straight through), gumbel-soft, or softmax"},
         {"lambda", 1.0, ""},
         {"tau", 1.0, "temperature of Gumbel's softmax in the first step", 1e-3, 100},
         {"tau_end", 0.5, "and after tau_steps: the lower, the nearer to letters, and the noisier the gradient", 1e-3,
          100},
         {"tau_steps", int64_t{2000}, "steps in which it falls", 1, 1e9},
         {"blocks", int64_t{2}, "residual blocks of either network", 0, 64},
         d_norm_setting("auto"),
         {"width", int64_t{64}, "channels of every layer"},
         {"n_critic", int64_t{1}, "D's updates per update of G", 1, 1000},
         {"lr_g", 2e-3, ""},
         {"lr_d", 2e-3, ""},
         {"beta1", 0.0, ""},
         {"beta2", 0.9, ""},
         {"evaluate", "words", ""}}),
    .minutes = 1.1,
    .make = make_recipe<SequenceGan>,
}};

}  // namespace
}  // namespace forger::gan
