// Every check over every row of tests/op_cases.h.
#include <algorithm>
#include <fstream>
#include <regex>
#include <set>

#include "tests/catch.h"
#include "tests/core/trial.h"
#include "tests/kernels/setting.h"

using namespace forger;
using namespace forger::test;

namespace {

struct WithoutFused {
  WithoutFused() { set_fused(false); }
  ~WithoutFused() { set_fused(true); }
};

struct WithThreads {
  explicit WithThreads(int count) : before(kernels::threads()) { kernels::set_threads(count); }
  ~WithThreads() { kernels::set_threads(before); }
  int before;
};

}  // namespace

TEST_CASE("every op of core/ops.h has a row, and every row an op") {
  std::ifstream file(FORGER_SOURCE_DIR "/core/ops.h");
  REQUIRE(file);
  const std::regex declaration(R"(^(?:Tensor|std::vector<Tensor>) (\w+)\()");
  std::set<std::string> declared, tested;
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (std::regex_search(line, match, declaration)) declared.insert(match[1]);
  }
  for (const OpCase& row : op_cases()) tested.insert(row.op());
  CHECK(declared.size() > 60);
  for (const std::string& op : declared) {
    INFO(op << " has no row in tests/op_cases.h");
    CHECK(tested.count(op) == 1);
  }
  for (const std::string& op : tested) {
    INFO(op << " is not in core/ops.h");
    CHECK(declared.count(op) == 1);
  }
}

TEST_CASE("rows have names of their own") {
  std::set<std::string> names;
  for (const OpCase& row : op_cases()) {
    INFO(row.name);
    CHECK(names.insert(row.name).second);
  }
}

TEST_CASE("gradients agree with differences") {
  for_each_row(true, [](const OpCase& row) { CHECK(Trial(row).first_order_error() < row.tolerance); });
}

TEST_CASE("second gradients agree with differences, towards the inputs and the incoming gradient") {
  for_each_row(true, [](const OpCase& row) { CHECK(Trial(row).second_order_error() < row.tolerance); });
}

TEST_CASE("ops without a gradient carry no history") {
  for_each_row(false, [](const OpCase& row) {
    if (row.differentiable) return;
    Tensors inputs = make_inputs(row, DType::f64);
    for (Tensor& x : inputs) x.set_requires_grad();
    for (const Tensor& y : row.f(inputs)) CHECK_FALSE(y.requires_grad());
  });
}

TEST_CASE("float32 agrees with float64") {
  for_each_row(false, [](const OpCase& row) {
    const Trial narrow(row, DType::f32), wide(row);
    CHECK(relative_error(narrow.outputs(), wide.outputs()) < row.float_tolerance);
    if (row.differentiable) CHECK(relative_error(narrow.gradients(), wide.gradients()) < 10 * row.float_tolerance);
  });
}

TEST_CASE("results have the inputs' dtype") {
  for_each_row(false, [](const OpCase& row) {
    if (row.op() == "cast") return;
    for (DType dtype : {DType::f32, DType::f64}) {
      const DType expected = row.op() == "argmax" ? DType::i64 : dtype;
      const Trial trial(row, dtype);
      for (const Tensor& y : trial.outputs()) CHECK(y.dtype() == expected);
      if (!row.differentiable) continue;
      for (const Tensor& g : trial.gradients()) CHECK(g.dtype() == dtype);
    }
  });
}

TEST_CASE("fused kernels agree with their references") {
  static constexpr double rounding = 1e-10;
  for_each_row(true, [](const OpCase& row) {
    const Trial trial(row);
    const Tensors y = trial.outputs(), first = trial.gradients(), second = trial.second_gradients();
    CHECK(relative_error(trial.gradients({.create_graph = true}), first) < rounding);
    const WithoutFused reference;
    CHECK(relative_error(y, trial.outputs()) < rounding);
    CHECK(relative_error(first, trial.gradients()) < rounding);
    CHECK(relative_error(second, trial.second_gradients()) < rounding);
  });
}

// Differences vouch for the direct way, on few channels; Winograd's takes whole vectors of them.
TEST_CASE("convolutions by Winograd have the values and derivatives of direct ones") {
  struct Layer {
    Shape image, weight;
    int64_t stride, padding;
  };
  const Layer layers[] = {{{2, 8, 8, 16}, {32, 4, 4, 16}, 2, 1},
                          {{3, 7, 10, 16}, {16, 3, 3, 16}, 1, 1},
                          {{2, 9, 6, 16}, {16, 5, 5, 16}, 2, 2}};
  for (const Layer& layer : layers) {
    const Conv2dOptions options{.stride = layer.stride, .padding = layer.padding};
    const Shape map = conv2d(zeros(layer.image), zeros(layer.weight), options).shape();
    std::vector<OpCase> rows(3);
    rows[0].name = text("conv2d by Winograd: ", layer.image);
    rows[0].inputs = {real(layer.image), real(layer.weight)};
    rows[0].f = [=](const Tensors& in) { return Tensors{conv2d(in[0], in[1], options)}; };
    rows[1].name = text("conv_transpose2d by Winograd: ", map);
    rows[1].inputs = {real(map), real(layer.weight)};
    rows[1].f = [=](const Tensors& in) { return Tensors{conv_transpose2d(in[0], in[1], options)}; };
    rows[2].name = text("conv_weight_grad by Winograd: ", layer.image);
    rows[2].inputs = {real(layer.image), real(map)};
    rows[2].f = [=, k = layer.weight[1]](const Tensors& in) {
      return Tensors{conv_weight_grad(in[0], in[1], k, k, options)};
    };
    for (const OpCase& row : rows) {
      INFO(row.name);
      const Trial trial(row);
      const auto all = [&](kernels::ConvMethod method) {
        const kernels::WithConvMethod way(method);
        Tensors results = trial.outputs();
        for (const Tensors& more : {trial.gradients(), trial.second_gradients()})
          results.insert(results.end(), more.begin(), more.end());
        return results;
      };
      const Tensors direct = all(kernels::ConvMethod::direct), winograd = all(kernels::ConvMethod::winograd);
      CHECK(relative_error(winograd, direct) < 1e-12);
      CHECK_FALSE(identical(winograd, direct));
    }
  }
}

TEST_CASE("live bytes return to the baseline after every pass") {
  for_each_row(false, [](const OpCase& row) {
    const Trial trial(row);
    const size_t baseline = memory_stats().live_bytes;
    trial.outputs();
    CHECK(memory_stats().live_bytes == baseline);  // a graph dropped without a backward pass
    if (!row.differentiable) return;
    trial.gradients();
    CHECK(memory_stats().live_bytes == baseline);
    trial.gradients({.retain_graph = true});
    CHECK(memory_stats().live_bytes == baseline);
    trial.gradients({.create_graph = true});
    CHECK(memory_stats().live_bytes == baseline);  // the graph of the gradient dropped unused
    trial.second_gradients();
    CHECK(memory_stats().live_bytes == baseline);
  });
}

TEST_CASE("a run repeats bit for bit at any thread count, and thread counts agree") {
  for_each_row(false, [](const OpCase& row) {
    const Trial trial(row);
    auto run = [&] {
      Tensors all = trial.outputs();
      if (!row.differentiable) return all;
      for (const Tensors& more : {trial.gradients(), trial.second_gradients()}) {
        all.insert(all.end(), more.begin(), more.end());
      }
      return all;
    };
    Tensors one, two;
    for (auto [count, results] : {std::pair{1, &one}, {2, &two}}) {
      const WithThreads threads(count);
      *results = run();
      CHECK(identical(*results, run()));
    }
    CHECK(relative_error(one, two) < 1e-12);
  });
}

TEST_CASE("one gradient alone is the same as among all") {
  static constexpr double rounding = 1e-12;
  for_each_row(true, [](const OpCase& row) {
    const Trial trial(row);
    const Tensors all = trial.gradients(), second = trial.second_gradients();
    for (size_t k = 0; k < all.size(); ++k) {
      INFO("input " << k);
      const Tensors alone{trial.wanted()[k]}, expected{all[k]};
      CHECK(relative_error(grad(trial.outputs(), alone, {}, trial.seeds()), expected) < rounding);
      CHECK(relative_error(grad(trial.outputs(), alone, {.create_graph = true}, trial.seeds()), expected) < rounding);

      // The others do not even require one: the op may then save less.
      Tensors inputs = make_inputs(row, DType::f64);
      Tensors chosen;
      size_t place = 0;
      for (Tensor& x : inputs) {
        if (!x.requires_grad()) continue;
        if (place++ == k) {
          chosen.push_back(x);
        } else {
          x.set_requires_grad(false);
        }
      }
      CHECK(relative_error(grad(row.f(inputs), chosen, {}, trial.seeds()), expected) < rounding);
    }
  });
}
