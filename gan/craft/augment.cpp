#include "gan/craft/augment.h"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <vector>

#include "core/autograd.h"
#include "core/error.h"
#include "core/ops.h"
#include "core/ranks.h"

namespace forger::gan {
namespace {

constexpr double strongest = 0.8;     // from 0.9 on transforms begin to leak (Karras et al. 2020, figure 4)
constexpr double shift = 0.125;       // of a side, either way
constexpr double log_zoom = 0.2;      // zoom by e^-0.2 to e^0.2
constexpr double brightness = 0.4;    // added, either way; pictures are in [-1, 1]
constexpr double log_contrast = 0.5;  // times e^-0.5 to e^0.5
constexpr double hole = 0.25;         // half the side of the square that is cut out, of the picture's

// Numbers of one draw for n samples, (n, 1, 1) each, in order of use.
class Dice {
 public:
  Dice(Tensor numbers, Tensor strength) : numbers_(std::move(numbers)), strength_(std::move(strength)) {}
  Tensor uniform() {
    const int64_t i = next_++;
    return reshape(slice(numbers_, 1, i, i + 1), {-1, 1, 1});
  }
  Tensor around_0(double reach) { return reach * (2 * uniform() - 1); }
  Tensor coin() { return greater(strength_, uniform()); }  // 1 where the transform happens
  Tensor sometimes(double reach) {                         // around 0 where it happens, else 0
    const Tensor happens = coin();
    return happens * around_0(reach);
  }
  static constexpr int64_t most = 24;

 private:
  Tensor numbers_, strength_;
  int64_t next_ = 0;
};

Tensor counted(int64_t side, const Tensor& like) {  // 0, 1, ..., side - 1; an upload
  std::vector<double> numbers(static_cast<size_t>(side));
  std::iota(numbers.begin(), numbers.end(), 0.0);
  return to(from_values({side}, numbers, like.dtype()), like.device());
}

// Along one axis, whose pixels are `number`ed, as a matrix (n, side, side) from pixels to pixels: mirrored where `flipped` (n, 1, 1) is 1, zoomed
// about the middle, shifted by a share of the side; between two pixels by both, beyond the edge as in a mirror.
Tensor resampling(const Tensor& number, const Tensor& flipped, const Tensor& zoom, const Tensor& shifted) {
  const int64_t side = number.size(0);
  const auto last = static_cast<double>(side - 1);
  const Tensor to_pixel = reshape(number, {1, side, 1}), of_pixel = reshape(number, {1, 1, side});
  const Tensor from_middle = (to_pixel - last / 2) / zoom * (1 - 2 * flipped);
  const Tensor at = from_middle + last / 2 - static_cast<double>(side) * shifted;
  const Tensor inside = clamp(last - abs(last - abs(at)), 0, last);
  return relu(1 - abs(inside - of_pixel));
}

Tensor moved(const Tensor& x, const Tensor& rows, const Tensor& columns) {
  const int64_t n = x.size(0), h = x.size(1), w = x.size(2), c = x.size(3);
  const Tensor down = reshape(matmul(rows, reshape(x, {n, h, w * c})), {n, h, w, c});
  const Tensor across = matmul(columns, reshape(permute(down, {0, 2, 1, 3}), {n, w, h * c}));
  return permute(reshape(across, {n, w, h, c}), {0, 2, 1, 3});
}

}  // namespace

std::optional<double> Augment::first_strength(const Settings& settings) {
  const std::string& way = settings.choice("augment", {"none", "fixed", "ada"});
  if (way == "none") return {};
  return way == "ada" ? 0 : settings.number("augment_strength");
}

Augment::Augment(const Settings& settings, Tensor strength, nn::Extent size)
    : strength_(std::move(strength)),
      rows_(counted(size.height, strength_)),
      columns_(counted(size.width, strength_)),
      ada_(settings.text("augment") == "ada"),
      target_(settings.number("augment_target")),
      ramp_(settings.number("augment_ramp")) {
  std::istringstream words(settings.text("augment_by"));
  for (std::string word; std::getline(words, word, ',');) {
    bool* known = word == "flip"       ? &flip_
                  : word == "geometry" ? &geometry_
                  : word == "colour"   ? &colour_
                  : word == "cutout"   ? &cutout_
                                       : nullptr;
    check<UsageError>(known != nullptr, "--augment-by '", word,
                      "' is not known; there are: flip, geometry, colour, cutout, with commas between");
    *known = true;
  }
}

Lens Augment::draw(const Tensor& like, Random& random) const {
  if (!on()) return [](const Tensor& x) { return x; };
  const NoGrad no_grad;
  const int64_t n = like.size(0), h = like.size(1), w = like.size(2), c = like.size(3);
  Dice dice(random.uniform({n, Dice::most}, 0, 1, like.dtype(), like.device()), strength_);
  const Tensor none = zeros({n, 1, 1}, like.dtype(), like.device());
  std::vector<Lens> steps;
  if (flip_ || geometry_) {
    Tensor flipped = none, zoom_y = none + 1, zoom_x = zoom_y, shift_y = none, shift_x = none;
    if (flip_) {
      const Tensor happens = dice.coin();
      flipped = happens * greater(dice.uniform(), full_like(none, 0.5));
    }
    if (geometry_) {
      const Tensor zoomed = exp(dice.sometimes(log_zoom)), stretched = exp(dice.sometimes(log_zoom / 2)),
                   translated = dice.coin();
      zoom_y = zoomed * stretched;
      zoom_x = zoomed / stretched;
      shift_y = translated * dice.around_0(shift);
      shift_x = translated * dice.around_0(shift);
    }
    const Tensor rows = resampling(rows_, none, zoom_y, shift_y),
                 columns = resampling(columns_, flipped, zoom_x, shift_x);
    steps.push_back([=](const Tensor& x) { return moved(x, rows, columns); });
  }
  const auto column = [n](const Tensor& numbers) { return reshape(numbers, {n, 1, 1, 1}); };
  if (colour_) {
    const Tensor times = column(exp(dice.sometimes(log_contrast))), plus = column(dice.sometimes(brightness));
    const Tensor saturation = column(1 + dice.sometimes(1));  // 0: grey, 2: twice the colour
    steps.push_back([=](const Tensor& x) {
      if (c == 1) return times * x + plus;
      const Tensor grey = mean(x, {3}, /*keepdim=*/true);
      return times * (grey + saturation * (x - grey)) + plus;
    });
  }
  if (cutout_) {
    const auto within = [&](const Tensor& number, const Tensor& middle) {
      const int64_t side = number.size(0);
      const Tensor at = reshape(number, {1, side, 1}) / static_cast<double>(side);
      return greater(full_like(at, hole), abs(at - middle));
    };
    const Tensor y = within(rows_, dice.uniform()), x_side = within(columns_, dice.uniform()), cut = dice.coin();
    const Tensor kept = 1 - column(cut) * reshape(y, {n, h, 1, 1}) * reshape(x_side, {n, 1, w, 1});
    steps.push_back([=](const Tensor& x) { return kept * x; });
  }
  return [steps](const Tensor& x) {
    Tensor seen = x;
    for (const Lens& step : steps) seen = step(seen);
    return seen;
  };
}

void Augment::adapt(const Tensor& scores_of_real, double undecided) {
  if (!adapts()) return;
  const NoGrad no_grad;
  const double step = static_cast<double>(Ranks::count() * scores_of_real.size(0)) / ramp_;
  const Tensor knows = rank_mean(mean(sign(scores_of_real - undecided)));
  copy_into(strength_, clamp(strength_ + step * sign(knows - target_), 0, strongest), "augment");
}

}  // namespace forger::gan
