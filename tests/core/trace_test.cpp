// What a Trace notes of ops: those that are recorded, those without a gradient, what they were told, and wholes.
#include "core/trace.h"

#include "core/autograd.h"
#include "core/ops.h"
#include "tests/catch.h"

using namespace forger;

TEST_CASE("a trace notes every op with what it was told, whether gradients are recorded or not") {
  const Tensor x = ones({2, 3}), index = from_indices(std::vector<int64_t>{1, 0});
  std::vector<Trace::Op> ops;
  {
    const Trace trace;
    const NoGrad no_grad;
    const Tensor y = affine(x, 2, 1);
    gather(greater(y, x), index);
    argmax(reshape(y, {3, 2}));
    slice(y, 1, 1, 3);
    clone(y);
    ops = trace.ops();
  }
  exp(x);
  CHECK(Trace::active() == nullptr);
  std::vector<std::string> names;
  for (const Trace::Op& op : ops) names.push_back(op.name);
  CHECK(names == std::vector<std::string>{"affine", "greater", "gather", "reshape", "argmax", "slice", "clone"});
  CHECK(ops[0].with == Trace::Attributes{{"scale", {2}}, {"shift", {1}}});
  CHECK(ops[1].with.empty());  // told the op before
  CHECK(ops[2].inputs.size() == 2);
  CHECK(ops[2].inputs[1].storage() == index.storage());
  CHECK(ops[3].output.storage() == ops[0].output.storage());  // a view
  CHECK(ops[5].with.at("range") == std::vector<double>{1, std::numeric_limits<double>::infinity()});
}

TEST_CASE("a trace notes a whole in the place of the ops that it is made of") {
  const Tensor x = ones({2, 3});
  const auto doubled_twice = [](const Tensor& t) {
    const Trace::Whole whole;
    return whole.noted("doubled twice", affine(affine(t, 2, 0), 2, 0), {t}, {{"by", {2}}});
  };
  const Trace trace;
  exp(doubled_twice(x));
  REQUIRE(trace.ops().size() == 2);
  CHECK(trace.ops()[0].name == "doubled twice");
  CHECK(trace.ops()[0].with.at("by") == std::vector<double>{2});
  CHECK(trace.ops()[1].with.empty());
  CHECK(trace.ops()[1].inputs[0].storage() == trace.ops()[0].output.storage());
}
