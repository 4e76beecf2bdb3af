// Expectations are sums over a fine grid weighted by the densities, not samples: what is left of a trained bound's
// distance to its closed form is the discriminator's alone.
#include "gan/theory.h"

#include <cmath>
#include <numbers>

#include "core/autograd.h"
#include "gan/divergences.h"
#include "gan/networks/mlp.h"
#include "gan/objectives.h"
#include "gan/penalties.h"
#include "nn/optim.h"

namespace forger::gan {
namespace {

constexpr int64_t width = 64;  // units of a discriminator's two hidden layers
constexpr double rate = 3e-3;  // of Adam at the beginning, falling to 0 by a cosine

// ---- two densities on a grid ----

struct Grid {
  std::vector<double> x, p, q;  // densities times the distance of grid points: they sum to 1
  Tensor points, weights_p, weights_q;
};

double gaussian(double x, double mean, double stddev) {
  const double z = (x - mean) / stddev;
  return std::exp(-z * z / 2) / (stddev * std::sqrt(2 * std::numbers::pi));
}

using Density = std::function<double(double)>;

Grid grid_of(const Density& p, const Density& q, double low, double high) {
  constexpr int64_t n = 801;
  Grid grid;
  const double distance = (high - low) / (n - 1);
  for (int64_t i = 0; i < n; i++) {
    grid.x.push_back(low + distance * static_cast<double>(i));
    grid.p.push_back(p(grid.x.back()) * distance);
    grid.q.push_back(q(grid.x.back()) * distance);
  }
  grid.points = from_values({n, 1}, grid.x, DType::f64);
  grid.weights_p = from_values({n}, grid.p, DType::f64);
  grid.weights_q = from_values({n}, grid.q, DType::f64);
  return grid;
}

// N(0, 1) and N(distance, 1), as far as they matter.
Grid two_gaussians(double distance) {
  return grid_of([](double x) { return gaussian(x, 0, 1); }, [=](double x) { return gaussian(x, distance, 1); }, -6,
                 6 + distance);
}

double sum_over(const Grid& grid, const std::function<double(double p, double q)>& term) {
  double total = 0;
  for (size_t i = 0; i < grid.x.size(); i++)
    if (grid.p[i] > 0 && grid.q[i] > 0) total += term(grid.p[i], grid.q[i]);
  return total;
}

// KL(p || m) / 2 + KL(q || m) / 2, m = (p + q) / 2, in nats.
double js_divergence(const Grid& grid) {
  return sum_over(
      grid, [](double p, double q) { return 0.5 * (p * std::log(2 * p / (p + q)) + q * std::log(2 * q / (p + q))); });
}

// ---- training ----

// Adam on `loss` of a discriminator of points of so many numbers; the network as it is then.
nn::LayerPtr train(const TheoryOptions& options, int64_t dims, const std::function<Tensor(const nn::LayerPtr&)>& loss) {
  Random random(options.seed);
  const nn::LayerPtr d = mlp_discriminator(width, {dims}, DNorm::none, random);
  d->to(DType::f64);
  nn::Adam adam(d->parameters(), {.lr = rate, .beta1 = 0.9, .beta2 = 0.999});
  const std::vector<Tensor> parameters = nn::tensors_of(d->parameters());
  for (int64_t step = 0; step < options.steps; step++) {
    adam.lr = rate * nn::cosine_schedule(step, options.steps);
    const Tensor value = loss(d);
    adam.step(grad(std::span(&value, 1), parameters));
  }
  return d;
}

// E_p real(D) + E_q fake(D), as an objective has it.
Tensor expected(const Objective& objective, const nn::LayerPtr& d, const Grid& grid) {
  const Tensor out = (*d)(grid.points);
  return sum(grid.weights_p * objective.real(out)) + sum(grid.weights_q * objective.fake(out));
}

nn::LayerPtr best_discriminator(const TheoryOptions& options, const Objective& objective, const Grid& grid) {
  return train(options, 1, [&](const nn::LayerPtr& d) { return expected(objective, d, grid); });
}

// ---- the figures ----

// A point of each of the first curves.
void add(Plot& plot, double x, std::initializer_list<double> values) {
  auto curve = plot.curves.begin();
  for (const double y : values) {
    curve->x.push_back(x);
    (curve++)->y.push_back(y);
  }
}

Plot optimal_discriminator(const TheoryOptions& options) {
  const auto p = [](double x) { return 0.6 * gaussian(x, -1.5, 0.6) + 0.4 * gaussian(x, 1.5, 0.9); };
  const auto q = [](double x) { return gaussian(x, 0.3, 1.2); };
  const Grid grid = grid_of(p, q, -5, 5);
  const nn::LayerPtr d = best_discriminator(options, find_objective("non-saturating"), grid);
  const std::vector<double> trained = sigmoid((*d)(grid.points)).to_vector();
  Plot plot{.name = "optimal-discriminator",
            .title = "The best discriminator knows the densities' ratio",
            .caption =
                "For a fixed generator the discriminator that minimises its loss is D*(x) = p(x) / (p(x) + q(x)) "
                "(Goodfellow et al. 2014, proposition 1).",
            .x_label = "x",
            .y_label = "density; D(x)",
            .curves = {{"p, the data", {}, {}},
                       {"q, the generator", {}, {}},
                       {"p / (p + q)", {}, {}},
                       {"D(x), trained", {}, {}, true}}};
  for (size_t i = 0; i < grid.x.size(); i += 4) {
    const double x = grid.x[i];
    const double ratio = p(x) / (p(x) + q(x));
    if (i % 16 == 0)
      add(plot, x, {p(x), q(x), ratio, trained[i]});
    else
      add(plot, x, {p(x), q(x), ratio});
  }
  return plot;
}

Plot game_value(const TheoryOptions& options) {
  Plot plot{.name = "game-value",
            .title = "What the best discriminator's loss measures",
            .caption =
                "p = N(0, 1), q = N(distance, 1). V(G, D) = E_p log D + E_q log(1 - D) of a trained D comes to "
                "2 JSD(p, q) - log 4: from -log 4, where the two are one, to 0, where they have nothing in common.",
            .x_label = "distance of the means",
            .y_label = "V(G, D)",
            .curves = {{"2 JSD - log 4", {}, {}}, {"V(G, D), trained", {}, {}, true}}};
  const Objective& objective = find_objective("non-saturating");
  for (double distance = 0; distance <= 6; distance += 0.5) {
    const Grid grid = two_gaussians(distance);
    const nn::LayerPtr d = best_discriminator(options, objective, grid);
    add(plot, distance, {2 * js_divergence(grid) - std::log(4.0), -expected(objective, d, grid).item()});
  }
  return plot;
}

Plot supports(const TheoryOptions& options) {
  Plot plot{.name = "supports",
            .title = "Two lines that move apart",
            .caption =
                "p is uniform on the line from (0, 0) to (0, 1), q on that from (d, 0) to (d, 1) (Arjovsky et al. "
                "2017, example 1). Their JSD is log 2 at any distance but 0 and tells the generator nothing; the "
                "Wasserstein distance is |d|. The critic's slope is held at 1 by the one-sided penalty, lambda = "
                "100.",
            .x_label = "distance d",
            .y_label = "JSD in nats; Wasserstein distance",
            .curves = {{"JSD", {}, {}},
                       {"Wasserstein distance", {}, {}},
                       {"JSD, (V + log 4) / 2 of a trained D", {}, {}, true},
                       {"Wasserstein, of a trained critic", {}, {}, true}}};
  constexpr int64_t n = 64;
  constexpr double lambda = 100;
  const Objective& objective = find_objective("non-saturating");
  const Penalty& one_sided = find_penalty("lp");
  const auto line = [](double at) {
    std::vector<double> points;
    for (int64_t i = 0; i < n; i++) points.insert(points.end(), {at, (static_cast<double>(i) + 0.5) / n});
    return from_values({n, 2}, points, DType::f64);
  };
  const Tensor real = line(0);
  for (const double distance : {0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0}) {
    const Tensor fake = line(distance);
    const auto both = [&](const nn::LayerPtr& d) {
      return objective.real.mean((*d)(real)) + objective.fake.mean((*d)(fake));
    };
    const nn::LayerPtr d = train(options, 2, both);
    const auto gap = [&](const nn::LayerPtr& critic) { return mean((*critic)(real)) - mean((*critic)(fake)); };
    Random random(options.seed, /*stream=*/1);
    const nn::LayerPtr critic = train(options, 2, [&](const nn::LayerPtr& c) {
      const Tensor u = random.uniform(noise_of(one_sided.at, real.shape()), 0, 1, DType::f64);
      return lambda * slope_term(
                          one_sided, [&](const Tensor& x) { return (*c)(x); }, points(one_sided.at, real, fake, u)) -
             gap(c);
    });
    add(plot, distance,
        {distance > 0 ? std::log(2.0) : 0, distance, (std::log(4.0) - both(d).item()) / 2, gap(critic).item()});
  }
  return plot;
}

Plot generator_gradients() {
  Plot plot{.name = "generator-gradients",
            .title = "What a generator learns from a verdict",
            .caption =
                "The slope of the generator's loss by D's raw output a, D = s(a). Where D rejects a fake with "
                "confidence, far on the left, the saturating loss log(1 - s(a)) has no slope left; the "
                "non-saturating one, -log s(a), has its full one.",
            .x_label = "a, D's raw output for a fake",
            .y_label = "|d loss / d a|",
            .curves = {}};
  std::vector<double> a;
  for (double at = -8; at <= 8.001; at += 0.25) a.push_back(at);
  for (const char* name : {"minimax", "non-saturating"}) {
    Tensor out = from_values({std::ssize(a)}, a, DType::f64);
    out.set_requires_grad();
    plot.curves.push_back({name, a, abs(grad(find_objective(name).generator(out), out)).to_vector()});
  }
  return plot;
}

Plot bounds(const TheoryOptions& options) {
  Plot plot{.name = "divergences",
            .title = "Every f-divergence has a discriminator",
            .caption =
                "p = N(0, 1), q = N(distance, 1). The bound E_p T - E_q f*(T) of a trained T = g(D) (dots) comes "
                "to the closed form of D_f(p || q) (lines).",
            .x_label = "distance of the means",
            .y_label = "divergence",
            .curves = {}};
  std::vector<Plot::Curve> measured;
  for (const Divergence& f : divergences()) {
    Plot::Curve closed{f.name, {}, {}}, trained{f.name + ", trained", {}, {}, true};
    const Objective& objective = find_objective("fgan-" + f.name);
    for (const double distance : {0.25, 0.5, 0.75, 1.0}) {
      const Grid grid = two_gaussians(distance);
      const nn::LayerPtr d = best_discriminator(options, objective, grid);
      closed.x.push_back(distance);
      closed.y.push_back(sum_over(grid, [&](double p, double q) { return q * f.f(p / q); }));
      trained.x.push_back(distance);
      trained.y.push_back(-expected(objective, d, grid).item());
    }
    plot.curves.push_back(std::move(closed));
    measured.push_back(std::move(trained));
  }
  plot.curves.insert(plot.curves.end(), measured.begin(), measured.end());
  return plot;
}

Plot likelihood() {
  Plot plot{.name = "likelihood",
            .title = "Maximum likelihood is minimal KL",
            .caption =
                "Data of 0.5 N(-1, 0.5) + 0.5 N(1.5, 1), a model N(mean, 1.6). The mean log-likelihood and "
                "-KL(data || model) differ by the data's entropy alone, so that one mean is best for both.",
            .x_label = "mean of the model",
            .y_label = "nats",
            .curves = {{"mean log-likelihood", {}, {}}, {"-KL(data || model)", {}, {}}}};
  const auto data = [](double x) { return 0.5 * gaussian(x, -1, 0.5) + 0.5 * gaussian(x, 1.5, 1); };
  for (double mean = -2; mean <= 2.501; mean += 0.125) {
    const Grid grid = grid_of(
        data, [=](double x) { return gaussian(x, mean, 1.6); }, -9, 9);
    const double distance = grid.x[1] - grid.x[0];
    add(plot, mean,
        {sum_over(grid, [=](double p, double q) { return p * std::log(q / distance); }),
         -sum_over(grid, [](double p, double q) { return p * std::log(p / q); })});
  }
  return plot;
}

}  // namespace

std::vector<Plot> theory_plots(const TheoryOptions& options) {
  const std::function<Plot()> figures[] = {[&] { return optimal_discriminator(options); },
                                           [&] { return game_value(options); },
                                           [&] { return supports(options); },
                                           generator_gradients,
                                           [&] { return bounds(options); },
                                           likelihood};
  std::vector<Plot> plots;
  for (const auto& figure : figures) {
    if (options.ticker) options.ticker(std::ssize(plots), std::ssize(figures));
    plots.push_back(figure());
  }
  return plots;
}

}  // namespace forger::gan
