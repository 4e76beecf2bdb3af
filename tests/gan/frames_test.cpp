// Films of pictures, what a system makes of its own frames, and moving pictures.
#include <algorithm>
#include <set>

#include "core/ops.h"
#include "gan/data/images.h"
#include "gan/fidelity.h"
#include "gan/picture_file.h"
#include "gan/rollout.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

// The spec of `count` pictures of 8x8 in an IDX file, white but for one black pixel, and their labels.
std::string squares(const test::Scratch& scratch, int count) {
  const auto sizes = [&](const std::string& head) { return std::string{0, 0, 8} + head; };
  std::string pixels = sizes({3, 0, 0, 0, static_cast<char>(count), 0, 0, 0, 8, 0, 0, 0, 8}),
              labels = sizes({1, 0, 0, 0, static_cast<char>(count)});
  for (int i = 0; i < count; i++) {
    std::string picture(64, '\xff');
    picture[9] = 0;
    pixels += picture;
    labels += static_cast<char>(i % 2);
  }
  scratch.write("squares.idx", pixels);
  return "idx:" + scratch.path() + "/squares.idx," + scratch.write("labels.idx", labels);
}

// Where the white square of frame k of a film begins: the first row and column that are not black.
std::pair<int64_t, int64_t> place_in(const Tensor& film, int64_t row, int64_t k) {
  const std::vector<double> values = slice(slice(film, 0, row, row + 1), 3, k, k + 1).to_vector();
  const int64_t width = film.size(2);
  int64_t top = film.size(1), left = width, lit = 0;  // of a square that has left the frame, nothing
  for (int64_t i = 0; i < std::ssize(values); i++) {
    if (values[static_cast<size_t>(i)] < 0) continue;
    top = std::min(top, i / width), left = std::min(left, i % width), lit++;
  }
  return {lit > 0 ? top : 0, lit > 0 ? left : 0};
}

// Knows that a square moves as it did before, bouncing; or thinks that it stays.
class Mover : public Recipe {
 public:
  explicit Mover(bool knows) : Recipe(common_settings()), knows_(knows) {}
  Readings step(const NextBatch& /*next*/) override { return {}; }
  std::vector<View> views() override {
    return {{.name = "judge", .given = {"target"}, .make = [](const Batch& from) { return from; }},
            {.name = "next",
             .given = {"source"},
             .draw =
                 [](int64_t n, Random& random) {
                   return Batch().add("z", random.uniform({n, 2}));
                 },
             .make = [this](const Batch& from) { return Batch().add("target", next(from["source"])); },
             .like = "target"}};
  }

 private:
  Tensor next(const Tensor& past) const {
    const Tensor newest = slice(past, 3, 2, 3);
    if (!knows_) return newest;
    std::vector<Tensor> all;
    for (int64_t i = 0; i < past.size(0); i++) {
      const auto before = place_in(past, i, 1), now = place_in(past, i, 2);
      all.push_back(moved(slice(newest, 0, i, i + 1), now.first - before.first, now.second - before.second));
    }
    return concat(all, 0);
  }
  static Tensor moved(const Tensor& frame, int64_t down, int64_t across) {
    const auto shift = [](const Tensor& x, int axis, int64_t by) {
      const int64_t size = x.size(axis);
      const Tensor light = x + 1;  // black is 0 then, as what pad brings in
      return slice(pad(light, axis, std::max<int64_t>(by, 0), std::max<int64_t>(-by, 0)), axis,
                   std::max<int64_t>(-by, 0), size + std::max<int64_t>(-by, 0)) -
             1;
    };
    return shift(shift(frame, 1, down), 2, across);
  }
  bool knows_;
};

}  // namespace

TEST_CASE("frames: each picture moves by a speed of its own and bounces") {
  const test::Scratch scratch;
  const std::string set = squares(scratch, 40), spec = "frames:" + set;
  const DataSetPtr train = open_data(spec), held_out = open_data(spec, {}, Subset::test);
  CHECK(train->count() == 40);
  CHECK(names_of(train->columns()) == "source, target and label");
  CHECK(names_of(held_out->columns()) == "source, target, later and label");
  CHECK(held_out->columns()[0].sample == Shape{16, 16, 3});
  CHECK(held_out->columns()[2].sample == Shape{16, 16, 10});
  const Batch rows = read_rows(*held_out, 0, 40);
  const Tensor film = concat(std::vector<Tensor>{rows["source"], rows["later"]}, 3);
  CHECK(rows["target"].to_vector() == slice(rows["later"], 3, 0, 1).to_vector());
  CHECK(rows["label"].to_vector()[3] == 1);
  std::set<std::pair<int64_t, int64_t>> speeds;
  constexpr double lit = 63;  // all of a square lies in each frame, on black
  CHECK(sum(film + 1).item() == Approx(2 * lit * 40 * 13));
  for (int64_t i = 0; i < 40; i++) {
    std::pair<int64_t, int64_t> fastest{0, 0};
    for (int64_t k = 1; k < 13; k++) {
      const auto before = place_in(film, i, k - 1), now = place_in(film, i, k);
      fastest.first = std::max(fastest.first, std::abs(now.first - before.first));
      fastest.second = std::max(fastest.second, std::abs(now.second - before.second));
    }
    CHECK(fastest != std::pair<int64_t, int64_t>{0, 0});  // none stands still
    CHECK(std::max(fastest.first, fastest.second) <= 8 / 5);
    speeds.insert(fastest);
  }
  CHECK(speeds.size() == 3);
}

TEST_CASE("frames: always the same; any of the columns; the size of the frame") {
  const test::Scratch scratch;
  const std::string set = squares(scratch, 6), spec = "frames:" + set;
  const DataSetPtr data = open_data(spec, {}, Subset::test);
  const Batch all = read_rows(*data, 0, 6), again = read_rows(*open_data(spec, {}, Subset::test), 2, 3, {"later"});
  CHECK(again.tensors.size() == 1);
  CHECK(again["later"].to_vector() == slice(all["later"], 0, 2, 5).to_vector());
  CHECK(read_rows(*open_data(spec), 0, 6)["source"].to_vector() == all["source"].to_vector());
  CHECK(read_rows(*data, 1, 1, {"label"})["label"].to_vector() == std::vector<double>{1});
  CHECK(open_data(spec, 32)->columns()[0].sample == Shape{32, 32, 3});
  CHECK(data->hash() != open_data(set)->hash());
  CHECK(error_of<UsageError>([&] { open_data(spec, 33); }).find("--size takes even numbers, not 33") !=
        std::string::npos);
  CHECK(error_of<UsageError>([] { open_data("frames:ring8"); }).find("films are made from images") !=
        std::string::npos);
  CHECK(map_paths("frames:folder:a", [](const std::string& path) { return "/x/" + path; }) == "frames:folder:/x/a");
}

TEST_CASE("rollout: one who knows makes no error until a bounce; one who lets it stand errs as standing does") {
  const test::Scratch scratch;
  const DataSetPtr data = open_data("frames:" + squares(scratch, 80), {}, Subset::test);
  const Batch rows = read_rows(*data, 0, 80);
  Mover knowing(true), idle(false);
  const View view = view_of(knowing, "next");
  CHECK(makes_next_frame(view, data->columns()));
  CHECK(!makes_next_frame(view_of(knowing, "judge"), data->columns()));
  Random random(1);
  const Tensor made = rolled(knowing, view, rows["source"], 10, random),
               stood = rolled(idle, view_of(idle, "next"), rows["source"], 10, random);
  CHECK(made.shape() == Shape{80, 16, 16, 10});
  const RolloutErrors known = rollout_errors(rows["source"], made, rows["later"], 1),
                      still = rollout_errors(rows["source"], stood, rows["later"], 1);
  REQUIRE(known.l1.size() == 10);
  CHECK(still.l1 == still.l1_still);
  CHECK(known.l1_still == still.l1_still);
  CHECK(still.l1.front() > 0.02);
  CHECK(known.l1.front() < 0.5 * still.l1.front());  // a few bounce at once
  // Films in which nothing bounces are foreseen exactly.
  int64_t straight = 0;
  for (int64_t i = 0; i < 80; i++) {
    const auto row = [&](const Tensor& film) { return slice(film, 0, i, i + 1); };
    const auto at = [&](int64_t k) {
      return place_in(row(k < 3 ? rows["source"] : rows["later"]), 0, k < 3 ? k : k - 3);
    };
    bool bounces = false;
    for (int64_t k = 3; k < 5; k++)
      bounces = bounces || at(k).first - at(k - 1).first != at(2).first - at(1).first ||
                at(k).second - at(k - 1).second != at(2).second - at(1).second;
    if (bounces) continue;
    straight++;
    CHECK(slice(row(made), 3, 0, 2).to_vector() == slice(row(rows["later"]), 3, 0, 2).to_vector());
  }
  CHECK(straight > 20);
}

TEST_CASE("fidelity: what was given may have more channels than the truth") {
  const Tensor given = full({1, 2, 2, 3}, 0.5), truth = full({1, 2, 2, 1}, 0.25);
  const Scalars found = look_at(fidelity(truth, given, truth));
  CHECK(found[0].value == 0);
  CHECK(found[1].value == Approx(0.25));
}
