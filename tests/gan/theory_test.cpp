// The figures of theory: what was trained beside what is known.
#include "gan/theory.h"

#include <cmath>
#include <map>

#include "tests/catch.h"

using namespace forger::gan;

namespace {

const Plot& named(const std::vector<Plot>& plots, const std::string& name) {
  for (const Plot& plot : plots)
    if (plot.name == name) return plot;
  FAIL("no figure " << name);
  return plots.front();
}

const Plot::Curve& curve(const Plot& plot, const std::string& name) {
  for (const Plot::Curve& each : plot.curves)
    if (each.name == name) return each;
  FAIL("no curve " << name);
  return plot.curves.front();
}

void check_near(const Plot& plot, const std::string& known, const std::string& trained, double share, double margin) {
  const Plot::Curve &line = curve(plot, known), &dots = curve(plot, trained);
  REQUIRE(line.x == dots.x);
  REQUIRE(line.x.size() > 3);
  for (size_t i = 0; i < line.x.size(); i++) {
    INFO(plot.name << ", " << trained << " at " << line.x[i]);
    CHECK(dots.y[i] == Approx(line.y[i]).epsilon(share).margin(margin));
  }
}

}  // namespace

TEST_CASE("theory: trained discriminators come to what is known in closed form") {
  const std::vector<Plot> plots = theory_plots({.steps = 500});
  REQUIRE(plots.size() == 6);

  const Plot& best = named(plots, "optimal-discriminator");
  const Plot::Curve &p = curve(best, "p, the data"), &q = curve(best, "q, the generator"),
                    &ratio = curve(best, "p / (p + q)"), &d = curve(best, "D(x), trained");
  for (size_t i = 0, k = 0; i < d.x.size(); i++) {
    while (ratio.x[k] < d.x[i]) k++;
    REQUIRE(ratio.x[k] == d.x[i]);
    INFO("x = " << d.x[i]);
    if (p.y[k] + q.y[k] > 0.05) CHECK(d.y[i] == Approx(ratio.y[k]).margin(0.03));  // where there are samples
  }

  check_near(named(plots, "game-value"), "2 JSD - log 4", "V(G, D), trained", 0.005, 2e-3);
  const Plot& apart = named(plots, "supports");
  check_near(apart, "JSD", "JSD, (V + log 4) / 2 of a trained D", 0.01, 1e-3);
  check_near(apart, "Wasserstein distance", "Wasserstein, of a trained critic", 0.05, 1e-3);

  const Plot& divergences = named(plots, "divergences");
  CHECK(divergences.curves.size() == 14);
  for (const char* name : {"kl", "reverse-kl", "pearson", "neyman", "hellinger", "js", "gan"})
    check_near(divergences, name, std::string(name) + ", trained", 0.02, 0);
  // Of two Gaussians one apart: KL is 1/2, chi-square e - 1, squared Hellinger 2 - 2 e^(-1/8).
  CHECK(curve(divergences, "kl").y.back() == Approx(0.5).epsilon(1e-5));
  CHECK(curve(divergences, "reverse-kl").y.back() == Approx(0.5).epsilon(1e-5));
  CHECK(curve(divergences, "pearson").y.back() == Approx(std::exp(1.0) - 1).epsilon(1e-4));
  CHECK(curve(divergences, "hellinger").y.back() == Approx(2 - 2 * std::exp(-0.125)).epsilon(1e-5));

  const Plot& slopes = named(plots, "generator-gradients");
  for (const auto& [name, rejected, accepted] :
       {std::tuple{"minimax", 0.0, 1.0}, std::tuple{"non-saturating", 1.0, 0.0}}) {
    CHECK(curve(slopes, name).y.front() == Approx(rejected).margin(1e-3));
    CHECK(curve(slopes, name).y.back() == Approx(accepted).margin(1e-3));
  }

  const Plot& fit = named(plots, "likelihood");
  const Plot::Curve &likelihood = curve(fit, "mean log-likelihood"), &kl = curve(fit, "-KL(data || model)");
  for (size_t i = 0; i < kl.x.size(); i++)
    CHECK(likelihood.y[i] - kl.y[i] == Approx(likelihood.y[0] - kl.y[0]).epsilon(1e-6));
  CHECK(kl.x[static_cast<size_t>(std::ranges::max_element(kl.y) - kl.y.begin())] == Approx(0.25));  // the data's mean
}

TEST_CASE("plots: every point is drawn once, what is not finite is left out, and the CSV has all") {
  const Plot plot{.name = "p",
                  .title = "a < b",
                  .caption = "",
                  .x_label = "x",
                  .y_label = "y",
                  .curves = {{"line", {0, 1, 2}, {1, std::nan(""), 3}}, {"dots", {0, 1}, {2, 2}, true}}};
  const std::string svg = svg_of(plot);
  CHECK(svg.find("a &lt; b") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  size_t circles = 0;
  for (size_t at = 0; (at = svg.find("<circle", at)) != svg.npos; at++) circles++;
  CHECK(circles == 3);  // one of them in the legend
  CHECK(csv_of(plot) == "curve,x,y\n\"line\",0,1\n\"line\",1,nan\n\"line\",2,3\n\"dots\",0,2\n\"dots\",1,2\n");
  CHECK(ticks({0, 1}, 5) == std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1});
  CHECK(svg_of({.name = "", .title = "", .caption = "", .x_label = "", .y_label = "", .curves = {}})
            .ends_with("</svg>\n"));
}
