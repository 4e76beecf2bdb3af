// Samples in which one part of a code changes, and nothing else.
#include "gan/sweep.h"

#include "core/ops.h"
#include "tests/catch.h"

using namespace forger;
using namespace forger::gan;

TEST_CASE("sweep: one row again and again, as each category in turn") {
  const Tensor z = from_values({1, 2}, std::vector<double>{0.25, -3});
  const Batch one = Batch().add("z", z).add("category", from_indices(std::vector<int64_t>{2}));
  const Batch rows = in_turn(one, "category", 3, 5);
  CHECK(rows["category"].to_vector() == std::vector<double>{0, 1, 2, 0, 1});
  CHECK(rows["category"].dtype() == DType::i64);
  for (int64_t i = 0; i < 5; i++) CHECK(slice(rows["z"], 0, i, i + 1).to_vector() == z.to_vector());
}

TEST_CASE("sweep: one number goes from -1 to 1, all else stays as it is") {
  const Tensor z = from_values({2, 1}, std::vector<double>{5, 6}),
               code = from_values({2, 3}, std::vector<double>{0.5, 0.25, -0.5, 1, 2, 3});
  int64_t at = 0;
  const Batch made = sweep(Batch().add("z", z).add("code", code), "code", 1, [&](const Batch& from) {
    const double value = -1 + 2 * static_cast<double>(at++) / 9;
    CHECK(from["z"].to_vector() == z.to_vector());
    const std::vector<double> moved = from["code"].to_vector();
    for (const size_t row : {0, 1}) {
      CHECK(moved[3 * row] == code.to_vector()[3 * row]);
      CHECK(moved[3 * row + 1] == Approx(value).margin(1e-6));
      CHECK(moved[3 * row + 2] == code.to_vector()[3 * row + 2]);
    }
    return from["z"];
  });
  CHECK(made.tensors.size() == 10);
  CHECK(made.tensors.back().name == "image 10");
}
