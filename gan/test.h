// A system's own numbers (Recipe::test) over data that it was not trained on.
#pragma once
#include "gan/data.h"
#include "gan/recipe.h"

namespace forger::gan {

// Means over rows of the set, always the same, `most` of them if it has so many. None where the recipe has no tests.
Scalars test_scalars(Recipe& recipe, const DataSet& held_out, int64_t most);

}  // namespace forger::gan
