// Points in the plane whose distribution is known, to see at a glance what a GAN covers and what it drops.
//
//   ring8       8 Gaussians, std 0.02, evenly on a circle of radius 2       Metz et al. 2017 (unrolled GANs), VEEGAN
//   grid25      25 Gaussians, std 0.05, means {-4, -2, 0, 2, 4}^2           Srivastava et al. 2017 (VEEGAN), PacGAN
//   swiss-roll  t (cos t, sin t)/7.5, t = 1.5 pi (1 + 2u), noise 0.25/7.5   Gulrajani et al. 2017 (WGAN-GP)
//   moons       two half circles of radius 1, one upside down, noise 0.05   centred on the origin
//
// Labels are the modes (ring8, grid25) and the moons. The 100,000 points are a function of nothing: every run sees the
// same; the test subset is as many fresh ones.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/random.h"
#include "gan/data/images.h"

namespace forger::gan {
namespace {

constexpr int64_t points = 100'000;
constexpr uint64_t fixed_seed = 20170521;

struct Point {
  double x, y;
};

struct Distribution {
  const char* name;
  const char* help;
  int64_t modes;  // 0: no labels
  double noise;   // standard deviation
  // Where on the curve or which mode: u in (0, 1], mode = i % modes.
  Point (*centre)(int64_t mode, double u);
  bool gaussians = false;  // each mode is one
};

Point ring(int64_t mode, double) {
  const double angle = 2 * std::numbers::pi * static_cast<double>(mode) / 8;
  return {2 * std::cos(angle), 2 * std::sin(angle)};
}
Point lattice(int64_t mode, double) {
  return {static_cast<double>(2 * (mode % 5) - 4), static_cast<double>(2 * (mode / 5) - 4)};
}
Point swiss_roll(int64_t, double u) {
  const double t = 1.5 * std::numbers::pi * (1 + 2 * u);
  return {t * std::cos(t) / 7.5, t * std::sin(t) / 7.5};
}
Point moon(int64_t mode, double u) {
  const double sign = mode == 0 ? 1 : -1, angle = std::numbers::pi * u;
  return {sign * (std::cos(angle) - 0.5), sign * (std::sin(angle) - 0.25)};
}

class PointSet : public DataSet {
 public:
  PointSet(const Distribution& d, Subset subset) : name_(d.name), modes_(d.modes), xy_(2 * points) {
    if (d.gaussians) {
      mixture_ = Mixture{.centres = {}, .stddev = d.noise};
      for (int64_t k = 0; k < d.modes; k++) {
        const Point centre = d.centre(k, 0);
        mixture_->centres.push_back({centre.x, centre.y});
      }
    }
    Random random(fixed_seed, subset == Subset::train ? 0 : 1);
    const Tensor along = random.uniform({points}), noise = random.normal({points, 2}, 0, d.noise);
    columns_ = {{.name = "point", .sample = {2}}};
    if (modes_ > 0) columns_.push_back({.name = "label", .dtype = DType::i64});
    for (int64_t c = 0; c < modes_; c++) columns_[1].words.push_back(std::to_string(c));
    for (int64_t i = 0; i < points; i++) {
      const Point centre = d.centre(mode(i), along.data<float>()[i]);
      xy_[static_cast<size_t>(2 * i)] = static_cast<float>(centre.x + noise.data<float>()[2 * i]);
      xy_[static_cast<size_t>(2 * i + 1)] = static_cast<float>(centre.y + noise.data<float>()[2 * i + 1]);
    }
  }
  int64_t count() const override { return points; }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    if (cells[0] != nullptr) std::copy_n(&xy_[static_cast<size_t>(2 * i)], 2, static_cast<float*>(cells[0]));
    if (cells.size() > 1 && cells[1] != nullptr) *static_cast<int64_t*>(cells[1]) = mode(i);
  }
  std::optional<Mixture> mixture() const override { return mixture_; }
  std::string name() const override { return name_; }
  std::string about() const override { return text(points, " points in the plane"); }
  std::string hash() const override {
    Fnv fnv;
    fnv.add(std::span(reinterpret_cast<const uint8_t*>(xy_.data()), xy_.size() * sizeof(float)));
    return fnv.hex();
  }

 private:
  int64_t mode(int64_t i) const { return modes_ == 0 ? 0 : i % modes_; }

  std::string name_;
  int64_t modes_;
  std::optional<Mixture> mixture_;
  Columns columns_;
  std::vector<float> xy_;  // (points, 2)
};

DataSource source(const Distribution& d) {
  return {.name = d.name,
          .help = d.help,
          .gives = d.modes > 0 ? std::vector<std::string>{"point", "label"} : std::vector<std::string>{"point"},
          .accepts = [name = d.name](const std::string& spec) { return spec == name; },
          .open = [d](const std::string&, const DataOptions&,
                      Subset subset) { return std::make_shared<PointSet>(d, subset); }};
}

const RegisterDataSource ring8{source({"ring8", "ring8: points of 8 Gaussians on a circle", 8, 0.02, ring, true})};
const RegisterDataSource grid25{
    source({"grid25", "grid25: points of 25 Gaussians on a grid", 25, 0.05, lattice, true})};
const RegisterDataSource roll{source({"swiss-roll", "swiss-roll: points along a spiral", 0, 0.25 / 7.5, swiss_roll})};
const RegisterDataSource moons{source({"moons", "moons: points of two half circles", 2, 0.05, moon})};

}  // namespace
}  // namespace forger::gan
