// Does a translator hide what the way back needs? Chu, Zhmoginov, Sandler 2017, "CycleGAN, a master of steganography",
// arXiv:1712.02950: a cycle can be closed by details too faint to be seen, and faint noise over the picture in between
// then breaks it. For the ways there and back, n ~ N(0, I):
//
//   between(sigma) = E |back(there(a) + sigma n) - back(there(a))|      noise where the message would be
//   before(sigma)  = E |back(there(a + sigma n)) - back(there(a))|      the same noise where nothing can hide yet
//
// The first is the sensitivity of Bashkirova, Usman, Saenko 2019, arXiv:1908.01517. Where all that the way back needs
// can be seen, the two rise alike; where it is hidden in faint details, the first rises at once.
#pragma once
#include <string>
#include <vector>

#include "gan/plot.h"
#include "gan/recipe.h"
#include "metrics/evaluate.h"

namespace forger::metrics {

// The view that leads back from what a view makes to what it was given: the one that is given what this one's is like,
// and is like what this one is given. Null when there is none.
const gan::View* way_back(const std::vector<gan::View>& views, const gan::View& view);

struct CycleCurve {
  std::string view;                            // of the way there
  std::vector<double> sigma, between, before;  // of noise; the first is none

  // How far the cycle breaks, the mean over all noises above 0.
  double broken() const;          // by noise between
  double broken_visibly() const;  // by noise before: what there would be to expect
};

// One for each view that has a way back, over up to `count` of these rows, always the same ones for a seed. UsageError
// when no view has one.
std::vector<CycleCurve> cycle_under_noise(gan::Recipe& recipe, const gan::DataSet& held_out, int64_t count,
                                          uint64_t seed, const Announcer& announce = {});

gan::Plot plot_of(const std::vector<CycleCurve>& curves);
// "a-to-b.broken", "a-to-b.broken_visibly", ...
gan::Scalars numbers_of(const std::vector<CycleCurve>& curves);
// "a-to-b: noise of 0.1 between moves what comes back by 0.41; before translating, by 0.09"
std::string line_of(const CycleCurve& curve);

}  // namespace forger::metrics
