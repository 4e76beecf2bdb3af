// The comparison that the other tests trust.
#include "tests/worst.h"

#include "tests/catch.h"

using namespace forger::test;

TEST_CASE("the worst error: one that is no number sticks, whatever follows") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Worst worst;
  CHECK(worst == 0);
  CHECK_FALSE(worst.add(0));
  CHECK(worst.add(2));
  CHECK_FALSE(worst.add(1));
  CHECK(worst == 2);
  CHECK(worst.add(NAN));
  CHECK_FALSE(worst.add(3));
  CHECK(worst == infinity);
}

TEST_CASE("the largest difference: NaN, infinities, nothing and other lengths") {
  using Values = std::vector<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(largest_difference(Values{}, Values{}) == 0);
  CHECK(largest_difference(Values{1, 2, 3}, Values{1, 2.5, 3}) == 0.5);
  CHECK(largest_difference(std::vector<float>{1, 2}, Values{1, 2}) == 0);
  CHECK(largest_difference(Values{1, 2}, Values{1}) == infinity);
  CHECK(largest_difference(Values{}, Values{1}) == infinity);
  for (size_t place = 0; place < 3; place++) {
    Values bad{1, 2, 3};
    bad[place] = NAN;
    CHECK(largest_difference(bad, Values{1, 2, 3}) == infinity);
    CHECK(largest_difference(Values{1, 2, 3}, bad) == infinity);
    CHECK(largest_difference(bad, bad) == infinity);
    bad[place] = infinity;
    CHECK(largest_difference(bad, Values{1, 2, 3}) == infinity);
    CHECK(largest_difference(bad, bad) == 0);
    Values negative = bad;
    negative[place] = -infinity;
    CHECK(largest_difference(bad, negative) == infinity);
  }
}
