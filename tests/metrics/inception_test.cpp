// Inception on made-up weights against pytorch-fid and torch-fidelity, which agree. The files come from
// tests/golden/make_inception_golden.py.
#include "metrics/inception.h"

#include "metrics/preprocess.h"
#include "nn/checkpoint.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/metrics/hashed.h"

using namespace forger;
using namespace forger::metrics;
using test::message_of;
using test::relative_error;

namespace {

const Inception& network() {
  static const Inception network(test::hashed_weights(), "hashed");
  return network;
}

Tensor inputs(int64_t count) {
  const Tensor x({count, inception_side, inception_side, 3}, DType::f32);
  const int64_t size = x.numel() / count;
  for (int64_t i = 0; i < count; i++)
    inception_input(test::hashed_image(i, inception_side, inception_side, 3), Convention::tf,
                    x.data<float>() + i * size);
  return x;
}

}  // namespace

TEST_CASE("inception: features and logits of eight images are pytorch-fid's and torch-fidelity's") {
  constexpr double bound = 1e-5;
  const nn::Checkpoint golden = nn::load_checkpoint(std::string(GOLDEN_DIR) + "/inception.safetensors");
  std::vector<Tensor> taps;
  const Inception::Output out = network().forward(inputs(8), &taps);
  const auto check_one = [&](const Tensor& got, const std::string& name) {
    INFO(name);
    const Tensor* const wanted = golden.find(name);
    REQUIRE(wanted != nullptr);
    CHECK(relative_error(got, *wanted) < bound);
  };
  REQUIRE(taps.size() == 4);
  for (const Tensor& tap : taps) check_one(tap, std::to_string(tap.size(1)));
  check_one(out.features, "2048");
  check_one(out.logits, "logits");
  check_one(out.unbiased, "logits_unbiased");
  CHECK_FALSE(out.features.requires_grad());
}

TEST_CASE("inception: stage by stage, the widths of the paper; smaller images go through as well") {
  const std::vector<std::string>& stages = network().stages();
  REQUIRE(stages.size() == 13);
  CHECK(stages.front() == "stem 1");
  CHECK(stages.back() == "Mixed_7c");
  const std::vector<Shape> shapes = {{1, 17, 17, 64}, {1, 7, 7, 192},  {1, 7, 7, 256}, {1, 7, 7, 288}, {1, 7, 7, 288},
                                     {1, 3, 3, 768},  {1, 3, 3, 768},  {1, 3, 3, 768}, {1, 3, 3, 768}, {1, 3, 3, 768},
                                     {1, 1, 1, 1280}, {1, 1, 1, 2048}, {1, 1, 1, 2048}};
  Tensor x = full({1, 75, 75, 3}, 0.5);
  for (size_t i = 0; i < stages.size(); i++) {
    x = network().run(i, x);
    INFO(stages[i]);
    CHECK(x.shape() == shapes[i]);
  }
  CHECK_THROWS_AS(network().forward(full({1, 75, 75, 3}, 0.5)), ShapeError);
}

TEST_CASE("inception: the hash is of the weights alone, and the converter's note tells the published file") {
  const test::Scratch scratch;
  nn::Checkpoint file{.tensors = test::hashed_weights(), .metadata = {}};
  CHECK(file.tensors.size() == 94 * 5 + 2);
  CHECK_FALSE(network().published());
  std::reverse(file.tensors.begin(), file.tensors.end());
  file.tensors.push_back({"AuxLogits.conv0.conv.weight", zeros({2, 3})});
  file.metadata["source_sha256"] = "6726825d" + std::string(56, '0');
  nn::save_checkpoint(scratch.file("a.safetensors"), file);
  const Inception published(scratch.file("a.safetensors"));
  CHECK(published.published());
  CHECK(published.hash() == network().hash());

  file.metadata["source_sha256"] = "06726825d";
  file.tensors[0].tensor.data<float>()[7] += 1;  // fc.bias
  nn::save_checkpoint(scratch.file("a.safetensors"), file);
  const Inception other(scratch.file("a.safetensors"));
  CHECK_FALSE(other.published());
  CHECK(other.hash() != network().hash());
}

TEST_CASE("inception: a file that does not fit is refused in one line") {
  const test::Scratch scratch;
  const auto error = [](const std::string& path) {
    return message_of<DataError>([&] { const Inception never(path); });
  };
  CHECK(error(scratch.file("none.safetensors")) ==
        "cannot read " + scratch.file("none.safetensors") + ": No such file or directory");
  CHECK(error("weights.pth") ==
        "weights.pth: a PyTorch file; metrics/convert_inception.py makes a safetensors file of it");
  const auto of = [](const nn::NamedTensors& tensors) {
    return message_of<DataError>([&] { const Inception never(tensors, "w.safetensors"); });
  };
  CHECK(of({{"Conv2d_1a_3x3.conv.weight", zeros({32, 3, 3, 3})}}) ==
        "w.safetensors: 471 of Inception's tensors are missing, the first is 'Conv2d_1a_3x3.bn.weight'; "
        "metrics/convert_inception.py writes such files");
  CHECK(of({{"fc.weight", zeros({1000, 2048})}}) ==
        "w.safetensors: 'fc.weight' should be 1008x2048 of float32, it is 1000x2048 of float32");
  CHECK(of({{"Mixed_5b.branch1x1.bn.bias", zeros({64}, DType::f64)}}) ==
        "w.safetensors: 'Mixed_5b.branch1x1.bn.bias' should be 64 of float32, it is 64 of float64");
}
