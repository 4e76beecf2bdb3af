// The stopwatch over ops: what it counts, and that nothing is lost between laps.
#include "core/profile.h"

#include "core/autograd.h"
#include "core/ops.h"
#include "tests/catch.h"

using namespace forger;

TEST_CASE("a profile counts calls, operations and bytes of ops and gradients") {
  const auto start = std::chrono::steady_clock::now();
  std::map<std::string, Profile::Entry> entries;
  {
    const Profile profile;
    const Tensor x = ones({2, 8, 8, 3}).set_requires_grad(), w = ones({5, 4, 4, 3});
    for (int i = 0; i < 3; ++i) grad(sum(conv2d(x, w, {.stride = 2, .padding = 1})), x);
    matmul(ones({2, 3}), ones({3, 4}));
    entries = profile.entries();
  }
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const Profile::Entry& conv = entries.at("conv2d: 8x8x3 - 4x4x5");
  CHECK(conv.calls == 3);
  CHECK(conv.flops == 3 * 2.0 * (2 * 4 * 4 * 5) * (4 * 4 * 3));
  CHECK(conv.bytes == 3 * 4.0 * (2 * 8 * 8 * 3 + 5 * 4 * 4 * 3 + 2 * 4 * 4 * 5));
  CHECK(entries.at("conv_transpose2d: 8x8x3 - 4x4x5").flops == conv.flops);
  CHECK(entries.at("gradient of conv2d").calls == 3);
  CHECK(entries.at("matmul: 2x4x3").flops == 2.0 * 2 * 4 * 3);
  CHECK(entries.at("sum").flops == 0);

  double total = 0;
  for (const auto& [op, entry] : entries) {
    CHECK(entry.seconds >= 0);
    total += entry.seconds;
  }
  CHECK(total > 0);
  CHECK(total <= elapsed);
}

TEST_CASE("a profile ends with its scope") {
  {
    const Profile profile;
    CHECK(Profile::active() == &profile);
  }
  CHECK(Profile::active() == nullptr);
}
