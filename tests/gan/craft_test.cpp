// The craft of training, trick by trick.
#include <set>

#include "core/ops.h"
#include "gan/craft/replay.h"
#include "tests/catch.h"

using namespace forger;
using namespace forger::gan;

namespace {

// n samples of two numbers, all `value`.
Tensor samples(int64_t n, double value) { return full({n, 2}, value); }

}  // namespace

TEST_CASE("replay: while the pool fills, fakes are shown as they are, and all are kept") {
  const Tensor pool = zeros({3, 4, 2}), filled = zeros({});
  Replay replay(pool, filled);
  Random random(1);
  for (int64_t round = 0; round < 3; round++) {
    const Tensor fakes = samples(4, static_cast<double>(round + 1));
    replay.draw(random);
    CHECK(replay.shown(fakes).to_vector() == fakes.to_vector());
    replay.keep(fakes);
    CHECK(filled.item() == static_cast<double>(round + 1));
  }
  for (int64_t round = 0; round < 3; round++) {
    const Tensor kept = slice(pool, 0, round, round + 1);
    CHECK(kept.to_vector() == samples(4, static_cast<double>(round + 1)).to_vector());
  }
}

TEST_CASE("replay: afterwards half of what is shown comes from the pool, in exchange for what was made") {
  constexpr int64_t rounds = 5, n = 40;
  const Tensor pool = zeros({rounds, n, 2}), filled = zeros({});
  Replay replay(pool, filled);
  Random random(2);
  std::multiset<double> there;
  int64_t swapped = 0, steps = 40;
  std::set<int64_t> ages;
  for (int64_t step = 0; step < rounds + steps; step++) {
    const Tensor fakes = samples(n, static_cast<double>(step));
    replay.draw(random);
    const std::vector<double> shown = replay.shown(fakes).to_vector();
    replay.keep(fakes);
    for (size_t i = 0; i < shown.size(); i += 2) {
      REQUIRE(shown[i] == shown[i + 1]);  // whole samples
      if (step < rounds) {
        there.insert(shown[i]);
        continue;
      }
      const bool old = shown[i] != static_cast<double>(step);
      swapped += old;
      ages.insert(step - static_cast<int64_t>(shown[i]));
      if (!old) continue;
      const auto found = there.find(shown[i]);
      REQUIRE(found != there.end());  // nothing is shown that was not there
      there.erase(found);
      there.insert(static_cast<double>(step));
    }
    std::multiset<double> now;
    const std::vector<double> values = pool.to_vector();
    for (size_t i = 0; i < values.size(); i += 2) now.insert(values[i]);
    if (step >= rounds) REQUIRE(now == there);  // and nothing is lost
  }
  const double share = static_cast<double>(swapped) / static_cast<double>(steps * n);
  CHECK(share == Approx(0.5).margin(0.05));
  CHECK(ages.size() > 10);  // from all over the past
}

TEST_CASE("replay: without a pool fakes pass, and nothing is drawn") {
  Replay none;
  Random random(3);
  none.draw(random);
  CHECK(random.block == 0);
  const Tensor fakes = samples(3, 1);
  CHECK(none.shown(fakes).storage() == fakes.storage());
  none.keep(fakes);
}
