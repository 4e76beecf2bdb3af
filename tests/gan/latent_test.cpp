// The noise of a generator as a place: rows of draws, moves in it, and the way back from a picture.
#include "gan/latent.h"

#include "gan/fidelity.h"
#include "nn/init.h"
#include "tests/catch.h"
#include "tests/nn/support.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::test;

namespace {

// A generator of contrasty pictures, from weights at random.
std::unique_ptr<Recipe> contrasty(const std::string& name) {
  const Columns columns{{.name = "image", .sample = {16, 16, 1}}, {"label", {}, DType::i64, {"coat", "bag", "shoe"}}};
  const RecipeCase row{name, name, columns, "", {{"width", "16"}}};
  auto recipe = make(row, settings_of(row));
  Random random(2);
  for (const nn::Named& p : recipe->networks().front().module->parameters())
    if (p.tensor.rank() > 1) nn::init_normal(p.tensor, 0, 0.2, random);
  return recipe;
}

}  // namespace

TEST_CASE("latent: rows of draws, whatever they are of") {
  Batch batch;
  batch.add("z", from_values({3, 2}, std::vector<double>{1, 2, 3, 4, 5, 6}));
  batch.add("label", from_indices(std::vector<int64_t>{7, 8, 9}));
  const Batch picked = pick_rows(batch, {2, 0, 2});
  CHECK(picked["z"].to_vector() == std::vector<double>{5, 6, 1, 2, 5, 6});
  CHECK(picked["label"].dtype() == DType::i64);
  CHECK(picked["label"].to_vector() == std::vector<double>{9, 7, 9});
  const Batch other = with_latent(picked, zeros({3, 2}));
  CHECK(other["z"].to_vector() == std::vector<double>(6));
  CHECK(other["label"].to_vector() == picked["label"].to_vector());
}

TEST_CASE("latent: a move keeps the length, and goes where it is told") {
  const Tensor z = from_values({2, 2}, std::vector<double>{3, 4, 0, -2}),
               up = from_values({2}, std::vector<double>{0, 1});
  CHECK(moved(z, up, 0).to_vector() == z.to_vector());
  const std::vector<double> at = moved(z, up, 8).to_vector();
  CHECK(at[0] == Approx(5 * 3 / std::sqrt(153)));  // (3, 12), back to a length of 5
  CHECK(at[1] == Approx(5 * 12 / std::sqrt(153)));
  CHECK(at[2] == 0);
  CHECK(at[3] == Approx(2));  // past the origin, to the other side
  CHECK(std::isfinite(moved(zeros({1, 2}), up, 1).to_vector()[1]));
}

TEST_CASE("latent: a generator's own samples are found again, to 30 dB and more") {
  for (const char* name : {"dcgan", "cgan"}) {
    INFO(name);
    const auto recipe = contrasty(name);
    const View view = sampling_view(*recipe);
    Random random(5);
    const Batch hidden = view.draw(4, random);
    const Tensor pictures = recipe->make(view, hidden)["image"];
    double found = 0, guessed = 0;
    for (int64_t i = 0; i < 4; i++) {
      const Tensor picture = slice(pictures, 0, i, i + 1);
      Random draws(1);
      const InversionOptions options{.starts = 4, .tried = 16, .steps = 200};
      const Inverted inverted = invert(*recipe, view, picture, options, draws);
      CHECK(inverted.from.rows() == 1);
      CHECK(inverted.psnr == Approx(psnr(inverted.made, picture).item()));
      CHECK(recipe->make(view, inverted.from)["image"].to_vector() == inverted.made.to_vector());
      found += inverted.psnr / 4;
      Random same(1);
      guessed += invert(*recipe, view, picture, {.starts = 4, .tried = 16, .steps = 0}, same).psnr / 4;
    }
    CHECK(found > 30);
    CHECK(guessed < 25);
    CHECK(recipe->networks().front().module->training());
  }
}

TEST_CASE("latent: of several descents the nearest counts, as of several draws") {
  const auto recipe = contrasty("dcgan");
  const View view = sampling_view(*recipe);
  Random random(5);
  const Tensor pictures = recipe->make(view, view.draw(4, random))["image"];
  for (int64_t i = 0; i < 4; i++) {
    const auto nearest = [&](int64_t starts, int64_t tried) {
      Random draws(1);
      return invert(*recipe, view, slice(pictures, 0, i, i + 1), {.starts = starts, .tried = tried, .steps = 0}, draws);
    };
    CHECK(nearest(8, 1).psnr == Approx(nearest(1, 8).psnr));
  }
}

TEST_CASE("latent: what cannot be looked for is refused") {
  const auto recipe = contrasty("dcgan");
  const View view = sampling_view(*recipe);
  Random random(1);
  CHECK(message_of<UsageError>([&] {
          invert(*recipe, view, zeros({1, 8, 8, 1}), {}, random);
        }).starts_with("the view sample makes samples of "));
  View blind = view;
  blind.draw = [](int64_t n, Random&) { return Batch().add("noise", zeros({n, 6})); };
  CHECK(message_of<UsageError>([&] {
          invert(*recipe, blind, zeros({1, 16, 16, 1}), {}, random);
        }) == "the view sample draws no z to look for");
}
