// Every row of tests/op_cases.h through the CUDA kernels: executed and checked by the software device, and on a GPU
// where there is one.
#include "kernels/simt/runtime.h"

#include "core/graph.h"
#include "tests/core/trial.h"
#include "tests/kernels/on_device.h"

using namespace forger;
using namespace forger::test;

namespace {

constexpr Device simt_device = Device::simt;

// Normalised mean squared error: |a - b|^2 / |b|^2, over all tensors.
double nmse(const Tensors& a, const Tensors& b) {
  Worst worst;
  if (a.size() != b.size()) worst.add(NAN);
  for (size_t i = 0; i < std::min(a.size(), b.size()); i++) {
    const double error = relative_error(a[i].to_vector(), b[i].to_vector());
    worst.add(error * error);
  }
  return worst;
}

// Outputs, gradients and second gradients.
Tensors everything(const OpCase& row, const Trial& trial) {
  Tensors all = trial.outputs();
  if (!row.differentiable) return all;
  for (const Tensors& more : {trial.gradients(), trial.second_gradients()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

// Every op takes bfloat16, at least as floats: what it and its gradients give is what floats give of the same numbers,
// but for the rounding of results and of what lies between (of which 1 - y^2, y a tanh, loses most); and gradients have
// the type of what they are gradients of.
void bfloat16_agrees(const OpCase& row, Device device) {
  const Trial narrow(row, DType::f32, device, Numbers::bfloat16), right(row, DType::f32, device, Numbers::rounded);
  const auto error = [](const Tensors& got, const Tensors& wanted) { return std::sqrt(nmse(got, wanted)); };
  constexpr double unit = 0x1p-8;
  CHECK(error(narrow.outputs(), right.outputs()) < 2 * unit);
  if (!row.differentiable) return;
  const Tensors gradients = narrow.gradients(), second = narrow.second_gradients(), points = narrow.second_points();
  CHECK(error(gradients, right.gradients()) < 8 * unit);
  CHECK(error(second, right.second_gradients()) < 16 * unit);
  for (size_t i = 0; i < gradients.size(); i++) CHECK(gradients[i].dtype() == narrow.wanted()[i].dtype());
  for (size_t i = 0; i < second.size(); i++) CHECK(second[i].dtype() == points[i].dtype());
}

// Rows whose number is `part` of `parts`: tests of equal length that run side by side.
template <class Check>
void for_part(int part, int parts, Check check_row) {
  int i = 0;
  for (const OpCase& row : op_cases()) {
    if (i++ % parts != part) continue;
    INFO(row.name);
    try {
      check_row(row);
    } catch (const std::exception& error) {  // one broken row must not hide the others
      FAIL_CHECK(error.what());
    }
  }
}

void values_agree(Device device, int part, int parts) {
  for_part(part, parts, [device](const OpCase& row) {
    const Tensors right = everything(row, Trial(row));
    CHECK(nmse(everything(row, Trial(row, DType::f64, device)), right) < 1e-20);
    const Trial narrow(row, DType::f32, device);
    CHECK(nmse(narrow.outputs(), Trial(row).outputs()) < std::max(1e-10, row.float_tolerance * row.float_tolerance));
  });
}

void gradients_agree(Device device, int part, int parts) {
  for_part(part, parts, [device](const OpCase& row) {
    if (!row.differentiable) return;
    CHECK(Trial(row, DType::f64, device).first_order_error() < row.tolerance);
  });
}

void second_gradients_agree(Device device, int part, int parts) {
  for_part(part, parts, [device](const OpCase& row) {
    if (!row.differentiable) return;
    CHECK(Trial(row, DType::f64, device).second_order_error() < row.tolerance);
  });
}

void orders_agree(int part, int parts) {
  for_part(part, parts, [](const OpCase& row) {
    Tensors first;
    for (const uint64_t seed : {0, 1, 2}) {
      simt::set_seed(seed);
      const Tensors results = everything(row, Trial(row, DType::f32, simt_device));
      if (first.empty()) first = results;
      CHECK(identical(first, results));
    }
  });
}

void recorded_ops_replay(Device device) {
  const Tensor x = to(from_values({3}, std::vector<double>{1, 2, 3}), device);
  Tensor y;
  RecordedOps graph(device, [&] { y = square(x) + x; });
  graph.replay();
  CHECK(y.to_vector() == std::vector<double>{2, 6, 12});
  // What runs in between gets other memory, though the recorded ops have given theirs back.
  Tensors between;
  for (int i = 0; i < 20; i++) between.push_back(full({3}, i, DType::f32, device));
  copy_into(x, from_values({3}, std::vector<double>{4, 5, 6}), "test");
  graph.replay();
  CHECK(y.to_vector() == std::vector<double>{20, 30, 42});
  for (int i = 0; i < 20; i++) CHECK(between[static_cast<size_t>(i)].to_vector() == std::vector<double>(3, i));
  CHECK_THROWS_AS(RecordedOps(device, [&] { sum(y).item(); }), DeviceError);
  CHECK_THROWS_AS(RecordedOps(device, [&] { x.to_vector(); }), DeviceError);
  CHECK_THROWS_AS(RecordedOps(Device::cpu, [] {}), DeviceError);
}

// Between replays others use what the recorded ops use, too: scratch memory, which grows meanwhile, the tickets of
// sums, the random offset, staging buffers.
void replays_share_the_device(Device device) {
  Random random(3);
  const auto image = [&](int64_t side, int64_t channels) {
    return random.normal({2, side, side, channels}, 0, 1, DType::f32, device);
  };
  const Tensor x = image(16, 8), gy = image(16, 8), large = image(32, 16);  // deep enough to be split and added up
  const auto work = [&random, device](const Tensor& a, const Tensor& b) {
    const Tensor noise = random.normal(a.shape(), 0, 1, DType::f32, device);
    return Tensors{conv_weight_grad(a + noise, b, 3, 3, {.padding = 1}), sum(a * noise, {0, 1, 2})};
  };
  const uint64_t block = random.block;
  const Tensors right = work(x, gy);
  random.block = block;
  Tensors recorded;
  RecordedOps graph(device, [&] { recorded = work(x, gy); });
  for (int i = 0; i < 3; i++) {
    graph.replay();
    CHECK(identical(recorded, right));
    for (Tensor& t : recorded) copy_into(t, zeros(t.shape(), DType::f32, device), "test");
    work(large, large);
    to(from_values({3}, std::vector<double>{1, 2, 3}), device);
  }
}

}  // namespace

TEST_CASE("cuda: values and derivatives equal the CPU's", "[cuda]") {
  if (is_there(Device::cuda)) values_agree(Device::cuda, 0, 1);
}
TEST_CASE("cuda: gradients agree with differences", "[cuda]") {
  if (is_there(Device::cuda)) gradients_agree(Device::cuda, 0, 1);
}
TEST_CASE("cuda: second gradients agree with differences", "[cuda]") {
  if (is_there(Device::cuda)) second_gradients_agree(Device::cuda, 0, 1);
}
TEST_CASE("cuda: a run repeats bit for bit, and the random stream is the CPU's", "[cuda]") {
  if (!is_there(Device::cuda)) return;
  for_part(0, 1, [](const OpCase& row) {
    const Trial trial(row, DType::f32, Device::cuda);
    CHECK(identical(everything(row, trial), everything(row, trial)));
  });
  Random a(5), b(5);
  CHECK(a.uniform({1000}).to_vector() == b.uniform({1000}, 0, 1, DType::f32, Device::cuda).to_vector());
  CHECK(relative_error(a.normal({1000}).to_vector(), b.normal({1000}, 0, 1, DType::f32, Device::cuda).to_vector()) <
        1e-5);  // cuRAND takes the fast sine and cosine
}
TEST_CASE("cuda: what runs between replays does not disturb them", "[cuda]") {
  if (is_there(Device::cuda)) replays_share_the_device(Device::cuda);
}
TEST_CASE("cuda: recorded ops replay on new inputs", "[cuda]") {
  if (is_there(Device::cuda)) recorded_ops_replay(Device::cuda);
}

TEST_CASE("cuda: bfloat16 gives what floats give, rounded", "[cuda]") {
  if (is_there(Device::cuda)) for_part(0, 1, [](const OpCase& row) { bfloat16_agrees(row, Device::cuda); });
}
TEST_CASE("simt: bfloat16 gives what floats give, rounded, first half of the table", "[simt]") {
  for_part(0, 2, [](const OpCase& row) { bfloat16_agrees(row, simt_device); });
}
TEST_CASE("simt: bfloat16 gives what floats give, rounded, second half of the table", "[simt]") {
  for_part(1, 2, [](const OpCase& row) { bfloat16_agrees(row, simt_device); });
}

TEST_CASE("simt: values and derivatives equal the CPU's, first half of the table", "[simt]") {
  values_agree(simt_device, 0, 2);
}
TEST_CASE("simt: values and derivatives equal the CPU's, second half of the table", "[simt]") {
  values_agree(simt_device, 1, 2);
}
TEST_CASE("simt: gradients agree with differences, first half of the table", "[simt]") {
  gradients_agree(simt_device, 0, 2);
}
TEST_CASE("simt: gradients agree with differences, second half of the table", "[simt]") {
  gradients_agree(simt_device, 1, 2);
}
TEST_CASE("simt: second gradients agree with differences, first quarter of the table", "[simt]") {
  second_gradients_agree(simt_device, 0, 4);
}
TEST_CASE("simt: second gradients agree with differences, second quarter of the table", "[simt]") {
  second_gradients_agree(simt_device, 1, 4);
}
TEST_CASE("simt: second gradients agree with differences, third quarter of the table", "[simt]") {
  second_gradients_agree(simt_device, 2, 4);
}
TEST_CASE("simt: second gradients agree with differences, last quarter of the table", "[simt]") {
  second_gradients_agree(simt_device, 3, 4);
}
TEST_CASE("simt: three orders of threads give the same bits, first half of the table", "[simt]") { orders_agree(0, 2); }
TEST_CASE("simt: three orders of threads give the same bits, second half of the table", "[simt]") {
  orders_agree(1, 2);
}

TEST_CASE("simt: live bytes return to the baseline", "[simt]") {
  for_part(0, 8, [](const OpCase& row) {
    const Trial trial(row, DType::f32, simt_device);
    const size_t baseline = memory_stats(simt_device).live_bytes;
    everything(row, trial);
    CHECK(memory_stats(simt_device).live_bytes == baseline);
  });
}

TEST_CASE("simt: tensors move between devices, and ops refuse to mix them", "[simt]") {
  const Tensor x = from_values({2, 2}, std::vector<double>{1, 2, 3, 4});
  const Tensor there = to(x, simt_device);
  CHECK(there.device() == simt_device);
  CHECK(there.to_vector() == x.to_vector());
  CHECK(to(there, Device::cpu).to_vector() == x.to_vector());
  CHECK(to(there, simt_device).storage() == there.storage());
  CHECK((there + there).to_vector() == (x + x).to_vector());
  CHECK_THROWS_AS(x + there, ShapeError);
  copy_into(there, x + 1, "test");
  CHECK(there.to_vector() == std::vector<double>{2, 3, 4, 5});
  const Tensor same = there;
  there.storage()->move_to(Device::cpu);
  CHECK(same.device() == Device::cpu);
  CHECK(same.to_vector() == std::vector<double>{2, 3, 4, 5});
  CHECK(full({3}, 7, DType::i64, simt_device).to_vector() == std::vector<double>{7, 7, 7});
  const Tensor half = to(cast(to(x, simt_device) + 1.01, DType::bf16), Device::cpu);  // which computes with floats
  CHECK(half.dtype() == DType::f32);
  CHECK(half.to_vector() == std::vector<double>{2.015625, 3.015625, 4, 5});
  CHECK_THROWS_AS(cast(x, DType::bf16), ShapeError);
}

TEST_CASE("simt: recorded ops replay on new inputs, and own their memory", "[simt]") {
  recorded_ops_replay(simt_device);
}

TEST_CASE("simt: what runs between replays does not disturb them", "[simt]") { replays_share_the_device(simt_device); }

TEST_CASE("simt: with device memory closed to the host, ops, recording and optimisers touch it in kernels only",
          "[simt]") {
  simt::close_to_host(true);
  for_part(3, 16, [](const OpCase& row) { everything(row, Trial(row, DType::f32, simt_device)); });
  recorded_ops_replay(simt_device);
  simt::close_to_host(false);
}
