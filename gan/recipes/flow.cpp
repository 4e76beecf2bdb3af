// RealNVP, a normalising flow: Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", ICLR 2017,
// arXiv:1605.08803. No game and no bound: f can be undone, the density of every sample is known, and one player makes
// that of the data as high as it can.
//
//   log p(x) = log N(f(x); 0, I) + log |det df/dx|
//
//   repeat: x = a batch of the data
//     f: one Adam step on  -E log p(x)
//   samples: f^-1(z), z ~ N(0, I)
//
// Pixels have 256 levels, and a density could grow without bound on so few points. Dequantised, y = (level + u)/256 with
// u ~ U(0, 1), they fill [0, 1], and -log p(y) is at least what a code for the levels takes, less D log 256 (Theis, van
// den Oord, Bethge 2016, arXiv:1511.01844). It is given in bits a dimension, that of points in nats a point:
//
//   bits = 8 - log p(y) / (D log 2)
#include <cmath>
#include <numbers>

#include "gan/networks/flow.h"
#include "gan/recipe.h"

namespace forger::gan {
namespace {

constexpr double levels = 256, log_tau = 1.8378770664093453;  // log(2 pi)

class Flow : public Recipe {
 public:
  Flow(const Settings& settings, const Columns& columns) : Recipe(settings) {
    const Column* points = find_column(columns, "point");
    const Column& column = points ? *points : need_column(settings, columns, "image");
    pixels_ = points == nullptr;
    column_ = column.name;
    dimensions_ = column.sample.numel();
    const int64_t width = settings.integer("width"), couplings = settings.integer("couplings");
    f_ = network("g",
                 pixels_ ? image_flow(column.sample, width, couplings, settings.integer("scales"),
                                      settings.number("alpha"), random_)
                         : point_flow(dimensions_, width, couplings, random_),
                 /*averaged=*/true);
    player_ = player("g", {"g"}, settings);
  }

  Readings step(const NextBatch& next) override {
    const Tensor x = filled(next()[column_], random_);
    return player_->minimise({[&] { return cost(-mean(log_density(x))); }});
  }

  std::vector<View> views() override {
    std::vector<View> all{
        {.name = "sample",
         .draw = [this](int64_t n, Random& random) { return Batch().add("z", noise(n, dimensions_, random)); },
         .make =
             [this](const Batch& from) {
               const Tensor y = f_->inverse(from["z"]);
               return Batch().add(column_, pixels_ ? clamp(affine(y, levels / 127.5, -0.5 / 127.5 - 1), -1, 1) : y);
             },
         .like = column_},
        // log p(x), in nats; levels are taken in their middle.
        {.name = "judge", .given = {column_}, .make = [this](const Batch& from) {
           const Tensor& x = from[column_];
           return Batch().add("verdict", log_density(pixels_ ? filled(x, full_like(x, 0.5)) : x));
         }}};
    if (!pixels_)
      all.push_back({.name = "density", .given = {column_}, .make = [this](const Batch& from) {
                       return Batch().add("density", exp(log_density(from[column_])));
                     }});
    return all;
  }

  // What held-out rows cost, and what they would cost if each number by itself were Gaussian, by the batch's own
  // variances: a rival who has seen the answers.
  Readings test(const Batch& held_out) override {
    Random own(0);  // the same u at any time
    const Tensor x = filled(held_out[column_], own), v = variance(flatten(x), {0});
    const double own_width = pixels_ ? 1 / levels : 0.01;  // so that a row alone has a variance
    const Tensor gaussian = 0.5 * sum(log(v + own_width * own_width / 12) + (log_tau + 1));
    const std::string unit = pixels_ ? "bits_per_dim" : "nats";
    return {{unit, cost(-mean(log_density(x)))}, {unit + "_gaussian", cost(gaussian)}};
  }

 private:
  // Of images in [-1, 1] the levels with u in each, in [0, 1]; points as they are.
  static Tensor filled(const Tensor& x, const Tensor& u) {
    return affine(x, 127.5 / levels, 127.5 / levels) + u * (1 / levels);
  }
  Tensor filled(const Tensor& x, Random& random) const {
    return pixels_ ? filled(x, reshape(uniform(x.size(0), dimensions_, random), x.shape())) : x;
  }

  Tensor log_density(const Tensor& x) {  // (N), in nats
    const auto [z, log_det] = f_->forward(x);
    return affine(sum(square(flatten(z)), {1}), -0.5, -0.5 * static_cast<double>(dimensions_) * log_tau) + log_det;
  }

  // From nats a sample to the unit that is reported.
  Tensor cost(const Tensor& nats) const {
    if (!pixels_) return nats;
    return affine(nats, 1 / (static_cast<double>(dimensions_) * std::numbers::ln2), std::log2(levels));
  }

  bool pixels_ = false;
  std::string column_;
  int64_t dimensions_ = 0;
  std::shared_ptr<Bijection> f_;
  std::shared_ptr<Player> player_;
};

const RegisterRecipe registered{{
    .name = "flow",
    .title = "RealNVP, a normalising flow",
    .citation = "Dinh, Sohl-Dickstein, Bengio 2017, arXiv:1605.08803",
    .data = "images whose sides can be halved twice (--scales), and points",
    .needs = {"image", "or", "point"},
    .settings = {{"couplings", int64_t{6}, "of points; of images at each scale, half of them before the squeeze", 2,
                  64},
                 {"scales", int64_t{2}, "times that half of an image is done and the rest is halved", 0, 6},
                 {"alpha", 1e-6,
                  "of the logit: how far black and white are from its ends; photographs, with few of either: 0.05",
                  1e-6, 0.4},
                 {"size", "28", "side of the images in pixels, or height and width, as 64x96; 0: as they are"},
                 {"width", int64_t{32}, "units or channels of a coupling's hidden layers"},
                 {"lr_g", 1e-3, "learning rate", 0, 1},
                 {"beta1", 0.9, "Adam's decay of the first moment", 0, 0.9999}},
    .minutes = 9,
    .make = make_recipe<Flow>,
}};

}  // namespace
}  // namespace forger::gan
