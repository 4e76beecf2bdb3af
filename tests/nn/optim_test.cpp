// Optimisers against their recurrences written out for one number in float64, resuming, averages, schedules, clipping.
#include "nn/optim.h"

#include "core/autograd.h"
#include "nn/layers.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

namespace {

using Values = std::vector<double>;

constexpr int steps = 5;
constexpr int64_t sizes[] = {1, 31, 257, 20000};  // the last is more than one thread's share

NamedTensors make_parameters(DType dtype) {
  NamedTensors list;
  unsigned seed = 1;
  for (const int64_t size : sizes) {
    Tensor p = random_tensor({size}, seed++, dtype);
    p.set_requires_grad();
    list.push_back({"p" + std::to_string(size), p});
  }
  return list;
}

std::vector<Tensor> make_gradients(int step, DType dtype) {
  std::vector<Tensor> list;
  for (const int64_t size : sizes)
    list.push_back(random_tensor({size}, static_cast<unsigned>(100 + step * 10 + list.size()), dtype));
  return list;
}

// One parameter's path: called with each gradient in turn, moves p.
using Recurrence = std::function<void(double& p, double g, int step)>;

// Runs the optimiser for five steps and compares every element with the recurrence.
void check_recurrence(const std::function<std::unique_ptr<Optimizer>(NamedTensors)>& make,
                      const std::function<Recurrence(double lr)>& recurrence) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    INFO(name_of(dtype));
    const NamedTensors parameters = make_parameters(dtype);
    const NamedTensors start = copy_of(parameters);
    const auto optimizer = make(parameters);
    for (int t = 1; t <= steps; t++) optimizer->step(make_gradients(t, dtype));
    for (size_t i = 0; i < parameters.size(); i++) {
      std::vector<Values> gradients;
      for (int t = 1; t <= steps; t++) gradients.push_back(make_gradients(t, dtype)[i].to_vector());
      Values expected = start[i].tensor.to_vector();
      for (size_t e = 0; e < expected.size(); e++) {
        const Recurrence move = recurrence(optimizer->lr);
        for (int t = 1; t <= steps; t++) move(expected[e], gradients[static_cast<size_t>(t - 1)][e], t);
      }
      INFO(parameters[i].name);
      CHECK(largest_difference(parameters[i].tensor.to_vector(), expected) < (dtype == DType::f64 ? 1e-13 : 2e-6));
    }
  }
}

using Maker = std::function<std::unique_ptr<Optimizer>(NamedTensors)>;

std::vector<std::pair<std::string, Maker>> optimizers() {
  return {{"adam",
           [](NamedTensors p) {
             return std::make_unique<Adam>(std::move(p), kernels::AdamSettings{1e-2, 0.5, 0.99, 1e-8, 0.1});
           }},
          {"rmsprop", [](NamedTensors p) { return std::make_unique<RmsProp>(std::move(p), 1e-2); }},
          {"sgd", [](NamedTensors p) { return std::make_unique<Sgd>(std::move(p), 1e-2); }},
          {"sgd with momentum", [](NamedTensors p) { return std::make_unique<Sgd>(std::move(p), 1e-2, 0.9, 0.1); }}};
}

}  // namespace

TEST_CASE("adam follows algorithm 1 of its paper, weight decay decoupled") {
  for (const double decay : {0.0, 0.3}) {
    constexpr double beta1 = 0.9, beta2 = 0.99, eps = 1e-3;
    check_recurrence(
        [&](NamedTensors p) {
          return std::make_unique<Adam>(std::move(p), kernels::AdamSettings{0.05, beta1, beta2, eps, decay});
        },
        [&](double lr) {
          return [=, m = 0.0, v = 0.0](double& p, double g, int t) mutable {
            m = beta1 * m + (1 - beta1) * g;
            v = beta2 * v + (1 - beta2) * g * g;
            const double m_hat = m / (1 - std::pow(beta1, t)), v_hat = v / (1 - std::pow(beta2, t));
            p -= lr * decay * p;
            p -= lr * m_hat / (std::sqrt(v_hat) + eps);
          };
        });
  }
}

TEST_CASE("rmsprop divides by the root of a running mean square") {
  check_recurrence([](NamedTensors p) { return std::make_unique<RmsProp>(std::move(p), 0.02, 0.9, 1e-3); },
                   [](double lr) {
                     return [lr, v = 0.0](double& p, double g, int) mutable {
                       v = 0.9 * v + 0.1 * g * g;
                       p -= lr * g / (std::sqrt(v) + 1e-3);
                     };
                   });
}

TEST_CASE("sgd, with and without momentum and weight decay") {
  for (const double momentum : {0.0, 0.9})
    for (const double decay : {0.0, 0.2})
      check_recurrence([&](NamedTensors p) { return std::make_unique<Sgd>(std::move(p), 0.05, momentum, decay); },
                       [&](double lr) {
                         return [=, velocity = 0.0](double& p, double g, int) mutable {
                           velocity = momentum * velocity + g + decay * p;
                           p -= lr * velocity;
                         };
                       });
}

TEST_CASE("the learning rate may change between steps") {
  const NamedTensors parameters = {{"p", zeros({1}, DType::f64)}};
  Sgd optimizer(parameters, 1);
  const std::vector<Tensor> g = {ones({1}, DType::f64)};
  optimizer.step(g);
  optimizer.lr = 0.25;
  optimizer.step(g);
  CHECK(parameters[0].tensor.item() == -1.25);
  for (const auto& [name, make] : optimizers()) {
    INFO(name);
    const NamedTensors list = make_parameters(DType::f32);
    const auto each = make(list);
    each->step(make_gradients(1, DType::f32));
    const NamedTensors before = copy_of(list);
    each->lr = 0;
    each->step(make_gradients(2, DType::f32));
    CHECK(identical(list, before));
  }
}

TEST_CASE("an undefined gradient leaves its parameter and its moments alone") {
  for (const auto& [name, make] : optimizers()) {
    INFO(name);
    const NamedTensors parameters = make_parameters(DType::f32);
    const auto optimizer = make(parameters);
    const NamedTensors before = copy_of(parameters);
    const NamedTensors state = copy_of(optimizer->state());
    std::vector<Tensor> gradients = make_gradients(1, DType::f32);
    gradients[1] = Tensor();
    optimizer->step(gradients);
    CHECK(parameters[1].tensor.to_vector() == before[1].tensor.to_vector());
    CHECK(parameters[2].tensor.to_vector() != before[2].tensor.to_vector());
    for (size_t i = 0; i < state.size(); i++)
      if (state[i].name.starts_with("p31."))
        CHECK(optimizer->state()[i].tensor.to_vector() == state[i].tensor.to_vector());
  }
}

TEST_CASE("a gradient that does not fit is an error that names the parameter, and nothing moves") {
  for (const auto& [name, make] : optimizers()) {
    INFO(name);
    const NamedTensors parameters = make_parameters(DType::f32);
    const auto optimizer = make(parameters);
    const NamedTensors before = copy_of(parameters), state = copy_of(optimizer->state());
    std::vector<Tensor> gradients = make_gradients(1, DType::f32);
    gradients[2] = zeros({256});
    CHECK(contains(message_of<ShapeError>([&] { optimizer->step(gradients); }),
                   "\"p257\" is float32 257, its gradient is float32 256"));
    gradients[2] = zeros({257}, DType::f64);
    CHECK(contains(message_of<ShapeError>([&] { optimizer->step(gradients); }), "\"p257\""));
    gradients.pop_back();
    CHECK(contains(message_of<ShapeError>([&] { optimizer->step(gradients); }), "4 parameters, 3 gradients"));
    CHECK(identical(parameters, before));
    CHECK(identical(optimizer->state(), state));
  }
}

TEST_CASE("lists that no optimiser can take are refused") {
  const Tensor p = zeros({2});
  CHECK_THROWS_AS(Sgd({}, 0.1), UsageError);
  CHECK(contains(message_of<UsageError>([&] {
                   Sgd({{"a", p}, {"b", zeros({2}, DType::f64)}}, 0.1);
                 }),
                 "\"b\" is float64"));
  CHECK(contains(message_of<UsageError>([&] {
                   Sgd({{"a", p}, {"a", zeros({2})}}, 0.1);
                 }),
                 "two parameters are named \"a\""));
  CHECK(contains(message_of<UsageError>([&] {
                   Sgd({{"a", p}, {"b", p}}, 0.1);
                 }),
                 "\"b\" is in the list a second time"));
}

TEST_CASE("step() takes what backward left, zero_grad drops it") {
  Random random(1);
  Linear layer(2, 1, random, false, DType::f64);
  Sgd optimizer(layer.parameters(), 0.5);
  const Values before = layer.weight.to_vector();
  const Tensor x = from_values({1, 2}, Values{3, -1}, DType::f64);
  backward(sum(layer(x)));
  optimizer.step();
  CHECK(layer.weight.to_vector() == Values{before[0] - 1.5, before[1] + 0.5});
  optimizer.zero_grad();
  CHECK_FALSE(layer.weight.grad().defined());
  optimizer.step();  // no gradient: nothing moves
  CHECK(layer.weight.to_vector() == Values{before[0] - 1.5, before[1] + 0.5});
}

TEST_CASE("a step counts as a write: an older graph cannot be used afterwards") {
  for (const auto& [name, make] : optimizers()) {
    INFO(name);
    Random random(1);
    Linear layer(2, 1, random);
    const auto optimizer = make(layer.parameters());
    Tensor x = random_tensor({3, 2}, 1, DType::f32);
    x.set_requires_grad();
    const Tensor loss = sum(layer(x));
    optimizer->step(std::vector<Tensor>{ones({1, 2}), ones({1})});
    CHECK_THROWS_AS(backward(loss), AutogradError);
  }
}

TEST_CASE("state names every moment, in order") {
  const NamedTensors parameters = {{"0.weight", zeros({3, 2})}, {"0.bias", zeros({3})}};
  const auto names = [](const Optimizer& optimizer) {
    std::vector<std::string> out;
    for (const auto& named : optimizer.state()) out.push_back(named.name);
    return out;
  };
  using Names = std::vector<std::string>;
  const Adam adam(parameters, {});
  CHECK(names(adam) == Names{"steps", "leaders", "0.weight.m", "0.bias.m", "0.weight.v", "0.bias.v"});
  CHECK(adam.state()[0].tensor.dtype() == DType::f64);
  CHECK(adam.state()[2].tensor.shape() == Shape{3, 2});
  CHECK(names(RmsProp(parameters, 0.1)) == Names{"0.weight.v", "0.bias.v"});
  CHECK(names(Sgd(parameters, 0.1)) == Names{});
  CHECK(names(Sgd(parameters, 0.1, 0.9)) == Names{"0.weight.velocity", "0.bias.velocity"});
}

TEST_CASE("two steps, saved, loaded elsewhere and three more are five steps, bit for bit") {
  for (const auto& [name, make] : optimizers()) {
    INFO(name);
    const NamedTensors straight = make_parameters(DType::f32), first = make_parameters(DType::f32),
                       resumed = make_parameters(DType::f32);
    const auto a = make(straight), b = make(first), c = make(resumed);
    for (int t = 1; t <= 5; t++) a->step(make_gradients(t, DType::f32));
    for (int t = 1; t <= 2; t++) b->step(make_gradients(t, DType::f32));
    load_state(resumed, first);
    load_state(c->state(), b->state());
    for (int t = 3; t <= 5; t++) c->step(make_gradients(t, DType::f32));
    CHECK(identical(straight, resumed));
    CHECK(identical(a->state(), c->state()));
    if (name == "adam") CHECK(c->state()[0].tensor.to_vector() == Values(std::size(sizes), 5));
  }
}

TEST_CASE("adam counts the updates of each parameter, and is resumed with all counts") {
  const auto missing = [](int step, size_t i) {  // together at first, then each in a rhythm of its own
    return step > 3 && step % static_cast<int>(i + 2) == 0;
  };
  const auto gradients = [&](int step) {
    std::vector<Tensor> list = make_gradients(step, DType::f64);
    for (size_t i = 0; i < list.size(); i++)
      if (missing(step, i)) list[i] = Tensor();
    return list;
  };
  const kernels::AdamSettings settings{.lr = 0.1, .beta1 = 0.5, .beta2 = 0.9};
  const NamedTensors together = make_parameters(DType::f64), alone = make_parameters(DType::f64);
  auto adam = std::make_unique<Adam>(together, settings);
  std::vector<std::unique_ptr<Adam>> each;
  for (const auto& named : alone) each.push_back(std::make_unique<Adam>(NamedTensors{named}, settings));
  for (int step = 1; step <= 12; step++) {
    if (step == 8) {  // goes on in another optimiser
      auto resumed = std::make_unique<Adam>(together, settings);
      load_state(resumed->state(), adam->state());
      adam = std::move(resumed);
    }
    adam->step(gradients(step));
    for (size_t i = 0; i < each.size(); i++)
      if (!missing(step, i)) each[i]->step(std::vector<Tensor>{gradients(step)[i]});
  }
  CHECK(identical(together, alone));
}

// ---- averages ----

TEST_CASE("ema warms up, then decays, and copies buffers") {
  BatchNorm module(1, {}, 0.1, DType::f64);
  const auto set = [&](double value) {
    copy_into(module.weight, full({1}, value, DType::f64), "test");
    copy_into(module.running_mean, full({1}, -value, DType::f64), "test");
  };
  set(1);
  Ema ema(module, 0.2);
  double expected = 1;
  for (int t = 0; t < 6; t++) {
    const double value = 3 + t * t;
    set(value);
    ema.update();
    const double decay = std::min(0.2, (1.0 + t) / (10.0 + t));  // 0.1, 0.1818, then 0.2
    expected += (1 - decay) * (value - expected);
    const NamedTensors state = ema.state();
    REQUIRE(state.size() == 5);
    CHECK(state[0].name == "weight");
    CHECK(state[0].tensor.item() == Approx(expected).epsilon(1e-14));
    CHECK(state[2].name == "running_mean");
    CHECK(state[2].tensor.item() == -value);
    CHECK(state[4].name == "updates");
    CHECK(state[4].tensor.item() == t + 1);
  }
}

TEST_CASE("ema swaps averages in and out, in place") {
  Random random(1);
  BatchNorm module(2);
  Ema ema(module, 0.9);
  copy_into(module.weight, full({2}, 5), "test");
  ema.update();
  copy_into(module.bias, full({2}, 7), "test");
  copy_into(module.running_var, full({2}, 9), "test");
  const NamedTensors live = copy_of(module.state()), averaged = copy_of(ema.state());
  const Tensor handle = module.weight;
  ema.swap();
  CHECK(handle.to_vector() == averaged[0].tensor.to_vector());
  CHECK(handle.to_vector() != live[0].tensor.to_vector());
  CHECK(module.running_var.to_vector() == Values{1, 1});
  CHECK_THROWS_AS(ema.update(), Error);
  ema.swap();
  CHECK(identical(module.state(), live));
  CHECK(identical(ema.state(), averaged));
  ema.update();
}

TEST_CASE("ema resumes from its state") {
  const auto run = [](Ema& ema, const BatchNorm& module, int from, int to) {
    for (int t = from; t < to; t++) {
      copy_into(module.weight, random_tensor({40}, static_cast<unsigned>(t), DType::f32), "test");
      ema.update();
    }
  };
  BatchNorm a(40), b(40);
  Ema straight(a, 0.5), first(a, 0.5), resumed(b, 0.5);
  run(straight, a, 1, 20);
  run(first, a, 1, 7);
  load_state(resumed.state(), first.state());
  run(resumed, b, 7, 20);
  CHECK(identical(straight.state(), resumed.state()));
}

// ---- schedules ----

TEST_CASE("schedules") {
  CHECK(find_schedule("constant")(30, 40) == 1);
  const Schedule linear = find_schedule("linear"), cosine = find_schedule("cosine");
  CHECK(linear(0, 40) == 1);
  CHECK(linear(10, 40) == 0.75);
  CHECK(linear(40, 40) == 0);
  CHECK(cosine(0, 40) == 1);
  CHECK(cosine(10, 40) == Approx((1 + std::sqrt(0.5)) / 2));
  CHECK(cosine(20, 40) == Approx(0.5));
  CHECK(cosine(40, 40) == Approx(0).margin(1e-15));
  for (const Schedule schedule : {linear, cosine}) {
    CHECK(schedule(50, 40) == Approx(0).margin(1e-15));  // a run that goes on past its length
    CHECK(schedule(0, 0) == 1);
  }
  const std::string message = message_of<UsageError>([] { find_schedule("step"); });
  for (const char* part : {"\"step\"", "constant", "linear", "cosine"}) CHECK(contains(message, part));
}

// ---- norms of gradients ----

TEST_CASE("accumulate adds in place, like to like") {
  const std::vector<Tensor> sums = {from_values({2}, Values{3, 4}, DType::f64), full({1, 1}, 12, DType::f64)};
  accumulate(sums, std::vector{from_values({2}, Values{1, -4}, DType::f64), full({1, 1}, 0.5, DType::f64)});
  CHECK(sums[0].to_vector() == Values{4, 0});
  CHECK(sums[1].to_vector() == Values{12.5});
  CHECK_THROWS_AS(accumulate(sums, std::vector{sums[0]}), ShapeError);
  CHECK_THROWS_AS(accumulate(sums, std::vector{sums[0], full({1}, 1, DType::f64)}), ShapeError);
  accumulate({}, {});
}

TEST_CASE("the global norm is over all elements of all tensors") {
  const std::vector<Tensor> list = {from_values({2}, Values{3, 4}, DType::f64), Tensor(),
                                    from_values({1, 1}, Values{12}, DType::f64)};
  CHECK(global_norm(list) == Approx(13).epsilon(1e-14));
  CHECK(global_norm({}) == 0);
}

TEST_CASE("clipping scales to the maximum, and only downwards") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const std::vector<Tensor> list = {from_values({2}, Values{3, 4}, dtype), Tensor(),
                                      from_values({1}, Values{12}, dtype)};
    CHECK(clip_global_norm(list, 20) == Approx(13));
    CHECK(list[0].to_vector() == Values{3, 4});
    CHECK(clip_global_norm(list, 6.5) == Approx(13));
    CHECK(largest_difference(list[0].to_vector(), {1.5, 2}) < 1e-6);
    CHECK(largest_difference(list[2].to_vector(), {6}) < 1e-6);
    CHECK(global_norm(list) == Approx(6.5));
  }
}

TEST_CASE("a norm that is not finite scales nothing") {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Tensor> list = {from_values({2}, Values{3, infinity}, DType::f64)};
  CHECK(clip_global_norm(list, 1) == infinity);
  CHECK(list[0].to_vector() == Values{3, infinity});
  const std::vector<Tensor> bad = {from_values({2}, Values{3, std::nan("")}, DType::f64)};
  CHECK(std::isnan(clip_global_norm(bad, 1)));
  CHECK(bad[0].to_vector()[0] == 3);
}

TEST_CASE("gradients that share memory are scaled once, and nobody else's memory is") {
  const Tensor a = ones({3}).set_requires_grad(), b = ones({3}).set_requires_grad();
  const Tensor sum_of = a + b, seed = full({3}, 1.0);
  const std::vector<Tensor> inputs{a, b};
  const auto gradients = grad(std::span(&sum_of, 1), inputs, {}, std::span(&seed, 1));
  CHECK(gradients[0].storage() != gradients[1].storage());
  CHECK(clip_global_norm(gradients, 1) == Approx(std::sqrt(6.0)));
  for (const Tensor& g : gradients) CHECK(largest_difference(g.to_vector(), Values(3, 1 / std::sqrt(6.0))) < 1e-6);
  CHECK(seed.to_vector() == Values{1, 1, 1});

  const Tensor shared = ones({3});
  const std::vector<Tensor> list{shared, reshape(shared, {3, 1}), shared};
  clip_global_norm(list, 1);
  CHECK(largest_difference(shared.to_vector(), Values(3, 1.0 / 3)) < 1e-6);  // the norm counts all nine numbers
}

TEST_CASE("what grad returns is its own memory: of views, seeds and tensors asked for twice") {
  const Tensor x = ones({2, 2}).set_requires_grad();
  const Tensor y = reshape(x, {4}), seed = full({4}, 2.0);
  const std::vector<Tensor> twice{x, x};
  for (const bool retain : {false, true}) {
    const Tensor again = reshape(x, {4});
    const auto found = grad(std::span(&again, 1), twice, {.retain_graph = retain}, std::span(&seed, 1));
    CHECK(found[0].storage() != seed.storage());
    CHECK(found[0].storage() != found[1].storage());
    CHECK(found[1].to_vector() == Values{2, 2, 2, 2});
  }
}
