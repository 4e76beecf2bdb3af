// What comes back of pictures that went through a code: seen not in pixels, where a blur does well, but by the built-in
// judge.
#pragma once
#include <cstdint>
#include <vector>

#include "gan/recipe.h"
#include "gan/score.h"
#include "metrics/judge.h"

namespace forger::metrics {

// "rebuilt", or VIEW.rebuilt: of each view that is given pictures and makes such pictures of them, and of up to `count`
// rows of `held_out`:
//   features   mean squared distance of a picture's features and those of what came back, over that of a picture and the
//              next one: 0 is the picture itself, 1 any other, 0.5 the mean of all features, whatever the picture
//   agreement  share of pictures that the judge names alike before and after
//   chance     share that it names like the next one
std::vector<gan::Score> reconstruction_scores(gan::Recipe& recipe, const Judge& judge, const gan::DataSet& held_out,
                                              int64_t count);

}  // namespace forger::metrics
