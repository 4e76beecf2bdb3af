// The convolutions of the CUDA backend, on the software device: against plain loops in double, in FP32, FP64 and TF32.
#include <array>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/simt/runtime.h"
#include "tests/kernels/conv_reference.h"
#include "tests/kernels/on_device.h"
#include "tests/kernels/values.h"
#include "tests/worst.h"

using namespace forger;
using namespace forger::kernels;

namespace {

// The layers of GANs, and what is awkward: odd channels, leftover pixels, windows larger than the image.
const std::vector<ConvShape>& shapes() {
  static const std::vector<ConvShape> list = {
      square(3, 16, 3, 8, 4, 2, 1),                  // first layer of a discriminator
      square(1, 15, 1, 64, 4, 2, 1),                 // one channel, a leftover pixel
      square(2, 4, 33, 5, 4, 1, 0),                  // the window is the image
      square(1, 9, 33, 16, 3, 1, 1),                 // residual block, odd channels
      square(1, 6, 64, 3, 3, 1, 1),                  // to RGB
      square(3, 5, 16, 33, 1, 1, 0),                 // 1x1
      square(2, 7, 4, 5, 2, 3, 0),                   // pixels under no window, phases without taps
      square(2, 3, 4, 4, 5, 1, 2),                   // window larger than the image
      square(1, 8, 64, 64, 3, 1, 1),                 // whole packs throughout
      square(2, 13, 16, 72, 4, 2, 1),                // more than one tile of columns
      conv_shape(2, 11, 6, 5, 4, 5, 3, 3, 2, 2, 1),  // nothing square
      conv_shape(1, 6, 17, 4, 16, 1, 4, 2, 3, 0, 2),
      conv_shape(2, 2, 3, 4, 8, 2, 2, 4, 5, 0, 0),  // strides beyond the image
  };
  return list;
}

enum Side { image_side, map_side, weight_side };

template <class T>
using Triangle = std::array<std::vector<T>, 3>;  // by Side

template <class T>
Triangle<T> random_triangle(const ConvShape& s, unsigned seed = 1) {
  return {values<T>(s.n * s.h * s.w * s.c, -1, 1, seed), values<T>(s.n * s.oh * s.ow * s.oc, -1, 1, seed + 1),
          values<T>(s.oc * s.kh * s.kw * s.c, -1, 1, seed + 2)};
}

// Every side from the other two, in double: the sums, the sums of magnitudes, the number of products of a sum.
struct Expected {
  Triangle<double> sums, magnitudes, counts;
};
template <class T>
Expected expected(const ConvShape& s, const Triangle<T>& t) {
  Expected e;
  for (Triangle<double>* side : {&e.sums, &e.magnitudes, &e.counts})
    for (size_t i = 0; i < 3; i++) (*side)[i].resize(t[i].size());
  for_each_product(s, [&](size_t i, size_t m, size_t w) {
    const double image = double(t[image_side][i]), map = double(t[map_side][m]), weight = double(t[weight_side][w]);
    const auto add = [&](Side side, size_t at, double product) {
      e.sums[side][at] += product;
      e.magnitudes[side][at] += std::abs(product);
      e.counts[side][at]++;
    };
    add(image_side, i, map * weight);
    add(map_side, m, image * weight);
    add(weight_side, w, image * map);
  });
  return e;
}

// A tensor on the device, `offset` elements behind an aligned address.
template <class T>
class Placed {
 public:
  Placed(const std::vector<T>& x, size_t offset) : offset_(offset), memory_(padded(x, offset)) {}
  T* data() const { return memory_.data() + offset_; }
  std::vector<T> host() const {
    const std::vector<T> all = memory_.host();
    return {all.begin() + static_cast<ptrdiff_t>(offset_), all.end()};
  }

 private:
  static std::vector<T> padded(const std::vector<T>& x, size_t offset) {
    std::vector<T> all(offset);
    all.insert(all.end(), x.begin(), x.end());
    return all;
  }
  size_t offset_;
  OnDevice<T> memory_;
};

// All three functions. `offsets`: of the sides in memory.
template <class T>
Triangle<T> on_gpu(const ConvShape& s, const Triangle<T>& t, std::array<size_t, 3> offsets = {}) {
  const Placed<T> image(t[0], offsets[0]), map(t[1], offsets[1]), weight(t[2], offsets[2]);
  const auto blank = [&](size_t side) { return Placed<T>(std::vector<T>(t[side].size(), T(NAN)), offsets[side]); };
  const Placed<T> new_image = blank(0), new_map = blank(1), new_weight = blank(2);
  Gpu<T>::conv2d(s, image.data(), weight.data(), new_map.data());
  Gpu<T>::conv_transpose2d(s, map.data(), weight.data(), new_image.data());
  Gpu<T>::conv_weight_grad(s, image.data(), map.data(), new_weight.data());
  return {new_image.host(), new_map.host(), new_weight.host()};
}

// |got - sum| <= (per_product + (count + 8) * epsilon) * sum of magnitudes, for every element of every side: factors
// rounded with a relative error of per_product / 2 each, sums in T in any order.
template <class T>
void check(const ConvShape& s, const Triangle<T>& got, const Expected& e, double per_product = 0) {
  CAPTURE(s.n, s.h, s.w, s.c, s.oh, s.ow, s.oc, s.kh, s.kw, s.stride_h, s.stride_w, s.pad_h, s.pad_w);
  for (size_t side = 0; side < 3; side++) {
    test::Worst worst;
    for (size_t i = 0; i < got[side].size(); i++) {
      const double error = std::abs(double(got[side][i]) - e.sums[side][i]);
      const double bound = (per_product + (e.counts[side][i] + 8) * epsilon<T>)*e.magnitudes[side][i];
      const double ratio = error == 0 ? 0 : error / bound;
      worst.add(ratio);
    }
    INFO("side " << side << " (0 image, 1 map, 2 weight)");
    CHECK(worst <= 1);
  }
}

class Mode {  // for the length of a test
 public:
  explicit Mode(MathMode mode) : before_(math_mode()) { set_math_mode(mode); }
  ~Mode() { set_math_mode(before_); }

 private:
  MathMode before_;
};

// Of the products of one factor of relative error 2^-11 with another.
double rounding(MathMode mode) { return mode == MathMode::tf32 ? 0x1p-10 + 0x1p-22 : 0; }

// Whether a kernel was launched since the last reset whose name has all these parts.
template <class... Parts>
bool ran(const Parts&... parts) {
  return std::any_of(simt::traffic().begin(), simt::traffic().end(),
                     [&](const auto& kernel) { return ((kernel.first.find(parts) != std::string::npos) && ...); });
}

}  // namespace

GPU_TEMPLATE_TEST_CASE("convolutions agree with plain loops") {
  for (const ConvShape& s : shapes()) {
    const auto t = random_triangle<TestType>(s);
    check(s, on_gpu(s, t), expected(s, t));
  }
}

GPU_TEMPLATE_TEST_CASE("convolutions from unaligned memory") {
  const ConvShape s = square(2, 6, 8, 12, 3, 2, 1);
  const auto t = random_triangle<TestType>(s);
  const auto e = expected(s, t);
  for (size_t side = 0; side < 3; side++) {
    std::array<size_t, 3> offsets{};
    offsets[side] = 1;
    CAPTURE(side);
    check(s, on_gpu(s, t, offsets), e);
  }
}

GPU_TEST_CASE("convolutions on random geometries") {
  const MathMode mode = GENERATE(MathMode::fp32, MathMode::tf32);
  const Mode scope(mode);
  std::mt19937 generator(mode == MathMode::fp32 ? 1 : 2);
  const auto pick = [&](auto... choices) {
    const int64_t list[] = {choices...};
    return list[generator() % (sizeof list / sizeof *list)];
  };
  for (int trial = 0; trial < 12; trial++) {
    const int64_t kh = pick(1, 3, 4, 5), kw = pick(1, 3, 4, 5);
    const ConvShape s =
        conv_shape(pick(1, 2, 3), kh + pick(0, 1, 2, 5), kw + pick(0, 1, 3, 6), pick(1, 3, 4, 5, 16, 33),
                   pick(1, 3, 4, 5, 16, 33), kh, kw, pick(1, 2, 3), pick(1, 2, 3), pick(0, 1, 2), pick(0, 1, 2));
    const auto t = random_triangle<float>(s);
    check(s, on_gpu(s, t), expected(s, t), rounding(mode));
  }
}

GPU_TEST_CASE("convolutions large enough for every tile and for splits") {
  const MathMode mode = GENERATE(MathMode::fp32, MathMode::tf32);
  const Mode scope(mode);
  [[maybe_unused]] const FourMultiprocessors few;
  simt::reset_traffic();
  std::vector<ConvShape> list = {square(2, 16, 12, 136, 3, 1, 1), square(2, 12, 72, 16, 4, 2, 1),  // large tiles
                                 square(1, 6, 40, 48, 3, 1, 1)};                                   // small ones
  if (gpu == Device::cuda) list.push_back(square(34, 16, 132, 132, 1, 1, 0));  // large ones on 132 multiprocessors
  for (const ConvShape& s : list) {
    const auto t = random_triangle<float>(s);
    check(s, on_gpu(s, t), expected(s, t), rounding(mode));
  }
  if (gpu != Device::simt) return;    // which knows what ran
  uint64_t written = 0, results = 0;  // shares are written besides the results
  for (const auto& [kernel, traffic] : simt::traffic())
    if (kernel.starts_with("multiply<")) written += traffic.written_bytes;
  for (const ConvShape& s : list)
    for (const int64_t n : {s.n * s.h * s.w * s.c, s.oc * s.kh * s.kw * s.c, s.n * s.oh * s.ow * s.oc})
      results += static_cast<uint64_t>(n) * sizeof(float);
  CHECK(written > results);
  const std::string math = mode == MathMode::tf32 ? "Tf32" : "Fma";
  for (const std::string part : {"128, 128", "64, 64", "128, 32"}) {
    for (const std::string problem : {"Product", "Phases"}) {
      CAPTURE(math, part, problem);
      CHECK(ran(math, part, problem));
    }
  }
}

// The factors rounded to TF32: each has a relative error of 2^-11 at most, their product of 2^-10 + 2^-22. And beyond
// that bound: with factors rounded beforehand, nothing is lost but what sums in FP32 lose.
GPU_TEST_CASE("convolutions in TF32") {
  const Mode mode(MathMode::tf32);
  const auto rounded = [](std::vector<float> x) {
    for (float& v : x) v = std::bit_cast<float>((std::bit_cast<uint32_t>(v) + 0x1000u) & 0xffffe000u);
    return x;
  };
  for (const ConvShape& s : shapes()) {
    if (s.kh == s.h && s.kw == s.w && s.oh == 1 && s.ow == 1 && s.pad_h == 0) continue;  // goes to cuBLAS
    const auto t = random_triangle<float>(s);
    const auto got = on_gpu(s, t);
    check(s, got, expected(s, t), rounding(MathMode::tf32));
    check(s, got, expected<float>(s, {rounded(t[0]), rounded(t[1]), rounded(t[2])}));
  }
}

GPU_TEST_CASE("convolutions give the same bits for every order of threads") {
  const Mode scope(GENERATE(MathMode::fp32, MathMode::tf32));
  // The last: a gradient of four splits.
  for (const ConvShape& s :
       {square(1, 20, 3, 40, 4, 2, 1), square(1, 16, 4, 68, 3, 1, 1), square(1, 32, 3, 20, 3, 1, 1)}) {
    const auto t = random_triangle<float>(s);
    simt::set_seed(1);
    const auto first = on_gpu(s, t);
    for (const uint64_t seed : {2, 3}) {
      simt::set_seed(seed);
      const auto again = on_gpu(s, t);
      for (size_t side = 0; side < 3; side++) CHECK(same_bits(first[side], again[side]));
    }
  }
}

GPU_TEMPLATE_TEST_CASE("convolutions of nothing") {
  const ConvShape empty = square(0, 6, 4, 4, 3, 1, 1);
  const auto got = on_gpu(empty, random_triangle<TestType>(empty));
  CHECK(got[weight_side] == std::vector<TestType>(got[weight_side].size()));  // an empty sum
  const ConvShape no_maps = square(2, 6, 4, 0, 3, 1, 1);
  const auto images = on_gpu(no_maps, random_triangle<TestType>(no_maps));
  CHECK(images[image_side] == std::vector<TestType>(images[image_side].size()));
}

GPU_TEMPLATE_TEST_CASE("bias and activation fused behind a convolution") {
  const Mode scope(sizeof(TestType) == 4 ? GENERATE(MathMode::fp32, MathMode::tf32) : MathMode::fp32);
  // A product in one go, and one whose depth is split: the epilogue then comes after the sum of the splits.
  for (const ConvShape& s : {square(1, 7, 5, 9, 3, 2, 1), square(1, 4, 64, 33, 3, 1, 1)}) {
    const auto t = random_triangle<TestType>(s);
    auto bias = values<TestType>(s.oc, -1, 1, 9);
    bias[1] = TestType(NAN);
    const OnDevice<TestType> image(t[image_side]), weight(t[weight_side]), bias_there(bias);
    const auto plain = on_gpu(s, t)[map_side];
    const auto fused = [&](bool with_bias, Activation activation, auto activate) {
      std::vector<double> want;
      for (size_t i = 0; i < plain.size(); i++) {
        want.push_back(activate(double(with_bias ? plain[i] + bias[i % bias.size()] : plain[i])));
      }
      const OnDevice<TestType> map(plain.size());
      Gpu<TestType>::conv2d_bias(s, image.data(), weight.data(), with_bias ? bias_there.data() : nullptr, activation,
                                 TestType(0.25), map.data());
      require_close(map.host(), want, 0);
    };
    fused(true, Activation::none, [](double x) { return x; });
    fused(true, Activation::relu, [](double x) { return x <= 0 ? 0 : x; });
    fused(false, Activation::leaky_relu, [](double x) { return x > 0 ? x : 0.25 * x; });
  }
}

GPU_TEST_CASE("a recorded convolution can be replayed on new numbers") {
  const ConvShape s = square(1, 12, 16, 33, 3, 1, 1);
  const auto t = random_triangle<float>(s), other = random_triangle<float>(s, 5);
  const auto first = on_gpu(s, t), second = on_gpu(s, other);
  const OnDevice<float> image(t[image_side]), map(t[map_side]), weight(t[weight_side].size());
  DeviceRuntime& device = runtime(gpu);
  device.begin_recording();
  Gpu<float>::conv_weight_grad(s, image.data(), map.data(), weight.data());
  const auto graph = device.end_recording();
  graph->replay();
  CHECK(same_bits(weight.host(), first[weight_side]));
  device.copy(image.data(), other[image_side].data(), other[image_side].size() * sizeof(float));
  device.copy(map.data(), other[map_side].data(), other[map_side].size() * sizeof(float));
  graph->replay();
  CHECK(same_bits(weight.host(), second[weight_side]));
}
