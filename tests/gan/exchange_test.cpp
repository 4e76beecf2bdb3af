// Runs in other programs: the graph of every view of every recipe computes what the view does, ONNX's checker finds it
// right, weights come back from PyTorch's files as they went, and files that are none run nothing.
#include <cstdlib>
#include <iostream>
#include <random>

#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>

#include "core/autograd.h"
#include "gan/exchange/onnx.h"
#include "gan/exchange/pytorch.h"
#include "gan/exchange/state_dict.h"
#include "nn/layers.h"
#include "nn/spectral_norm.h"
#include "tests/catch.h"
#include "tests/gan/graph_runner.h"
#include "tests/gan/scratch.h"
#include "tests/gan/zipped.h"
#include "tests/op_cases.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::gan::exchange;
using namespace forger::test;

namespace {

// A recipe with weights so large that its results are far from 0.
std::unique_ptr<Recipe> stepped(const RecipeCase& row) {
  auto recipe = make(row, settings_of(row));
  Random random(1);
  recipe->step([&] { return batch_of(row.columns, random); });
  for (const auto& network : recipe->networks())
    for (const nn::Named& p : network.module->parameters())
      copy_into(p.tensor, (p.tensor.detach() + random.normal(p.tensor.shape(), 0, 0.15)).detach(), "test");
  return recipe;
}

Tensor channels_first_value(const Tensor& x) { return x.rank() == 4 ? permute(x, {0, 3, 1, 2}) : x; }

// What a view makes of some rows, beside the ports of its graph.
struct Example {
  std::map<std::string, Tensor> inputs;
  std::vector<Tensor> outputs;
};
Example example_of(Recipe& recipe, const Columns& columns, const NamedGraph& view) {
  Random random(2);
  const View made_by = view_of(recipe, view.name);
  Batch from = made_by.draw ? made_by.draw(case_rows, random) : Batch();
  for (const std::string& given : made_by.given) from.add(given, batch_of(columns, random)[given]);
  Example example;
  for (const nn::Named& input : from.tensors)
    for (const Graph::Port& port : view.graph.inputs)
      if (identifier(input.name) == port.name) example.inputs[port.name] = channels_first_value(input.tensor);
  Trace trace;
  for (const nn::Named& made : recipe.make(made_by, from).tensors)
    example.outputs.push_back(channels_first_value(made.tensor));
  const auto exposed = trace.exposed();
  for (const Trace::Named& one : exposed) example.outputs.push_back(one.tensor);
  return example;
}

double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  REQUIRE(a.dtype() == b.dtype());
  const std::vector<double> x = a.to_vector(), y = b.to_vector();
  double worst = 0;
  for (size_t i = 0; i < x.size(); i++) worst = std::max(worst, std::abs(x[i] - y[i]) / std::max(1.0, std::abs(x[i])));
  return worst;
}

// A checkpoint of the recipe, as a run has it.
nn::Checkpoint checkpoint_of(const Recipe& recipe) {
  nn::Checkpoint run;
  for (const auto& network : recipe.networks()) {
    for (const char* copy : {"", "_average"})
      for (const nn::Named& one : network.module->state())
        run.tensors.push_back({network.name + copy + "." + one.name, clone(one.tensor.detach())});
    for (const nn::Named& one : network.module->parameters())
      run.tensors.push_back({network.name + "_optimizer.m." + one.name, full_like(one.tensor, 3)});
  }
  return run;
}
nn::Checkpoint emptied(nn::Checkpoint run) {
  for (const nn::Named& one : run.tensors) copy_into(one.tensor, full_like(one.tensor, -7), "test");
  return run;
}
// Every weight of `run` and its average is that of the recipe, bit for bit; optimisers know nothing.
void check_back(const nn::Checkpoint& run, const Recipe& recipe) {
  for (const nn::Named& had : checkpoint_of(recipe).tensors) {
    INFO(had.name);
    const bool forgotten = had.name.find("_optimizer.") != had.name.npos;
    CHECK(run.find(had.name)->to_vector() == (forgotten ? full_like(had.tensor, 0) : had.tensor).to_vector());
  }
}

// One line for each view that cannot be exported, and why; nothing else is refused.
const std::map<std::string, std::string> refused{
    {"stylegan", "the view 'judge' is not exported: [affine] scale depends on the number of rows\n"}};

const RecipeCase& dcgan() { return *std::ranges::find(recipe_cases(), "dcgan", &RecipeCase::name); }

}  // namespace

TEST_CASE("exchange: every view of every recipe is a graph that computes the same, with any number of rows") {
  std::map<std::string, std::string> notes_of;
  for_each_recipe([&](const RecipeCase& row) {
    INFO(row.name);
    const auto recipe = stepped(row);
    std::vector<std::string> notes;
    for (const NamedGraph& view : exported_views(*recipe, row.columns, "", notes)) {
      INFO(view.name);
      const Example example = example_of(*recipe, row.columns, view);
      REQUIRE(example.inputs.size() == view.graph.inputs.size());
      const NoGrad no_grad;
      const std::vector<Tensor> made = GraphRunner(view.graph)(example.inputs);
      REQUIRE(made.size() == example.outputs.size());
      for (size_t i = 0; i < made.size(); i++) {
        INFO(view.graph.outputs[i].name);
        CHECK(difference(example.outputs[i], made[i]) < 1e-5);
        const auto [least, most] = std::ranges::minmax(example.outputs[i].to_vector());
        CHECK(most - least > 0.01);  // else the line above says nothing
      }
    }
    for (const std::string& note : notes) notes_of[row.name] += note + "\n";
  });
  CHECK(notes_of == refused);
}

TEST_CASE("exchange: ONNX's checker and its inference of shapes find every model right") {
  for_each_recipe([](const RecipeCase& row) {
    const auto recipe = stepped(row);
    std::vector<std::string> notes;
    for (const NamedGraph& view : exported_views(*recipe, row.columns, "", notes)) {
      INFO(row.name << ", " << view.name);
      onnx::ModelProto model;
      REQUIRE(model.ParseFromString(onnx_model(view.graph, identifier(view.name), "")));
      CHECK_NOTHROW(onnx::checker::check_model(model));
      // Strict: the shapes that the graph says are those that follow from its operators.
      CHECK_NOTHROW(onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(),
                                                       onnx::ShapeInferenceOptions(true, 1, false)));
      CHECK(model.opset_import(0).version() == onnx_opset);
    }
  });
}

TEST_CASE("exchange: weights go to PyTorch's layouts and come back as they were") {
  for_each_recipe([](const RecipeCase& row) {
    INFO(row.name);
    const auto recipe = stepped(row);
    std::vector<std::string> notes;
    const auto model = pytorch_model(*recipe, exported_views(*recipe, row.columns, "", notes), "about");
    notes.clear();
    check_back(with_state_dict(emptied(checkpoint_of(*recipe)), model.weights.tensors, "file", notes), *recipe);
    CHECK(notes.empty());
  });
}

TEST_CASE("exchange: the page that is written of a DCGAN is the one beside the tests") {
  const RecipeCase& row = dcgan();
  const auto recipe = stepped(row);
  std::vector<std::string> notes;
  const auto model = pytorch_model(*recipe, exported_views(*recipe, row.columns, "", notes), "dcgan.");
  const std::string golden = std::string(GOLDEN_DIR) + "/exchange/dcgan.py";
  if (std::getenv("FORGER_WRITE_GOLDEN") != nullptr) std::ofstream(golden) << model.source;
  CHECK(model.source == contents(golden));
}

TEST_CASE("exchange: a state_dict that does not fit is refused by what does not") {
  const RecipeCase& row = dcgan();
  const auto recipe = stepped(row);
  std::vector<std::string> notes;
  const auto all = pytorch_model(*recipe, {}, "").weights.tensors;
  const auto refusal = [&](nn::NamedTensors weights) {
    return error_of<DataError>([&] { with_state_dict(checkpoint_of(*recipe), weights, "w.pt", notes); });
  };
  CHECK(refusal(all).empty());
  CHECK(refusal({}) == "w.pt: holds no weights");
  nn::NamedTensors changed = all;
  changed[0].name = "g.other";
  CHECK(refusal(changed).starts_with("w.pt: this run has no g.other: give"));
  changed[0].name = "g_average." + all[0].name.substr(2);  // what the run holds beside its networks is not for the file
  CHECK(refusal(changed).starts_with("w.pt: this run has no g_average."));
  changed = all;
  changed[0].tensor = channels_last(channels_last(all[0].tensor));
  CHECK(refusal(changed).starts_with("w.pt: other shapes than the run's: " + all[0].name + " ("));
  changed.erase(changed.begin());
  CHECK(refusal(changed) == "w.pt: lacks " + all[0].name);
  changed = all;
  changed.push_back(all[0]);
  CHECK(refusal(changed) == "w.pt: two tensors are " + all[0].name);

  // Wrappers put a word before all names; a network of which the file has nothing keeps its weights.
  nn::NamedTensors wrapped;
  for (const nn::Named& one : all)
    if (one.name.starts_with("g.")) wrapped.push_back({"module." + one.name, one.tensor});
  notes.clear();
  const nn::Checkpoint back = with_state_dict(emptied(checkpoint_of(*recipe)), wrapped, "w.pt", notes);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0] == "the weights of d are the run's: w.pt has none");
  CHECK(back.find("d_average." + recipe->networks()[1].module->parameters()[0].name)->to_vector()[0] == -7);
}

namespace {

class OddView : public Recipe {
 public:
  explicit OddView(std::function<Tensor(const Tensor&)> f)
      : Recipe(settings_for(find_recipe("dcgan"))), f_(std::move(f)) {}
  Readings step(const NextBatch&) override { return {}; }
  std::vector<View> views() override {
    return {{.name = "odd",
             .draw = [this](int64_t n, Random& random) { return Batch().add("z", noise(n, 6, random)); },
             .make = [this](const Batch& from) { return Batch().add("y", f_(from["z"])); }}};
  }

 private:
  std::function<Tensor(const Tensor&)> f_;
};

std::string refusal_of(std::function<Tensor(const Tensor&)> f) {
  OddView recipe(std::move(f));
  std::vector<std::string> notes;
  return error_of<UsageError>([&] { exported_views(recipe, {}, "odd", notes); });
}

}  // namespace

TEST_CASE("exchange: what a graph cannot say is refused by name") {
  const std::string view = "the view 'odd' is not exported: ";
  CHECK(refusal_of([](const Tensor& z) { return z * 2; }).empty());
  CHECK(refusal_of([](const Tensor& z) { return z * static_cast<double>(z.size(0)); }) ==
        view + "[affine] scale depends on the number of rows");
  CHECK(refusal_of([](const Tensor& z) { return z.size(0) == 2 ? exp(z) : sin(z); }) ==
        view + "its ops depend on the number of rows");
  CHECK(refusal_of([](const Tensor& z) { return from_values(z.shape(), z.to_vector()) + z; }) ==
        view + "[add] it is given numbers that are neither weights nor constants (2x6)");
  CHECK(refusal_of([](const Tensor& z) { return from_values(z.shape(), z.to_vector()); }) ==
        view + "no op makes its result 'y'");
  CHECK(refusal_of([](const Tensor& z) { return norm_penalty(z); }) ==
        view + "[norm_penalty] has no word in other programs' graphs");
  CHECK(refusal_of([](const Tensor& z) {
          const int64_t n = z.size(0);
          return reshape(broadcast_to(reshape(z, {1, n, 6}), {n, n, 6}), {n, 6 * n});
        }) == view + "[reshape] two axes follow the number of rows");
}

namespace {

// A row of tests/op_cases.h as a system with one view.
class OpView : public Recipe {
 public:
  explicit OpView(const OpCase& row) : Recipe(settings_for(find_recipe("dcgan"))), row_(row) {}
  Readings step(const NextBatch&) override { return {}; }
  // The inputs of a row, whatever the number of rows; numbers differ a little with it, as far as the domain lets them.
  Batch inputs(int64_t n) const {
    Batch batch;
    for (const Tensor& x : make_inputs(row_, DType::f32)) {
      const bool same = x.dtype() == DType::i64;
      const double factor = 1 - 1e-3 * static_cast<double>(n);
      batch.add(text("x", batch.tensors.size()), same ? x : (x.detach() * factor).detach());
    }
    return batch;
  }
  std::vector<View> views() override {
    return {{.name = "op",
             .draw = [this](int64_t n, Random&) { return inputs(n); },
             .make =
                 [this](const Batch& from) {
                   Batch made;
                   for (const Tensor& y : row_.f(nn::tensors_of(from.tensors)))
                     made.add(text("y", made.tensors.size()), y);
                   return made;
                 }}};
  }

 private:
  const OpCase& row_;
};

// Parts of training, and what others have no operator for.
const std::set<std::string> not_said{
    "[batch_norm] has no word in other programs' graphs",   "[conv_weight_grad] has no word in other programs' graphs",
    "[dropout] has no word in other programs' graphs",      "[mean_loss] has no word in other programs' graphs",
    "[norm_penalty] has no word in other programs' graphs", "[scatter_add] has no word in other programs' graphs",
    "[sum_to] has no word in other programs' graphs",       "[upsample] by a factor that is no integer"};

// check(name, recipe, view, example) of every row that can be said; the reasons of the others.
template <class F>
std::set<std::string> for_each_op(const F& check_row) {
  std::set<std::string> reasons;
  for (const OpCase& row : op_cases()) {
    INFO(row.name);
    OpView recipe(row);
    std::vector<std::string> notes;
    std::vector<NamedGraph> views;
    const std::string start = "the view 'op' is not exported: ";
    const std::string refusal = error_of<UsageError>([&] { views = exported_views(recipe, {}, "", notes); });
    if (refusal.empty()) {
      check_row(row.name, recipe, views, example_of(recipe, {}, views.front()));
    } else {
      CHECK(refusal.starts_with(start));
      reasons.insert(refusal.substr(start.size()));
    }
  }
  // What no row has, and no recipe: a transposed convolution under spectral norm; rows counted from the last one.
  Random random(3);
  const auto layer = std::make_shared<nn::ConvTranspose2d>(3, 2, nn::Extent(4, 3), Conv2dOptions{.stride = 2}, random);
  nn::SpectralNorm normed(layer, random);
  normed.eval();
  const std::map<std::string, std::function<Tensor(const Tensor&)>> others{
      {"transposed under spectral norm",
       [&](const Tensor& z) {
         return normed(reshape(z, {z.size(0), 2, 1, 3}));
       }},
      {"the last row", [](const Tensor& z) { return slice(z, 0, z.size(0) - 1, z.size(0)); }},
      {"all but the last row", [](const Tensor& z) { return slice(z, 0, 0, z.size(0) - 1); }}};
  for (const auto& [name, f] : others) {
    INFO(name);
    OddView recipe(f);
    std::vector<std::string> notes;
    const auto views = exported_views(recipe, {}, "", notes);
    check_row(name, recipe, views, example_of(recipe, {}, views.front()));
  }
  return reasons;
}

}  // namespace

TEST_CASE("exchange: every op is said in graphs, or refused by its name") {
  int compared = 0;
  const auto reasons =
      for_each_op([&](const std::string&, Recipe&, const std::vector<NamedGraph>& views, const Example& example) {
        const NoGrad no_grad;
        const std::vector<Tensor> made = GraphRunner(views.front().graph)(example.inputs);
        for (size_t i = 0; i < made.size(); i++) CHECK(difference(example.outputs[i], made[i]) < 1e-5);
        compared++;
      });
  CHECK(reasons == not_said);
  CHECK(compared > 500);
}

TEST_CASE("exchange: what torch.save wrote is read, whichever way its tensors lie") {
  const nn::NamedTensors read = read_state_dict(std::string(GOLDEN_DIR) + "/exchange/state_dict.pt");
  const auto counted = [](const Shape& shape, const std::vector<double>& places, DType dtype = DType::f32,
                          double of = 8) {
    std::vector<double> values;
    for (const double place : places)
      values.push_back(dtype == DType::f32   ? static_cast<float>(place / of)
                       : dtype == DType::f64 ? place / 8 / 3
                                             : place);
    return from_values(shape, values, dtype);
  };
  std::vector<double> all(24);
  for (size_t i = 0; i < all.size(); i++) all[i] = static_cast<double>(i);
  CHECK(identical(read, {{"plain.weight", counted({2, 3, 4}, all)},
                         {"turned.weight", counted({4, 3}, {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11})},
                         {"part.weight", counted({4}, {5, 6, 7, 8})},
                         {"double.bias", counted({3}, {0, 1, 2}, DType::f64)},
                         {"steps.num_batches_tracked", counted({}, {7}, DType::i64)},
                         {"trained.weight", counted({2}, {0, 1})}}));
}

namespace {

std::string golden_pickle() { return contents(std::string(GOLDEN_DIR) + "/exchange/state_dict.pkl"); }

// A .pt of that pickle, with the storages of the golden one.
std::string pt_of(const std::string& pickle) {
  return zipped({{"x/data.pkl", pickle},
                 {"x/byteorder", "little"},
                 {"x/data/0", std::string(96, '\1')},
                 {"x/data/1", std::string(24, '\2')},
                 {"x/data/2", std::string(8, '\3')}});
}
nn::NamedTensors parsed(const std::string& bytes) { return parse_pt(std::as_bytes(std::span(bytes)), "w.pt"); }
std::string refusal_of(const std::string& bytes) {
  return error_of<DataError>([&] { parsed(bytes); });
}
std::string replaced(std::string bytes, const std::string& what, const std::string& with) {
  REQUIRE(bytes.find(what) != bytes.npos);
  return bytes.replace(bytes.find(what), what.size(), with);
}

}  // namespace

TEST_CASE("exchange: a pickle runs nothing, and what it asks for is named") {
  const std::string good = golden_pickle(), two = "\x80\x02";
  CHECK(refusal_of(pt_of(good)).empty());
  const auto says = [&](const std::string& pickle, const std::string& part) {
    const std::string message = refusal_of(pt_of(pickle));
    INFO(message);
    CHECK(message.find(part) != message.npos);
    CHECK(message.find('\n') == message.npos);
  };
  const Scratch scratch;
  const std::string touch = "touch " + scratch.file("ran");
  const std::string argument = "X" + std::string{static_cast<char>(touch.size()), 0, 0, 0} + touch;
  says(two + "cposix\nsystem\n" + argument + "\x85R.", "asks for 'posix.system'");
  says(two + "c__builtin__\neval\n" + argument + "\x85R.", "asks for '__builtin__.eval'");
  says("\x80\x04\x8c\x05posix\x8c\x06system\x93" + argument + "\x85R.", "asks for 'posix.system'");
  says(two + "(" + argument + "iposix\nsystem\n.", "the instruction 105");  // INST
  says(replaced(good, "torch\nFloatStorage", "torch\nHalfStorage"), "asks for 'torch.HalfStorage'");
  says(replaced(good, "_rebuild_tensor_v2", "_rebuild_qtensor"), "asks for 'torch._utils._rebuild_qtensor'");
  CHECK_FALSE(std::filesystem::exists(scratch.file("ran")));

  says(good.substr(0, good.size() / 2), "ends too early");
  says(two + ".", "the stack is empty");
  says(two + "N.", "holds None, not a state_dict");
  says(two + "}X\1\0\0\0aKas.", "ends too early");
  says(two + std::string("}X\1\0\0\0aK\7s.", 11), "'a' is a number, not a tensor: save the state_dict alone");
  says("\x80\x05.", "protocol 5");
  says(replaced(good, std::string("K\0K\2K\3K\4\x87", 9), std::string("K\1K\2K\3K\4\x87", 9)),
       "beyond its storage of 24");
  says(replaced(good, std::string("K\0K\2K\3K\4\x87", 9), std::string("K\0K\2K\3K\5\x87", 9)),
       "beyond its storage of 24");
  says(replaced(good, std::string("K\0K\2K\3K\4\x87", 9), std::string("K\0J\xff\xff\xff\xffK\3K\4\x87", 12)),
       "no number");
  says(replaced(good, std::string("q\7K\x18", 4), std::string("q\7K\x19", 4)), "should have 25 elements");

  CHECK(refusal_of("PK") == "w.pt: no zip archive that can be read: Not a zip archive");
  CHECK(refusal_of(zipped({{"x/other", ""}})).starts_with("w.pt: holds no data.pkl"));
  CHECK(refusal_of(zipped({{"x/data.pkl", good}})) == "w.pt: holds no data/0");
  CHECK(refusal_of(zipped({{"x/data.pkl", good}, {"x/byteorder", "big"}})) ==
        "w.pt: its numbers are not little-endian");
  std::string damaged = pt_of(good);
  damaged[damaged.find("plain")] = 'P';
  CHECK(refusal_of(damaged) == "w.pt: data.pkl is damaged");
}

namespace {

// Any bytes are tensors, or refused in one line.
void check_spoilt(int count, uint64_t seed) {
  const std::string pickle = golden_pickle(), whole = contents(std::string(GOLDEN_DIR) + "/exchange/state_dict.pt");
  std::mt19937_64 engine(seed);
  const auto below = [&](size_t n) { return static_cast<size_t>(engine() % std::max<size_t>(n, 1)); };
  const size_t live = memory_stats().live_bytes;
  int accepted = 0, refused_ = 0;
  for (int i = 0; i < count; i++) {
    const bool archive = i % 4 == 0;  // else its pickle alone, under a sum that is right
    std::string bytes = archive ? whole : pickle;
    for (uint64_t edits = 1 + engine() % 3; edits > 0; edits--) {
      const size_t at = below(bytes.size());
      switch (below(4)) {
        case 0:
          if (!bytes.empty()) bytes[at] = static_cast<char>(engine());
          break;
        case 1:
          bytes.erase(at, 1 + below(8));
          break;
        case 2:
          bytes.insert(at, bytes.substr(below(bytes.size()), below(60)));
          break;
        default:
          bytes.insert(at, std::string(1, "(.}])tuseaqhjJKMXGRQbN"[below(22)]));
      }
    }
    try {
      parsed(archive ? bytes : pt_of(bytes));
      accepted++;
    } catch (const DataError& error) {
      refused_++;
      CHECK(std::string(error.what()).starts_with("w.pt: "));
    } catch (const ShapeError&) {
      FAIL("a shape that was not looked at");
    }
  }
  CHECK(accepted > count / 100);
  CHECK(refused_ > count / 2);
  CHECK(memory_stats().live_bytes == live);
}

// The words that start a Python with all that is needed; "" when there is none. FORGER_PYTHON names another.
std::string python_with_onnx() {
  const char* named = std::getenv("FORGER_PYTHON");
  for (const std::string& python : {std::string(named == nullptr ? "python3" : named), std::string("/usr/bin/python3")})
    if (std::system((python + " -c 'import torch, onnx, onnxruntime, safetensors' >/dev/null 2>&1").c_str()) == 0)
      return python;
  return "";
}

// All that check_exchange.py looks at.
void write_folder(const Scratch& scratch, const std::string& name, const Recipe& recipe,
                  const std::vector<NamedGraph>& views, const std::vector<Example>& examples) {
  const auto model = pytorch_model(recipe, views, name);
  scratch.write(name + "/model.py", model.source);
  nn::save_checkpoint(scratch.file(name + "/model.safetensors"), model.weights);
  nn::Checkpoint expected;
  for (size_t i = 0; i < views.size(); i++) {
    const std::string view = identifier(views[i].name);
    scratch.write(name + "/" + view + ".onnx", onnx_model(views[i].graph, view, name));
    for (const auto& [port, tensor] : examples[i].inputs) expected.tensors.push_back({view + ".in." + port, tensor});
    for (size_t k = 0; k < examples[i].outputs.size(); k++)
      expected.tensors.push_back({view + ".out." + views[i].graph.outputs[k].name, examples[i].outputs[k]});
  }
  nn::save_checkpoint(scratch.file(name + "/expected.safetensors"), expected);
}

}  // namespace

TEST_CASE("exchange: spoilt .pt files are refused") { check_spoilt(4000, 1); }
TEST_CASE("exchange: a hundred thousand spoilt .pt files are refused", "[long]") { check_spoilt(100000, 2); }

TEST_CASE(
    "exchange: PyTorch and onnxruntime compute what every view and every op does, and weights come back exactly") {
  const std::string python = python_with_onnx();
  if (python.empty()) {
    std::cout << "skipped: no Python with torch, onnx and onnxruntime; FORGER_PYTHON names one\n";
    return;
  }
  const Scratch scratch;
  std::map<std::string, std::unique_ptr<Recipe>> recipes;
  for_each_recipe([&](const RecipeCase& row) {
    const auto& recipe = recipes[row.name] = stepped(row);
    std::vector<std::string> notes;
    const auto views = exported_views(*recipe, row.columns, "", notes);
    std::vector<Example> examples;
    for (const NamedGraph& view : views) examples.push_back(example_of(*recipe, row.columns, view));
    write_folder(scratch, row.name, *recipe, views, examples);
  });
  int ops = 0;
  for_each_op(
      [&](const std::string& name, Recipe& recipe, const std::vector<NamedGraph>& views, const Example& example) {
        write_folder(scratch, text("op-", ops++, ' ', identifier(name)), recipe, views, {example});
      });
  const std::string script = std::string(GOLDEN_DIR) + "/check_exchange.py";
  REQUIRE(std::system(text(python, " '", script, "' '", scratch.path(), "'").c_str()) == 0);
  for (const auto& [name, recipe] : recipes)
    for (const char* file : {"/back.pt", "/back.safetensors"}) {
      INFO(name << file);
      std::vector<std::string> notes;
      check_back(
          with_state_dict(emptied(checkpoint_of(*recipe)), read_state_dict(scratch.file(name + file)), file, notes),
          *recipe);
    }
}
