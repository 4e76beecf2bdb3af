// How near pictures are to the truth.
#include "gan/fidelity.h"

#include <cmath>

#include "core/ops.h"
#include "tests/catch.h"

using namespace forger;
using namespace forger::gan;

TEST_CASE("psnr: the mean over pictures of each one's, of a range of 2") {
  const Tensor truth = zeros({2, 4, 4, 3});
  Tensor made = zeros({2, 4, 4, 3});
  float* values = made.data<float>();
  std::fill_n(values, 48, 0.2f);        // mean squared error 0.04: 10 log10(4 / 0.04) = 20
  std::fill_n(values + 48, 48, 0.02f);  // 40
  CHECK(psnr(made, truth).item() == Approx(30).epsilon(1e-5));
  CHECK(psnr(truth, truth).item() == Approx(100).epsilon(1e-5));
}

TEST_CASE("fidelity: beside what was given, left as it was; grey is compared with every channel") {
  const Tensor given = full({1, 2, 2, 1}, 0.5), truth = full({1, 2, 2, 3}, 0.25), made = full({1, 2, 2, 3}, 0.0);
  const Scalars found = look_at(fidelity(made, given, truth, "a-to-b."));
  REQUIRE(found.size() == 4);
  CHECK(found[0].name == "a-to-b.l1");
  CHECK(found[0].value == Approx(0.25));
  CHECK(found[1].name == "a-to-b.l1_identity");
  CHECK(found[1].value == Approx(0.25));
  CHECK(found[2].value == Approx(10 * std::log10(4 / 0.0625)));
  CHECK(found[3].value == Approx(found[2].value));
}
