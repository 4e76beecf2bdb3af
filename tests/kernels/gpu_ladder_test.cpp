// The ladders of bench/ladder: every step gives what a plain loop gives, and asks for less where it says so.
#include "bench/ladder/ladder.h"

#include "kernels/simt/runtime.h"
#include "tests/kernels/conv_reference.h"
#include "tests/kernels/matmul_reference.h"
#include "tests/kernels/on_device.h"
#include "tests/kernels/seeds.h"
#include "tests/kernels/values.h"

using namespace forger;
using namespace forger::kernels;
using ladder::Conv;
using ladder::Gemm;
using ladder::Step;

namespace {

#ifdef FORGER_ON_CUDA
namespace made = ladder::cuda_words;
#else
namespace made = ladder::simt_words;
#endif
const std::vector<Step<Gemm>>& steps_for(const Gemm&) { return made::gemm_steps(); }
const std::vector<Step<Conv>>& steps_for(const Conv&) { return made::conv_steps(); }

std::vector<double> plain_loop(const Gemm& s, const std::vector<float>& a, const std::vector<float>& b) {
  return triple_loop({.m = s.m, .n = s.n, .k = s.k}, a, b);
}
std::vector<double> plain_loop(const Conv& s, const std::vector<float>& image, const std::vector<float>& weight) {
  std::vector<double> map(static_cast<size_t>(s.sizes().c));
  for_each_product(s.shape(), [&](size_t i, size_t m, size_t w) { map[m] += double(image[i]) * double(weight[w]); });
  return map;
}

// Operands and result lie `offset` numbers behind an aligned address.
template <class Shape>
void check_steps(const Shape& s, size_t offset = 0) {
  const auto shifted = [&](std::vector<float> v) {
    v.insert(v.begin(), offset, 7.0f);
    return v;
  };
  const std::vector<float> a = values<float>(s.sizes().a, -1, 1, 1), b = values<float>(s.sizes().b, -1, 1, 2);
  const OnDevice<float> on_a(shifted(a)), on_b(shifted(b));
  const std::vector<double> right = plain_loop(s, a, b);
  const double depth = s.product().k;
  for (const Step<Shape>& step : steps_for(s)) {
    CAPTURE(step.name, offset);
    set_math_mode(step.math);
    for (size_t i = 0; i < right.size(); i++)
      REQUIRE(std::abs(ladder::plain(s, a.data(), b.data(), static_cast<int64_t>(i)) - right[i]) < 1e-12);
    const auto run = [&](float* c) { step.run(s, on_a.data() + offset, on_b.data() + offset, c); };
    const std::vector<float> got =
        offset > 0 ? unaligned<float>(s.sizes().c, run) : under_seeds<float>(s.sizes().c, run);
    require_close(got, right, step.math == MathMode::tf32 ? 0x1p-10 : 1e-6, std::sqrt(depth));
    set_math_mode(MathMode::fp32);
  }
}

}  // namespace

GPU_TEST_CASE("ladder: every step of the matrix product agrees with a plain loop") {
  for (const Gemm& s : {Gemm{132, 136, 36}, Gemm{130, 67, 35}, Gemm{1, 1, 1}, Gemm{33, 5, 200}}) {
    CAPTURE(s.m, s.n, s.k);
    check_steps(s);
  }
  check_steps(Gemm{32, 32, 32}, 1);
}

GPU_TEST_CASE("ladder: every step of the convolution agrees with a plain loop") {
  for (const Conv& s : {Conv{1, 24, 24, 8, 12, 4, 2, 1}, Conv{2, 7, 9, 3, 5, 3, 1, 1}, Conv{1, 4, 4, 4, 130, 4, 1, 0},
                        Conv{1, 5, 5, 4, 3, 2, 3, 2}}) {
    CAPTURE(s.n, s.h, s.w, s.c, s.oc, s.kernel, s.stride, s.pad);
    check_steps(s);
  }
  check_steps(Conv{1, 6, 6, 4, 4, 3, 1, 1}, 1);
}

#ifndef FORGER_ON_CUDA
namespace {

template <class Shape>
void check_savings(const Shape& s) {
  const OnDevice<float> a(values<float>(s.sizes().a)), b(values<float>(s.sizes().b)),
      c(static_cast<size_t>(s.sizes().c));
  simt::Traffic before;
  for (const Step<Shape>& step : steps_for(s)) {
    CAPTURE(step.name);
    const simt::Profiling profiling;
    step.run(s, a.data(), b.data(), c.data());
    const simt::Traffic asked = simt::all_traffic();
    const auto bytes = [](const simt::Traffic& t) { return t.read_bytes + t.written_bytes; };
    if (step.saves & ladder::bytes) CHECK(bytes(asked) < bytes(before));
    if (step.saves & ladder::launches) CHECK(asked.launches < before.launches);
    if (step.saves & ladder::sectors) CHECK(asked.global.units < before.global.units);
    if (step.saves & ladder::turns) CHECK(asked.shared.units < before.shared.units);
    before = asked;
  }
}

}  // namespace
#endif

SIMT_TEST_CASE("ladder: a step asks for less than the one before it where it says so") {
  check_savings(Gemm{128, 128, 64});
  check_savings(Conv{1, 16, 16, 8, 32, 4, 2, 1});
}

SIMT_TEST_CASE("ladder: the bytes that the pages tell") {
  const Gemm s{128, 128, 128};
  const OnDevice<float> a(values<float>(s.sizes().a)), b(values<float>(s.sizes().b)),
      c(static_cast<size_t>(s.sizes().c));
  const double told[] = {8, 8, 0.25, 0.0625, 0.0625, 0.0625, 0.0625};  // read, for a multiply-add
  for (size_t i = 0; i < std::size(told); i++) {
    CAPTURE(made::gemm_steps()[i].name);
    simt::reset_traffic();
    made::gemm_steps()[i].run(s, a.data(), b.data(), c.data());
    const simt::Traffic& asked = simt::traffic().begin()->second;
    CHECK(static_cast<double>(asked.read_bytes) == told[i] * s.m * s.n * s.k);
    CHECK(asked.written_bytes == static_cast<uint64_t>(4 * s.sizes().c));
  }
}
