// Shapes, handles, creation, and the errors of ops that are called wrongly.
#include "core/tensor.h"

#include <limits>

#include "core/autograd.h"
#include "core/ops.h"
#include "tests/catch.h"
#include "tests/message_of.h"

using namespace forger;
using test::message_of;

// ---- shapes ----

TEST_CASE("a shape knows its sizes") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape.numel() == 24);
  CHECK(shape[0] == 2);
  CHECK(shape[-1] == 4);
  CHECK(text(shape) == "2x3x4");
  CHECK(text(Shape{}) == "scalar");
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{3, 0, 2}.numel() == 0);
  CHECK(shape == Shape{2, 3, 4});
  CHECK_FALSE(shape == Shape{2, 3});
  CHECK_FALSE(shape == Shape{2, 3, 4, 1});
  CHECK_FALSE(Shape{} == Shape{1});
  Shape changed = shape;
  changed.set(-1, 7);
  CHECK(changed == Shape{2, 3, 7});
  CHECK_THROWS_AS(shape[3], ShapeError);
  CHECK_THROWS_AS(shape[-4], ShapeError);
  CHECK_THROWS_AS(changed.set(3, 1), ShapeError);
}

TEST_CASE("impossible shapes are refused") {
  CHECK(Shape{1, 2, 3, 4, 5, 6}.rank() == 6);
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1}), ShapeError);
  CHECK_THROWS_AS((Shape{3, -2}), ShapeError);
  constexpr int64_t big = int64_t{1} << 32;
  CHECK_THROWS_AS((Shape{big, big}), ShapeError);
  CHECK_THROWS_AS((Shape{std::numeric_limits<int64_t>::max(), 2}), ShapeError);
  CHECK_THROWS_AS((Shape{big, big, 0}), ShapeError);
  CHECK_THROWS_AS((Shape{0, big, big}), ShapeError);
}

TEST_CASE("axes count from both ends") {
  CHECK(normalize_axis(2, 4, "op") == 2);
  CHECK(normalize_axis(-1, 4, "op") == 3);
  CHECK(normalize_axis(-4, 4, "op") == 0);
  for (int axis : {4, -5}) {
    const std::string message = message_of<ShapeError>([&] { normalize_axis(axis, 4, "sum"); });
    INFO(message);
    CHECK(message.find("[sum]") != std::string::npos);
    CHECK(message.find(std::to_string(axis)) != std::string::npos);
  }
}

// ---- tensors ----

TEST_CASE("creation fills every dtype") {
  for (DType dtype : {DType::f32, DType::f64, DType::i64}) {
    INFO(name_of(dtype));
    CHECK(full({2, 2}, 3, dtype).to_vector() == std::vector<double>{3, 3, 3, 3});
    CHECK(zeros({2}, dtype).to_vector() == std::vector<double>{0, 0});
    CHECK(ones({}, dtype).item() == 1);
    CHECK(full_like(zeros({3}, dtype), 2).dtype() == dtype);
    CHECK(from_values({3}, std::vector<double>{1, -2, 3}, dtype).to_vector() == std::vector<double>{1, -2, 3});
    CHECK(zeros({5}, dtype).storage()->bytes() == 5 * size_of(dtype));
  }
  CHECK(from_values({2}, std::vector<double>{1.7, -1.7}, DType::i64).to_vector() == std::vector<double>{1, -1});
  const Tensor index = from_indices(std::vector<int64_t>{4, -1});
  CHECK(index.dtype() == DType::i64);
  CHECK(index.shape() == Shape{2});
  CHECK(index.to_vector() == std::vector<double>{4, -1});
  CHECK_THROWS_AS(from_values({3}, std::vector<double>{1, 2}), ShapeError);
}

TEST_CASE("copies share memory, clones do not") {
  const Tensor x = ones({3});
  const Tensor same = x, other = clone(x);
  x.write<float>("test")[1] = 5;
  CHECK(same.to_vector() == std::vector<double>{1, 5, 1});
  CHECK(x.detach().to_vector() == same.to_vector());
  CHECK(other.to_vector() == std::vector<double>{1, 1, 1});
  CHECK(clone(from_indices(std::vector<int64_t>{7})).item() == 7);
}

TEST_CASE("writes in place are counted and name their op") {
  const Tensor x = zeros({2}), view = reshape(x, {2, 1});
  const uint64_t before = x.storage()->version;
  x.write<float>("adam");
  CHECK(view.storage()->version == before + 1);
  CHECK(std::string(view.storage()->last_writer) == "adam");
  copy_into(x, ones({2}), "load");
  CHECK(x.storage()->version == before + 2);
  CHECK(std::string(x.storage()->last_writer) == "load");
  CHECK(view.to_vector() == std::vector<double>{1, 1});
  CHECK_THROWS_AS(copy_into(x, ones({3}), "load"), ShapeError);
  CHECK_THROWS_AS(copy_into(x, ones({2}, DType::f64), "load"), ShapeError);
}

TEST_CASE("elements are read as what they are") {
  const Tensor x = ones({2});
  CHECK_THROWS_AS(x.data<double>(), ShapeError);
  CHECK_THROWS_AS(x.data<int64_t>(), ShapeError);
  CHECK_THROWS_AS(x.item(), ShapeError);
  CHECK_THROWS_AS(Tensor().item(), ShapeError);
  CHECK_FALSE(Tensor().defined());
  CHECK(full({1, 1}, 2.5).item() == 2.5);
}

// ---- ops called wrongly ----

TEST_CASE("errors name the op and the shapes that do not fit") {
  const Tensor m23 = zeros({2, 3}), m45 = zeros({4, 5}), v4 = zeros({4}), v5 = zeros({5}), scalar = zeros({});
  const Tensor image = zeros({2, 6, 7, 3}), weight = zeros({8, 4, 4, 3}), map = zeros({2, 3, 3, 8});
  const Tensor doubles = zeros({2, 3}, DType::f64), index = from_indices(std::vector<int64_t>{0, 9});
  const std::vector<Tensor> none, uneven{m23, m45};
  const std::vector<int64_t> sizes{1, 2};
  Random random(1);
  struct WrongCall {
    std::function<void()> call;
    std::vector<std::string> words;
  };
  using Words = std::vector<std::string>;
  auto pair_of = [&](Tensor (*op)(const Tensor&, const Tensor&), const char* tag) {
    return WrongCall{[=] { op(m23, v4); }, Words{tag, "2x3", "4"}};
  };
  const std::vector<WrongCall> table = {
      pair_of(&add, "[add]"),
      pair_of(&sub, "[sub]"),
      pair_of(&mul, "[mul]"),
      pair_of(&div, "[div]"),
      pair_of(&maximum, "[maximum]"),
      pair_of(&minimum, "[minimum]"),
      pair_of(&greater, "[greater]"),
      pair_of(&equal, "[equal]"),
      pair_of(&bce_with_logits, "[bce_with_logits]"),
      pair_of(&l1_loss, "[l1_loss]"),
      pair_of(&mse_loss, "[mse_loss]"),
      {[&] { add(m23, doubles); }, {"[add]", "float32", "float64"}},
      {[&] { matmul(m23, doubles, false, true); }, {"[matmul]", "float32", "float64"}},

      {[&] { sum(m23, {2}); }, {"[sum]", "2"}},
      {[&] { mean(m23, {-3}); }, {"[mean]", "-3"}},
      {[&] {
         max(m23, {0, 5});
       },
       {"[max]", "5"}},
      {[&] { min(m23, {7}); }, {"[min]", "7"}},
      {[&] { variance(m23, {2}); }, {"2"}},
      {[&] { norm(m23, {2}); }, {"2"}},
      {[&] {
         sum(m23, {1, -1});
       },
       {"[sum]", "1"}},
      {[&] { argmax(scalar); }, {"[argmax]", "scalar"}},
      {[&] { softmax(scalar); }, {"[softmax]", "scalar"}},
      {[&] { log_softmax(scalar); }, {"[log_softmax]", "scalar"}},
      {[&] {
         sum_to(m23, {2, 4});
       },
       {"[sum_to]", "2x3", "2x4"}},
      {[&] {
         broadcast_to(m23, {2, 4});
       },
       {"[broadcast_to]", "2x3", "2x4"}},
      {[&] { broadcast_to(m23, {3}); }, {"[broadcast_to]", "2x3", "3"}},

      {[&] { matmul(m23, m45); }, {"[matmul]", "2x3", "4x5"}},
      {[&] { matmul(m23, m23, true, true); }, {"[matmul]", "2x3"}},
      {[&] { matmul(m23, v4); }, {"[matmul]", "2x3", "4"}},
      {[&] {
         matmul(zeros({2, 1, 3}), zeros({4, 3, 1}));
       },
       {"[matmul]", "2x1x3", "4x3x1"}},

      {[&] { cross_entropy(m23, index); }, {"[cross_entropy]", "label 9", "0..2"}},
      {[&] { cross_entropy(m45, index); }, {"[cross_entropy]", "4x5", "2"}},
      {[&] { cross_entropy(v4, index); }, {"[cross_entropy]", "4"}},
      {[&] { cross_entropy(m23, zeros({2})); }, {"[cross_entropy]", "int64"}},

      {[&] { reshape(m23, {4}); }, {"[reshape]", "2x3", "4"}},
      {[&] {
         reshape(m23, {4, -1});
       },
       {"[reshape]", "2x3", "4"}},
      {[&] {
         reshape(m23, {-1, -1});
       },
       {"-1"}},
      {[&] { permute(m23, {0}); }, {"[permute]", "2", "1"}},
      {[&] {
         permute(m23, {0, 0});
       },
       {"[permute]", "0", "twice"}},
      {[&] {
         permute(m23, {0, 2});
       },
       {"[permute]", "2"}},
      {[&] { transpose(v4); }, {"[transpose]", "4"}},
      {[&] { concat(none, 0); }, {"[concat]"}},
      {[&] { concat(uneven, 0); }, {"[concat]", "2x3", "4x5"}},
      {[&] { concat(uneven, 2); }, {"[concat]", "2"}},
      {[&] { split(v4, 0, sizes); }, {"[split]", "4", "3"}},
      {[&] { slice(v4, 0, 2, 5); }, {"[slice]", "5", "4"}},
      {[&] { slice(v4, 0, 3, 2); }, {"[slice]", "3", "2"}},
      {[&] { slice(v4, 0, -1, 2); }, {"[slice]", "-1"}},
      {[&] { slice(v4, 1, 0, 1); }, {"[slice]", "1"}},
      {[&] { pad(v4, 0, -1, 0); }, {"[pad]", "-1"}},
      {[&] { gather(m45, index); }, {"[gather]", "9", "4"}},
      {[&] { gather(m45, zeros({2})); }, {"[gather]", "int64"}},
      {[&] { scatter_add(m23, index, 5); }, {"[scatter_add]", "9", "5"}},
      {[&] { scatter_add(m45, index, 10); }, {"[scatter_add]", "4x5", "2"}},

      {[&] {
         conv2d(image, zeros({8, 4, 4, 5}));
       },
       {"[conv2d]", "5", "3", "2x6x7x3", "8x4x4x5"}},
      {[&] { conv2d(m23, weight); }, {"[conv2d]", "2x3", "8x4x4x3"}},
      {[&] { conv2d(image, m23); }, {"[conv2d]", "2x6x7x3", "2x3"}},
      {[&] {
         conv2d(image, zeros({8, 7, 7, 3}));
       },
       {"[conv2d]", "7", "6"}},
      {[&] { conv2d(image, weight, {.stride = 0}); }, {"[conv2d]", "stride", "0"}},
      {[&] { conv2d(image, weight, {.padding = -1}); }, {"[conv2d]", "padding", "-1"}},
      {[&] { conv2d(image, weight, {.slope = -1}); }, {"[conv2d]", "slope", "-1"}},
      {[&] { conv2d(image, weight, v4); }, {"[conv2d]", "bias", "8", "4"}},
      {[&] { conv_transpose2d(image, weight); }, {"[conv_transpose2d]", "2x6x7x3", "8x4x4x3"}},
      {[&] { conv_transpose2d(map, weight, {.stride = 2, .output_padding = 2}); }, {"[conv_transpose2d]", "2"}},
      {[&] { conv_transpose2d(map, weight, {.output_padding = -1}); }, {"[conv_transpose2d]", "-1"}},
      {[&] { conv_transpose2d(map, weight, {.activation = kernels::Activation::relu}); },
       {"[conv_transpose2d]", "activation"}},
      {[&] { conv_weight_grad(image, map, 4, 4, {.activation = kernels::Activation::relu}); },
       {"[conv_weight_grad]", "activation"}},
      {[&] {
         conv_transpose2d(zeros({1, 1, 1, 8}), weight, {.padding = 2});
       },
       {"[conv_transpose2d]", "1x1x1x8"}},
      {[&] {
         conv_weight_grad(image, zeros({2, 9, 9, 8}), 4, 4);
       },
       {"[conv_weight_grad]", "2x6x7x3", "2x9x9x8"}},
      {[&] {
         conv_weight_grad(image, zeros({3, 3, 4, 8}), 4, 4);
       },
       {"[conv_weight_grad]", "2x6x7x3", "3x3x4x8"}},

      {[&] { avg_pool2d(m23); }, {"[avg_pool2d]", "2x3"}},
      {[&] { avg_pool2d(image, {.kernel = 2, .stride = 2, .padding = 2}); }, {"[avg_pool2d]", "2"}},
      {[&] { max_pool2d(image, {.kernel = 0}); }, {"[max_pool2d]", "0"}},
      {[&] { max_pool2d(image, {.kernel = 9}); }, {"[max_pool2d]", "9"}},
      {[&] { upsample_nearest(image, 0); }, {"[upsample_nearest]", "0"}},
      {[&] { upsample_nearest(m23, 2); }, {"[upsample_nearest]", "2x3"}},
      {[&] { upsample_bilinear(image, 0, 4); }, {"[upsample_bilinear]", "0"}},
      {[&] { pixel_shuffle(image, 2); }, {"[pixel_shuffle]", "3 channels", "2"}},
      {[&] { pixel_unshuffle(image, 2); }, {"[pixel_unshuffle]", "6x7", "2"}},

      {[&] { batch_norm(m23, v4, v4); }, {"[batch_norm]", "2x3", "4"}},
      {[&] {
         batch_norm(zeros({1, 4}), v4, v4);
       },
       {"[batch_norm]", "1x4"}},
      {[&] { batch_norm_inference(m23, v4, v4, v4, v4); }, {"[batch_norm_inference]", "2x3", "4"}},
      {[&] { instance_norm(m23, v4, v4); }, {"[instance_norm]", "2x3"}},
      {[&] { instance_norm(image, v4, v4); }, {"[instance_norm]", "2x6x7x3", "4"}},
      {[&] { layer_norm(m23, v5, v5); }, {"[layer_norm]", "3", "5"}},
      {[&] { dropout(m23, 1, random); }, {"[dropout]", "1"}},
      {[&] { dropout(m23, -0.5, random); }, {"[dropout]", "-0.5"}},
  };
  for (size_t i = 0; i < table.size(); ++i) {
    const std::string message = message_of<ShapeError>(table[i].call);
    INFO("row " << i << ", expects " << table[i].words[0] << ": " << message);
    for (const std::string& word : table[i].words) {
      INFO("word: " << word);
      CHECK(message.find(word) != std::string::npos);
    }
  }
}

TEST_CASE("undefined tensors and indices carry no arithmetic") {
  const Tensor index = from_indices(std::vector<int64_t>{1, 2}), x = zeros({2});
  CHECK_THROWS_AS(add(Tensor(), x), ShapeError);
  CHECK_THROWS_AS(add(x, Tensor()), ShapeError);
  CHECK_THROWS_AS(relu(Tensor()), ShapeError);
  CHECK_THROWS_AS(sum(Tensor()), ShapeError);
  CHECK_THROWS_AS(matmul(Tensor(), Tensor()), ShapeError);
  CHECK_THROWS_AS(add(index, index), ShapeError);
  CHECK_THROWS_AS(exp(index), ShapeError);
  CHECK_THROWS_AS(sum(index), ShapeError);
}
