// Pairs made in two domains: what their agreement is measured by, and the stacks of layers that make them one thing.
#include "gan/agreement.h"

#include <algorithm>
#include <set>

#include "core/autograd.h"
#include "gan/networks/shared_stacks.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::test;

namespace {

double reading(const Readings& readings, const std::string& name) {
  return std::ranges::find(readings, name, &Reading::name)->value.item();
}

}  // namespace

TEST_CASE("agreement: pairs of one thing agree, those that were shuffled do not") {
  Random random(1);
  const Tensor a = random.uniform({6, 16, 16, 1}, -1, 1), truth = random.uniform({6, 16, 16, 3}, -1, 1);
  Batch known;
  known.add("a.image", a).add("b.image", truth).add("a.truth", truth);
  CHECK(agreement(a, truth, Batch().add("a.image", a)).empty());  // nothing is known
  CHECK(agreement(a, truth, known).size() == 2);                  // no classes
  const Tensor label = from_indices(std::vector<int64_t>{0, 1, 2, 3, 4, 0});
  known.add("a.label", label).add("b.label", label);

  const Tensor faint = 0.02 * random.normal(a.shape());
  const Readings right = agreement(a + faint, truth, known), wrong = agreement(a + faint, moved_on(truth), known);
  CHECK(reading(right, "pair.l1") < 1e-6);
  CHECK(reading(right, "pair.class") == 1);
  CHECK(reading(right, "pair.l1_shuffled") > 0.5);
  CHECK(reading(right, "pair.class_shuffled") == Approx(1.0 / 6));  // the last and the first are of one class
  CHECK(reading(wrong, "pair.l1") == Approx(reading(right, "pair.l1_shuffled")));
  CHECK(reading(wrong, "pair.class") == Approx(1.0 / 6));
}

TEST_CASE("shared stacks: what is shared is one, listed once, and learns from both domains") {
  Random random(1);
  const Shape grey{32, 32, 1}, coloured{32, 32, 3};
  for (int64_t shared = 1; shared <= 3; shared++) {
    INFO(shared);
    const auto g = shared_generators(8, 2, shared, grey, coloured, random);
    const auto e = shared_encoders(5, 2, shared, grey, coloured, DNorm::layer, random);
    const Tensor z = random.normal({4, 8}), a = g->a(z), b = g->b(z);
    CHECK(a.shape() == Shape{4, 32, 32, 1});
    CHECK(b.shape() == Shape{4, 32, 32, 3});
    const Tensor both = e->both(a, b);
    CHECK(both.shape() == Shape{8, 5});
    CHECK(relative_error(first_half(both), e->a(a)) < 1e-5);  // of a, then of b
    CHECK(relative_error(second_half(both), e->b(b)) < 1e-5);
    for (const nn::Module* net : {static_cast<nn::Module*>(g.get()), static_cast<nn::Module*>(e.get())}) {
      std::set<const Storage*> seen;
      for (const nn::Named& p : net->parameters()) CHECK(seen.insert(p.tensor.storage().get()).second);
    }
    CHECK(std::ssize(g->shared->parameters()) == 3 * shared);  // a weight, and a norm's two
    // A domain alone moves its own layers and the shared ones, never the other's.
    const Tensor loss = mean(e->a(g->a(z)) * random.normal({4, 5}));
    const auto moved = [&](const nn::Module& net) {
      bool any = false;
      for (const Tensor& gradient : grad(std::span(&loss, 1), nn::tensors_of(net.parameters()), {.retain_graph = true}))
        any = any || max(abs(gradient)).item() > 0;
      return any;
    };
    for (const nn::LayerPtr& part : {nn::LayerPtr(g->shared), g->own_a, nn::LayerPtr(e->shared), e->own_a})
      CHECK(moved(*part));
    for (const nn::LayerPtr& part : {g->own_b, e->own_b}) CHECK_FALSE(moved(*part));
  }
  CHECK_THROWS_WITH(shared_generators(8, 2, 4, grey, grey, random), Catch::Contains("can share up to 3 stages"));
  CHECK_THROWS_WITH(shared_encoders(1, 2, 3, {16, 16, 1}, {16, 16, 1}, DNorm::batch, random),
                    Catch::Contains("--shared 3"));
  CHECK_THROWS_WITH(require_domains("cogan", grey, {64, 64, 1}), Catch::Contains("two domains of one size"));
}

TEST_CASE("shared stacks: the codes of pictures that are not square come back as such pictures") {
  Random random(2);
  const Shape a{16, 24, 1}, b{16, 24, 3};
  const auto e = map_encoders(2, 1, 1, a, b, random);
  const auto g = map_decoders(2, 1, 1, a, b, random);
  const Tensor code = e->a(random.uniform({3, 16, 24, 1}, -1, 1));
  const Shape of_code = map_code(2, a);
  CHECK(code.shape() == Shape{3, of_code[0], of_code[1], of_code[2]});
  CHECK(g->b(code).shape() == Shape{3, 16, 24, 3});
  const auto vectors = shared_encoders(1, 2, 2, a, b, DNorm::batch, random);
  CHECK(vectors->b(random.uniform({3, 16, 24, 3}, -1, 1)).shape() == Shape{3});
}
