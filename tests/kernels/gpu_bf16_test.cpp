// Kernels that keep activations as bfloat16: convolutions against plain loops in double, everything else against what the
// same kernel makes of the same numbers as floats, rounded. Inputs are bfloat16 numbers throughout, so that nothing but
// what a kernel rounds is off.
#include <bit>
#include <cmath>
#include <random>

#include "tests/kernels/conv_reference.h"
#include "tests/kernels/seeds.h"
#include "tests/worst.h"

using namespace forger;
using namespace forger::kernels;

namespace {

using Halves = std::vector<bfloat16>;
using Floats = std::vector<float>;

constexpr double unit = 0x1p-8;  // relative error of a number rounded to 8 bits

Halves halves(int64_t n, double low = -2, double high = 2, unsigned seed = 1) {
  Halves all;
  for (const float x : values<float>(n, low, high, seed)) all.emplace_back(x);
  return all;
}
Floats widened(const Halves& x) { return {x.begin(), x.end()}; }
Halves rounded(const Floats& x) {
  Halves all;
  for (const float v : x) all.emplace_back(v);
  return all;
}
bool same_halves(const Halves& a, const Halves& b) {
  return std::ranges::equal(a, b, {}, &bfloat16::bits, &bfloat16::bits);
}

// What no kernel has written: a NaN that none writes.
const bfloat16 unwritten_half = std::bit_cast<bfloat16>(uint16_t{0x7fa5});

// On the device, `offset` elements behind an aligned address.
template <class T>
class Placed {
 public:
  explicit Placed(std::vector<T> x, size_t offset = 0)
      : offset_(offset), memory_((x.insert(x.begin(), offset, T{}), std::move(x))) {}
  T* data() const { return memory_.data() + offset_; }
  std::vector<T> host() const {
    const std::vector<T> all = memory_.host();
    return {all.begin() + static_cast<ptrdiff_t>(offset_), all.end()};
  }

 private:
  size_t offset_;
  OnDevice<T> memory_;
};

Placed<bfloat16> blank(size_t n, size_t offset = 0) { return Placed(Halves(n, unwritten_half), offset); }
Placed<float> blank_floats(size_t n, size_t offset = 0) { return Placed(Floats(n, NAN), offset); }

// ---- convolutions ----

struct Sides {
  Halves image, map;
  Floats weight;
};
Sides sides_of(const ConvShape& s, unsigned seed = 1) {
  return {halves(s.n * s.h * s.w * s.c, -1, 1, seed), halves(s.n * s.oh * s.ow * s.oc, -1, 1, seed + 1),
          values<float>(s.oc * s.kh * s.kw * s.c, -1, 1, seed + 2)};
}

struct Offsets {
  size_t image = 0, map = 0, weight = 0;
};
Sides on_gpu(const ConvShape& s, const Sides& t, const Offsets& by = {}) {
  const Placed image(t.image, by.image), map(t.map, by.map);
  const Placed weight(t.weight, by.weight);
  const auto new_image = blank(t.image.size(), by.image), new_map = blank(t.map.size(), by.map);
  const auto new_weight = blank_floats(t.weight.size(), by.weight);
  Gpu<bfloat16>::conv2d(s, image.data(), weight.data(), new_map.data());
  Gpu<bfloat16>::conv_transpose2d(s, map.data(), weight.data(), new_image.data());
  Gpu<bfloat16>::conv_weight_grad(s, image.data(), map.data(), new_weight.data());
  return {new_image.host(), new_map.host(), new_weight.host()};
}

// |got - sum| <= (per_product + (count + 8) * epsilon) * sum of magnitudes + stored * |sum|: a factor rounded with the
// relative error per_product, sums of floats in any order, the result rounded with the relative error `stored`.
class Bound {
 public:
  explicit Bound(size_t n) : sums_(n), magnitudes_(n), counts_(n) {}
  void add(size_t at, double product) {
    sums_[at] += product;
    magnitudes_[at] += std::abs(product);
    counts_[at]++;
  }
  template <class T>
  void check(const std::vector<T>& got, double per_product, double stored) const {
    REQUIRE(got.size() == sums_.size());
    test::Worst worst;
    for (size_t i = 0; i < got.size(); i++) {
      const double error = std::abs(double(got[i]) - sums_[i]), sums = (counts_[i] + 8) * epsilon<float>;
      const double bound = (per_product + sums) * (1 + stored) * magnitudes_[i] + stored * std::abs(sums_[i]);
      worst.add(error == 0 ? 0 : error / bound);
    }
    CHECK(worst <= 1);
  }

 private:
  std::vector<double> sums_, magnitudes_, counts_;
};

void check(const ConvShape& s, const Sides& t, const Sides& got, double per_product = unit) {
  CAPTURE(s.n, s.h, s.w, s.c, s.oh, s.ow, s.oc, s.kh, s.kw, s.stride_h, s.stride_w, s.pad_h, s.pad_w);
  Bound image(t.image.size()), map(t.map.size()), weight(t.weight.size());
  for_each_product(s, [&](size_t i, size_t m, size_t w) {
    image.add(i, double(t.map[m]) * double(t.weight[w]));
    map.add(m, double(t.image[i]) * double(t.weight[w]));
    weight.add(w, double(t.image[i]) * double(t.map[m]));
  });
  image.check(got.image, per_product, unit);
  map.check(got.map, per_product, unit);
  weight.check(got.weight, 0, 0);
}

const std::vector<ConvShape>& shapes() {
  static const std::vector<ConvShape> list = {
      square(3, 16, 3, 8, 4, 2, 1),
      square(1, 15, 1, 64, 4, 2, 1),  // first layers; a leftover pixel
      square(5, 4, 32, 40, 4, 1, 0),
      square(2, 4, 33, 5, 4, 1, 0),  // the window is the image
      square(1, 9, 33, 16, 3, 1, 1),
      square(3, 5, 16, 33, 1, 1, 0),  // odd channels
      square(2, 7, 4, 5, 2, 3, 0),
      square(2, 3, 4, 4, 5, 1, 2),  // pixels under no window; a window larger than all
      square(1, 8, 64, 64, 3, 1, 1),
      square(2, 13, 16, 72, 4, 2, 1),  // packs throughout; more than one tile of columns
      conv_shape(2, 11, 6, 5, 4, 5, 3, 3, 2, 2, 1)};
  return list;
}

// ---- norms ----

constexpr Activation activations[] = {Activation::none, Activation::relu, Activation::leaky_relu};

struct Normed {
  Floats mean, rstd, running_mean, running_variance, y, gx, ggamma, gbeta, dx, dgy, dgamma;
};
template <class T>
Normed norms_of(const NormShape& s, Activation act, const Halves& x, const Halves& gy, const Halves& a, size_t offset) {
  const auto as = [&](const Halves& v) { return Placed(std::vector<T>(v.begin(), v.end()), offset); };
  const size_t n = x.size(), sets = static_cast<size_t>(s.groups * s.channels), c = static_cast<size_t>(s.channels);
  const auto dx_ = as(x), dgy_ = as(gy), da = as(a);
  const Placed gamma(values<float>(s.channels, 0.5, 1.5, 3)), beta(values<float>(s.channels, -0.5, 0.5, 4));
  const Placed average(Floats(c, 0.25f)), spread(Floats(c, 0.5f));
  const auto mean = blank_floats(sets), rstd = blank_floats(sets), ggamma = blank_floats(c), gbeta = blank_floats(c),
             dgamma = blank_floats(c);
  const auto whole = [&] { return Placed(std::vector<T>(n, T(NAN)), offset); };
  const auto y = whole(), gx = whole(), ax = whole(), agy = whole();
  Running<float> running;
  if (s.groups == 1) running = {average.data(), spread.data(), 0.125f};
  Gpu<T>::norm_stats(s, dx_.data(), 1e-3f, mean.data(), rstd.data(), running);
  Gpu<T>::norm_apply(s, dx_.data(), mean.data(), rstd.data(), gamma.data(), beta.data(), act, 0.2f, y.data());
  Gpu<T>::norm_backward(s, dx_.data(), dgy_.data(), mean.data(), rstd.data(), gamma.data(), beta.data(), act, 0.2f,
                        gx.data(), ggamma.data(), gbeta.data());
  Gpu<T>::norm_backward_grad(s, dx_.data(), dgy_.data(), da.data(), mean.data(), rstd.data(), gamma.data(), beta.data(),
                             act, 0.2f, ax.data(), agy.data(), dgamma.data());
  const auto floats = [](const auto& placed) {
    const auto all = placed.host();
    return Floats(all.begin(), all.end());
  };
  return {floats(mean),   floats(rstd),  floats(average), floats(spread), floats(y),     floats(gx),
          floats(ggamma), floats(gbeta), floats(ax),      floats(agy),    floats(dgamma)};
}

// |got - right| <= (tolerance + stored) * |right| + tolerance * the largest.
void require_near(const Floats& got, const Floats& right, double tolerance, double stored = 0) {
  REQUIRE(got.size() == right.size());
  double largest = 0;
  for (const float x : right) largest = std::max(largest, std::abs(double(x)));
  test::Worst worst;
  for (size_t i = 0; i < got.size(); i++) {
    const double error = std::abs(double(got[i]) - double(right[i]));
    worst.add(error == 0 ? 0 : error / ((tolerance + stored) * std::abs(double(right[i])) + tolerance * largest));
  }
  CHECK(worst <= 1);
}

}  // namespace

TEST_CASE("bfloat16: a float is rounded to the nearest, ties to even") {
  const auto bits = [](float x) { return bfloat16(x).bits; };
  CHECK(bits(1) == 0x3f80);
  CHECK(bits(-1.5f) == 0xbfc0);
  CHECK(bits(1 + 0x1p-8f) == 0x3f80);  // half way, down to even
  CHECK(bits(1 + 3 * 0x1p-8f) == 0x3f82);
  CHECK(bits(1 + 0x1p-8f + 0x1p-20f) == 0x3f81);
  CHECK(bits(0x1.ffp127f) == 0x7f80);  // beyond the largest
  CHECK(bits(-INFINITY) == 0xff80);
  CHECK(bits(0x1p-140f) == 0);
  CHECK(bits(0x1p-133f) == 1);  // the smallest denormal
  CHECK(std::isnan(float(bfloat16(NAN))));
  CHECK(std::isnan(float(bfloat16(std::bit_cast<float>(0x7f800001u)))));  // of whose fraction nothing would be left
  int equal = 0;
  for (uint32_t half = 0; half < 0x10000; half++) {  // each of them comes back
    const auto x = std::bit_cast<bfloat16>(static_cast<uint16_t>(half));
    equal += std::isnan(float(x)) ? std::isnan(float(bfloat16(float(x)))) : bfloat16(float(x)).bits == half;
  }
  CHECK(equal == 0x10000);
}

GPU_TEST_CASE("bfloat16: convolutions agree with plain loops") {
  for (const ConvShape& s : shapes()) {
    Sides t = sides_of(s);
    check(s, t, on_gpu(s, t));
    t.weight = widened(rounded(t.weight));  // beyond that bound: nothing is lost but what sums and results lose
    check(s, t, on_gpu(s, t), 0);
  }
}

GPU_TEST_CASE("bfloat16: convolutions from unaligned memory") {
  const ConvShape s = square(2, 6, 8, 16, 3, 2, 1);
  const Sides t = sides_of(s);
  for (const Offsets& by : {Offsets{1, 0, 0}, Offsets{0, 1, 0}, Offsets{0, 0, 1}, Offsets{4, 4, 2}})
    check(s, t, on_gpu(s, t, by));
}

GPU_TEST_CASE("bfloat16: convolutions on random geometries") {
  std::mt19937 generator(7);
  const auto pick = [&](auto... choices) {
    const int64_t list[] = {choices...};
    return list[generator() % (sizeof list / sizeof *list)];
  };
  for (int trial = 0; trial < 16; trial++) {
    const int64_t kh = pick(1, 3, 4, 5), kw = pick(1, 3, 4, 5);
    const ConvShape s =
        conv_shape(pick(1, 2, 3), kh + pick(0, 1, 2, 5), kw + pick(0, 1, 3, 6), pick(1, 3, 8, 16, 33),
                   pick(1, 3, 8, 16, 40), kh, kw, pick(1, 2, 3), pick(1, 2, 3), pick(0, 1, 2), pick(0, 1, 2));
    const Sides t = sides_of(s);
    check(s, t, on_gpu(s, t));
  }
}

GPU_TEST_CASE("bfloat16: convolutions large enough for every tile and for splits") {
  [[maybe_unused]] const FourMultiprocessors few;
  simt::reset_traffic();
  for (const ConvShape& s :
       {square(2, 16, 16, 136, 3, 1, 1), square(2, 12, 72, 16, 4, 2, 1), square(1, 6, 40, 48, 3, 1, 1)}) {
    const Sides t = sides_of(s);
    check(s, t, on_gpu(s, t));
  }
  if (gpu != Device::simt) return;  // which knows what ran
  for (const std::string tile : {"128, 128", "64, 64", "128, 32"}) {
    for (const std::string problem : {"Product", "Phases"}) {
      CAPTURE(tile, problem);
      CHECK(std::ranges::any_of(simt::traffic(), [&](const auto& kernel) {
        const std::string& name = kernel.first;
        return name.find("Bf16") != name.npos && name.find(tile) != name.npos && name.find(problem) != name.npos;
      }));
    }
  }
}

GPU_TEST_CASE("bfloat16: convolutions of nothing") {
  const ConvShape empty = square(0, 6, 8, 8, 3, 1, 1), no_maps = square(2, 6, 8, 0, 3, 1, 1);
  CHECK(on_gpu(empty, sides_of(empty)).weight == Floats(8 * 9 * 8));  // an empty sum
  for (const bfloat16 x : on_gpu(no_maps, sides_of(no_maps)).image) CHECK(float(x) == 0);
}

SIMT_TEST_CASE("bfloat16: convolutions give the same bits for every order of threads") {
  for (const ConvShape& s :  // the last: a gradient of several splits
       {square(1, 20, 3, 40, 4, 2, 1), square(1, 16, 8, 72, 3, 1, 1), square(1, 32, 3, 24, 3, 1, 1)}) {
    const Sides t = sides_of(s);
    simt::set_seed(1);
    const Sides first = on_gpu(s, t);
    for (const uint64_t seed : {2, 3}) {
      simt::set_seed(seed);
      const Sides again = on_gpu(s, t);
      CHECK(same_halves(again.image, first.image));
      CHECK(same_halves(again.map, first.map));
      CHECK(same_bits(again.weight, first.weight));
    }
  }
}

GPU_TEST_CASE("bfloat16: bias and activation come before the rounding") {
  // In one go, and with splits, after whose sum the epilogue comes; rows that are whole packs, and that are not.
  for (const ConvShape& s :
       {square(1, 7, 8, 9, 3, 2, 1), square(2, 8, 16, 72, 3, 1, 1), square(1, 4, 64, 40, 3, 1, 1)}) {
    Sides t = sides_of(s);
    t.weight = widened(rounded(t.weight));
    Floats bias = values<float>(s.oc, -1, 1, 9);
    bias[1] = NAN;
    const Placed image(t.image);
    const Placed weight(t.weight), bias_there(bias);
    std::vector<double> sums(t.map.size()), magnitudes(t.map.size());
    for_each_product(s, [&](size_t i, size_t m, size_t w) {
      sums[m] += double(t.image[i]) * double(t.weight[w]);
      magnitudes[m] += std::abs(double(t.image[i]) * double(t.weight[w]));
    });
    const auto fused = [&](bool with_bias, Activation act, auto activate) {
      const auto map = blank(t.map.size());
      Gpu<bfloat16>::conv2d_bias(s, image.data(), weight.data(), with_bias ? bias_there.data() : nullptr, act, 0.25f,
                                 map.data());
      const Halves got = map.host();
      test::Worst worst;
      for (size_t i = 0; i < got.size(); i++) {
        const double right = activate(with_bias ? sums[i] + double(bias[i % bias.size()]) : sums[i]);
        if (std::isnan(right)) {
          worst.add(std::isnan(float(got[i])) ? 0 : NAN);
        } else {
          const double rounding = double(s.kh * s.kw * s.c + 8) * epsilon<float>;
          worst.add(std::abs(double(got[i]) - right) / (rounding * (magnitudes[i] + 1) * 2 + unit * std::abs(right)));
        }
      }
      CHECK(worst <= 1);
    };
    fused(true, Activation::none, [](double x) { return x; });
    fused(true, Activation::relu, [](double x) { return x <= 0 ? 0 : x; });
    fused(false, Activation::leaky_relu, [](double x) { return x > 0 ? x : 0.25 * x; });
  }
}

GPU_TEST_CASE("bfloat16: elementwise results are the floats', rounded") {
  for (const int64_t n : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{8}, int64_t{259}, several_strides}) {
    for (const size_t offset : {0, 1}) {
      CAPTURE(n, offset);
      Halves a = halves(n, -2, 2, 1), b = halves(n, -2, 2, 2);
      if (n > 2) a[1] = bfloat16(NAN), a[2] = bfloat16(INFINITY);
      const Placed x(a, offset), z(b, offset);
      const Placed wide_x(widened(a)), wide_z(widened(b));
      for (int op = 0; op <= static_cast<int>(Unary::inside); op++) {
        if (n > 300 && op % 5 != 0) continue;
        CAPTURE(op);
        const auto y = blank(a.size(), offset);
        const auto right = blank_floats(a.size());
        Gpu<bfloat16>::unary(static_cast<Unary>(op), n, x.data(), y.data(), 0.75f, 1.25f);
        Gpu<float>::unary(static_cast<Unary>(op), n, wide_x.data(), right.data(), 0.75f, 1.25f);
        CHECK(same_halves(y.host(), rounded(right.host())));
      }
      Broadcast same{.rank = 1, .sizes = {n}, .a_strides = {1}, .b_strides = {1}};
      for (int op = 0; op <= static_cast<int>(Binary::elu_grad); op++) {
        if (n > 300 && op % 5 != 0) continue;
        CAPTURE(op);
        const auto y = blank(a.size(), offset);
        const auto right = blank_floats(a.size());
        Gpu<bfloat16>::binary(static_cast<Binary>(op), same, x.data(), z.data(), y.data(), 0.75f);
        Gpu<float>::binary(static_cast<Binary>(op), same, wide_x.data(), wide_z.data(), right.data(), 0.75f);
        CHECK(same_halves(y.host(), rounded(right.host())));
      }
    }
  }
}

GPU_TEST_CASE("bfloat16: broadcasts of every pattern") {
  constexpr int64_t rows = 5, cols = 24;
  const Halves a = halves(rows * cols), b = halves(rows * cols, -2, 2, 2);
  const Placed x(a), z(b);
  const Placed wide_x(widened(a)), wide_z(widened(b));
  struct Strides {
    int64_t rank, sizes[3], a[3], b[3];
  };
  for (const Strides& s : {Strides{2, {rows, cols}, {cols, 1}, {0, 0}}, Strides{2, {rows, cols}, {cols, 1}, {0, 1}},
                           Strides{2, {rows, cols}, {1, 0}, {cols, 1}}, Strides{2, {rows, 3}, {3, 1}, {1, 0}},
                           Strides{3, {rows, 4, 6}, {6, 0, 1}, {0, 6, 1}}}) {
    Broadcast shape{.rank = static_cast<int>(s.rank)};
    int64_t n = 1;
    for (int k = 0; k < shape.rank; k++) {
      shape.sizes[k] = s.sizes[k], shape.a_strides[k] = s.a[k], shape.b_strides[k] = s.b[k];
      n *= s.sizes[k];
    }
    const auto y = blank(static_cast<size_t>(n));
    const auto right = blank_floats(static_cast<size_t>(n));
    Gpu<bfloat16>::binary(Binary::sub, shape, x.data(), z.data(), y.data(), 0);
    Gpu<float>::binary(Binary::sub, shape, wide_x.data(), wide_z.data(), right.data(), 0);
    CHECK(same_halves(y.host(), rounded(right.host())));
  }
}

GPU_TEST_CASE("bfloat16: norms are the floats', rounded") {
  for (const NormShape& s : {NormShape{1, 257, 3}, {1, 1000, 64}, {1, 33, 72}, {3, 50, 24}, {2, 4, 513}, {1, 2, 1}}) {
    const int64_t n = s.groups * s.rows * s.channels;
    const Halves x = halves(n), gy = halves(n, -1, 1, 2), a = halves(n, -1, 1, 3);
    for (const Activation act : activations) {
      for (const size_t offset : {0, 1}) {
        CAPTURE(s.groups, s.rows, s.channels, static_cast<int>(act), offset);
        const Normed got = norms_of<bfloat16>(s, act, x, gy, a, offset), right = norms_of<float>(s, act, x, gy, a, 0);
        constexpr double sums = 1e-4;  // in another order: what a channel of equal numbers blows up is left to the CPU
        require_near(got.mean, right.mean, sums);
        require_near(got.rstd, right.rstd, sums);
        require_near(got.running_mean, right.running_mean, sums);
        require_near(got.running_variance, right.running_variance, sums);
        require_near(got.y, right.y, sums, unit);
        require_near(got.gx, right.gx, sums, unit);
        require_near(got.ggamma, right.ggamma, sums);
        require_near(got.gbeta, right.gbeta, sums);
        require_near(got.dx, right.dx, sums, unit);
        require_near(got.dgy, right.dgy, sums, unit);
        require_near(got.dgamma, right.dgamma, sums);
      }
    }
  }
}

SIMT_TEST_CASE("bfloat16: norms give the same bits for every order of threads") {
  const NormShape s{1, 700, 40};
  const int64_t n = s.rows * s.channels;
  check_order([&] {
    const Normed r =
        norms_of<bfloat16>(s, Activation::leaky_relu, halves(n), halves(n, -1, 1, 2), halves(n, -1, 1, 3), 0);
    return std::vector<Floats>{r.mean, r.rstd, r.y, r.gx, r.ggamma, r.gbeta, r.dx, r.dgy, r.dgamma};
  });
}

GPU_TEST_CASE("bfloat16: sums are floats of floats") {
  const ReduceShape list[] = {{1, {0}, {true}},
                              {1, {5}, {false}},
                              {1, {70'000}, {true}},
                              {2, {300, 33}, {true, false}},
                              {2, {9, 700}, {false, true}},
                              {3, {4, 50, 16}, {false, true, false}}};
  for (const ReduceShape& s : list) {
    int64_t n = 1, results = 1;
    for (int k = 0; k < s.rank; k++) n *= s.sizes[k], results *= s.reduced[k] ? 1 : s.sizes[k];
    CAPTURE(n, results);
    const Halves x = halves(n);
    const Placed there(x);
    const Placed wide(widened(x));
    for (const Reduce op : {Reduce::sum, Reduce::max, Reduce::min}) {
      const auto y = blank_floats(static_cast<size_t>(results)), right = blank_floats(static_cast<size_t>(results));
      Gpu<bfloat16>::reduce(op, s, there.data(), y.data());
      Gpu<float>::reduce(op, s, wide.data(), right.data());
      CHECK(same_bits(y.host(), right.host()));
    }
  }
}

GPU_TEST_CASE("bfloat16: numbers are moved and converted whole") {
  for (const int64_t n : {int64_t{0}, int64_t{3}, int64_t{8}, int64_t{1003}}) {
    for (const size_t offset : {0, 1}) {
      CAPTURE(n, offset);
      const Floats x = values<float>(n);
      const std::vector<double> doubles = values<double>(n);
      const Placed there(x, offset);
      const Placed wide(doubles, offset);
      const auto y = blank(x.size(), offset), copy = blank(x.size(), offset), filled = blank(x.size(), offset);
      const auto back = blank_floats(x.size(), offset);
      Gpu<bfloat16>::from_float(n, there.data(), y.data());
      CHECK(same_halves(y.host(), rounded(x)));
      Gpu<bfloat16>::copy(n, y.data(), copy.data());
      CHECK(same_halves(copy.host(), rounded(x)));
      Gpu<float>::from_bfloat16(n, y.data(), back.data());
      CHECK(back.host() == widened(rounded(x)));
      Gpu<bfloat16>::from_double(n, wide.data(), y.data());
      CHECK(same_halves(y.host(), rounded({doubles.begin(), doubles.end()})));
      Gpu<bfloat16>::fill(n, bfloat16(0.3f), filled.data());
      CHECK(same_halves(filled.host(), Halves(x.size(), bfloat16(0.3f))));
      CHECK(Gpu<bfloat16>::all_finite(n, y.data()));
    }
  }
  Halves bad = halves(1003);
  bad[1002] = bfloat16(INFINITY);
  CHECK_FALSE(Gpu<bfloat16>::all_finite(1003, Placed(bad).data()));

  const Halves matrix = halves(40 * 33);  // turned round: by tiles
  const Placed from(matrix);
  const auto to = blank(matrix.size());
  Gpu<bfloat16>::strided_copy({.rank = 2, .sizes = {33, 40}, .src_strides = {1, 33}, .dst_strides = {40, 1}},
                              from.data(), to.data());
  const Halves turned = to.host();
  int equal = 0;
  for (size_t i = 0; i < 40; i++)
    for (size_t j = 0; j < 33; j++) equal += turned[j * 40 + i].bits == matrix[i * 33 + j].bits;
  CHECK(equal == 40 * 33);
}
