// One step of every recipe, by Recipe::step itself, against PyTorch's: every reading, every parameter's gradient, every
// running statistic, what is drawn and what is remembered. The files come from tests/golden/make_golden.py:
//
//   before   NET.parameter.I, NET.buffer.I, memory.NAME; batch.K.COLUMN, the K-th batch
//   drawn    draw.K.normal and draw.K.uniform, from the first block of the seed's random numbers
//   after    reading.NAME; NET.gradient.I, of the player's last update; NET.buffer_after.I, memory_after.NAME
//   tested   test.NAME: Recipe::test on the first batch, before the step
//   run      run.NAME: a reading of that step and of those that follow, on the same batches
#include <map>
#include <optional>
#include <set>
#include <string>

#include "nn/checkpoint.h"
#include "tests/catch.h"
#include "tests/nn/support.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::test;

namespace {

// A row's file. What is asked for must be there; what nobody asked for is found out at the end.
class Golden {
 public:
  explicit Golden(const std::string& row)
      : file_(nn::load_checkpoint(std::string(GOLDEN_DIR) + "/recipes/" + row + ".safetensors")) {}

  Tensor operator[](const std::string& name) {
    INFO(name);
    const Tensor* found = file_.find(name);
    REQUIRE(found != nullptr);
    used_.insert(name);
    return *found;
  }
  // The tensors whose names begin so, by the rest of their names.
  nn::NamedTensors under(const std::string& prefix) {
    nn::NamedTensors all;
    for (const auto& [name, tensor] : file_.tensors)
      if (name.starts_with(prefix)) all.push_back({name.substr(prefix.size()), (*this)[name]});
    return all;
  }
  void check_all_used() const {
    for (const auto& [name, tensor] : file_.tensors) {
      INFO(name);
      CHECK(used_.contains(name));
    }
  }

 private:
  nn::Checkpoint file_;
  std::set<std::string> used_;
};

void check_close(const std::string& name, const Tensor& got, const Tensor& wanted, double bound) {
  INFO(name);
  CHECK(relative_error(got, wanted) < bound);
}

void fill(Golden& golden, const std::string& prefix, const nn::NamedTensors& into) {
  for (size_t i = 0; i < into.size(); i++)
    copy_into(into[i].tensor, cast(golden[prefix + std::to_string(i)], into[i].tensor.dtype()), "golden");
}

void check_readings(Golden& golden, const std::string& prefix, const Readings& readings, double bound) {
  for (const auto& [name, value] : readings) check_close(prefix + name, value, golden[prefix + name], bound);
}

// Adam's first moments are the gradients of its last update where beta1 is 0.
Tensor gradient_of(const Recipe& recipe, const Tensor& parameter) {
  for (const auto& player : recipe.players()) {
    const nn::Optimizer& optimizer = player->optimizer();
    const nn::NamedTensors state = optimizer.state();
    for (const auto& [name, tensor] : optimizer.parameters())
      if (tensor.storage() == parameter.storage())
        return std::ranges::find(state, name + ".m", &nn::Named::name)->tensor;
  }
  return {};
}

double length(const nn::NamedTensors& tensors) { return nn::global_norm(nn::tensors_of(tensors)); }

// Of a network: relative to each parameter's own, or to all where that is nothing but rounding, as that of a bias
// before a norm over the batch.
void check_gradients(Golden& golden, const Recipe& recipe, const Recipe::Network& network, double bound) {
  constexpr double rounding = 1e-13;
  const std::string prefix = network.name + ".gradient.";
  const bool trained = std::ranges::any_of(network.module->parameters(), [&](const nn::Named& parameter) {
    return gradient_of(recipe, parameter.tensor).defined();
  });
  if (!trained) return;  // a copy of another one; the file may hold no gradients of it, either
  const double all = length(golden.under(prefix));
  const nn::NamedTensors parameters = network.module->parameters();
  for (size_t i = 0; i < parameters.size(); i++) {
    const Tensor wanted = golden[prefix + std::to_string(i)], got = gradient_of(recipe, parameters[i].tensor);
    INFO(prefix << i << ": " << parameters[i].name);
    REQUIRE(got.defined());
    const bool none = length({{"", wanted}}) < rounding * all;
    if (none) CHECK(length({{"", got}}) < bound * all);
    if (!none) CHECK(relative_error(got, wanted) < bound);
  }
}

// From the first of its seed's numbers on.
void check_draws(Golden& golden, Recipe& recipe, double bound) {
  Random twin(recipe.random().seed());
  for (int k = 0;; k++) {
    const std::string name = "draw." + std::to_string(k) + ".";
    const nn::NamedTensors drawn = golden.under(name);
    if (drawn.empty()) break;
    const auto& [kind, wanted] = drawn.front();
    const bool normal = kind == "normal";
    check_close(
        name + kind,
        normal ? twin.normal(wanted.shape(), 0, 1, recipe.dtype()) : twin.uniform(wanted.shape(), 0, 1, recipe.dtype()),
        wanted, bound);
  }
  CHECK(recipe.random().block == twin.block);  // it drew these, and no more
}

// The readings of a step and of those that follow, relative to the largest of their kind. Rounding grows on the way:
// Adam takes a gradient that is nothing but rounding for a full step.
class Run {
 public:
  void add(const Readings& readings) {
    for (const auto& [name, value] : readings) values_[name].push_back(value.item());
  }
  void check(Golden& golden, double bound) const {
    for (const auto& [name, values] : values_) {
      INFO("run." << name);
      const std::vector<double> wanted = golden["run." + name].to_vector();
      REQUIRE(values.size() == wanted.size());
      Worst error;
      double largest = 0;
      for (size_t i = 0; i < values.size(); i++) {
        error.add(std::abs(values[i] - wanted[i]));
        largest = std::max(largest, std::abs(wanted[i]));
      }
      CHECK(error <= bound * largest);
    }
  }

 private:
  std::map<std::string, std::vector<double>> values_;
};

// `run_bound`: of all steps of the file; none where the first one is enough.
void check_steps(const RecipeCase& row, const std::string& device, DType dtype, double bound,
                 std::optional<double> run_bound) {
  INFO(row.name << " on " << device << " in " << name_of(dtype));
  Golden golden(row.name);
  Settings settings = settings_of(row);
  for (const auto& [key, value] : {std::pair{"lr_g", "1e-3"}, {"lr_d", "1e-3"}, {"beta1", "0"}, {"beta2", "0.9"}})
    settings.set(key, value);
  settings.set("device", device);
  settings.set("dtype", name_of(dtype));
  const auto recipe = make(row, settings);
  for (const auto& network : recipe->networks()) {
    fill(golden, network.name + ".parameter.", network.module->parameters());
    fill(golden, network.name + ".buffer.", network.module->buffers());
  }
  for (const auto& [name, tensor] : recipe->memories())
    copy_into(tensor, cast(golden["memory." + name], dtype), "golden");
  const auto batch = [&](int k) { return Batch{golden.under("batch." + std::to_string(k) + ".")}; };

  check_readings(golden, "test.", recipe->measure(batch(0)), bound);
  recipe->random().block = 0;
  int taken = 0;
  const auto step = [&] {
    taken = 0;
    return recipe->step([&] { return recipe->here(batch(taken++)); });
  };
  const Readings readings = step();
  check_readings(golden, "reading.", readings, bound);
  check_draws(golden, *recipe, bound);
  for (const auto& network : recipe->networks()) {
    check_gradients(golden, *recipe, network, bound);
    const nn::NamedTensors buffers = network.module->buffers();
    for (size_t i = 0; i < buffers.size(); i++) {
      const std::string name = network.name + ".buffer_after." + std::to_string(i);
      check_close(name, buffers[i].tensor, golden[name], bound);
    }
  }
  for (const auto& [name, tensor] : recipe->memories())
    check_close(name, tensor, golden["memory_after." + name], bound);
  const auto steps = golden.under("run.").front().tensor.numel();
  golden.check_all_used();
  if (!run_bound) return;
  Run run;
  run.add(readings);
  for (int64_t k = 1; k < steps; k++) run.add(step());
  run.check(golden, *run_bound);
}

}  // namespace

TEST_CASE("golden: a step of every recipe is PyTorch's, and the readings of the first 20") {
  for_each_recipe([](const RecipeCase& row) {
    check_steps(row, "cpu", DType::f32, 1e-4, {});
    check_steps(row, "cpu", DType::f64, 1e-10, 1e-4);
  });
}

TEST_CASE("golden: a step of every recipe by the CUDA kernels is PyTorch's", "[simt]") {
  for_each_recipe([](const RecipeCase& row) {
    if (row.simt) check_steps(row, "simt", DType::f64, 1e-10, {});
  });
}
