// EBGAN: Zhao, Mathieu, LeCun, "Energy-based generative adversarial networks", ICLR 2017, arXiv:1609.03126. D is an
// autoencoder, its energy R(x) = mean |x - Dec(Enc(x))|^2 over a sample's numbers; fakes are pushed up to a margin m.
// Section 2.4: the pull-away term holds a batch's codes S = Enc(G(z)) apart, weight 0.1.
//
//   repeat: x = a batch of the data, z ~ N(0, I)
//     D: one Adam step on  (E R(x) + E max(0, m - R(G(z)))) / m
//     G: one Adam step on  E R(G(z)) / m + w_pt / (N (N - 1)) sum_{i != j} (S_i . S_j / (|S_i| |S_j|))^2
//   --pretrain N: an autoencoder can learn before there are fakes. In the first N steps the margin in the bracket is 0,
//     so that D learns of x alone, and G's loss weighs nothing
//
// The learning rate is 1e-3 for the reason that dcgan.cpp gives.
#include "gan/networks/autoencoder.h"
#include "gan/networks/mlp.h"
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

Tensor pull_away(const Tensor& codes) {
  const Tensor unit = codes / norm(codes, {1}, 1e-12, /*keepdim=*/true), cosines = matmul(unit, unit, false, true);
  const auto n = static_cast<double>(codes.size(0));
  return (sum(square(cosines)) - n) / (n * (n - 1));  // those of each with itself are 1
}

class EnergyBasedGan : public Recipe {
 public:
  EnergyBasedGan(const Settings& settings, const Columns& columns)
      : Recipe(settings),
        latent_(settings.integer("latent")),
        pretrain_(settings.integer("pretrain")),
        margin_(settings.number("margin")),
        pull_away_(settings.number("pull_away")) {
    const Column* points = find_column(columns, "point");
    const Column& column = points ? *points : need_column(settings, columns, "image");
    column_ = column.name;
    check<UsageError>(settings.integer("batch") > 1 || pull_away_ == 0, "--pull-away needs a --batch of two or more");
    g_ = network("g", build_generator(settings, column.sample, random_), /*averaged=*/true);
    d_ = network("d", autoencoder(settings, column.sample));
    player_g_ = player("g", {"g"}, settings);
    Craft kept = craft("d", settings, column.sample);
    kept.energies = true;
    game_ = Adversary(player("d", {"d"}, settings), settings, random_, std::move(kept));
    if (pretrain_ > 0) {
      check<UsageError>(settings.text("loss") == "ebgan",
                        "--pretrain is of --loss ebgan, whose margin waits meanwhile");
      playing_ = memory("playing", zeros({}));
    }
  }

  Readings step(const NextBatch& next) override {
    const Tensor x = next()[column_], z = noise(x.size(0), latent_, random_);
    const Critic d = [&](const Tensor& sample) {
      return playing_.defined() ? score(sample) - (1 - playing_) : score(sample);  // 0 - R/m is beyond any margin
    };
    Shared fake([&] { return (*g_)(z); });
    Readings readings = game_.update(d, x, fake);
    const auto fool = game_.against(d, x);
    const auto played = [&](const Tensor& loss) { return playing_.defined() ? playing_ * loss : loss; };
    return std::move(readings) + player_g_->minimise({[&] {
      if (pull_away_ == 0) return Losses(played(fool(fake())));
      return Losses{{"", played(fool(fake()))}, {"pull_away", played(pull_away_ * pull_away(d_->encode(fake())))}};
    }});
  }

  void after_step(int64_t step) override {
    if (step == pretrain_ && pretrain_ > 0) copy_into(playing_, ones({}, dtype_), "playing");
  }

  std::vector<View> views() override {
    return {{.name = "sample",
             .draw = [this](int64_t n, Random& random) { return Batch().add("z", noise(n, latent_, random)); },
             .make = [this](const Batch& from) { return Batch().add(column_, (*g_)(from["z"])); },
             .like = column_},
            {.name = "rebuild",
             .given = {column_},
             .make = [this](const Batch& from) { return Batch().add(column_, (*d_)(from[column_])); }},
            {.name = "judge", .given = {column_}, .make = [this](const Batch& from) {
               return Batch().add("verdict", score(from[column_]));
             }}};
  }

 private:
  // -R(x) / m, (N): the higher, the more D takes the samples for real.
  Tensor score(const Tensor& x) { return mean(flatten(square(x - (*d_)(x))), {1}) / -margin_; }

  std::shared_ptr<Autoencoder> autoencoder(const Settings& settings, const Shape& sample) {
    const int64_t code = settings.integer("code"), width = settings.integer("width");
    if (settings.text("arch") != "mlp")
      return std::make_shared<Autoencoder>(code, width, sample[2], extent_of(sample), random_);
    nn::LayerPtr encoder = mlp_generator(sample.numel(), width, {code}, random_);
    auto flat = std::make_shared<nn::Sequential>(std::initializer_list<nn::LayerPtr>{nn::flatten(), encoder});
    return std::make_shared<Autoencoder>(flat, mlp_generator(code, width, sample, random_));
  }

  int64_t latent_, pretrain_;
  double margin_, pull_away_;
  Tensor playing_;  // (): 0 while D learns alone; undefined where it never does
  std::string column_;
  nn::LayerPtr g_;
  std::shared_ptr<Autoencoder> d_;
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "ebgan",
    .title = "Energy-based GAN",
    .citation = "Zhao, Mathieu, LeCun 2017, arXiv:1609.03126",
    .data = "images of 16 to 256 pixels, square or not; points with --arch mlp",
    .needs = {"image", "or", "point"},
    .settings =
        game_settings("ebgan", "none",
                      {arch_setting("dcgan"),
                       d_norm_setting("auto"),
                       {"margin", 0.2, "m: the energy to which fakes are pushed", 1e-6, 1e6},
                       {"pull_away", 0.1, "weight of the pull-away term; 0: none", 0, 1e6},
                       {"code", int64_t{32}, "numbers in the autoencoder's code", 1, 65536},
                       {"pretrain", int64_t{0}, "first steps in which D learns to rebuild data and G waits", 0, 1e9},
                       {"lr_g", 1e-3, ""},
                       {"lr_d", 1e-3, ""}}),
    .minutes = 5,
    .make = make_recipe<EnergyBasedGan>,
}};

}  // namespace
}  // namespace forger::gan
