// The ladders of bench/ladder/ from bottom to top: every step on the same random numbers, held to a plain loop.
//   bench_ladder --device simt|cuda [--size M N K] [--conv N H W C OC KERNEL STRIDE PAD]
//
// On simt the table shows what a step asks of a GPU: launches; bytes of global memory, also for each multiply-add;
// the sectors of 32 bytes that these touch, again for each; the turns that a request of shared memory takes, as a
// multiple of the fewest.
// On CUDA times (medians, as bench_kernels takes them), and the share of what cuBLAS reaches in the same math on the
// same product; beside a convolution that is the product of its patches, laid out already. A step whose result is
// wrong says so, and the program ends with 1.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/ladder/ladder.h"
#include "bench/measure.h"
#include "core/device.h"
#include "core/dispatch.h"
#include "core/random.h"
#include "core/tensor.h"
#include "kernels/simt/runtime.h"
#include "tests/worst.h"

namespace {

using namespace forger;
using namespace forger::bench;
using kernels::MathMode;
using ladder::Conv;
using ladder::Gemm;
using ladder::Step;

constexpr const char* usage =
    "usage: bench_ladder --device simt|cuda [--size M N K] [--conv N H W C OC KERNEL STRIDE PAD]";

struct Options {
  Device device = Device::simt;
  std::vector<Gemm> products;
  std::vector<Conv> convolutions;
};

template <class Shape>
double multiply_adds(const Shape& s) {
  return static_cast<double>(s.sizes().c) * s.product().k;
}

void check_sizes(const char* name, std::initializer_list<double> sizes) {
  constexpr double most = 1 << 28;  // numbers: a GiB
  check<UsageError>(std::max(sizes) <= most, name, " makes an array of more than 2^28 numbers; ", usage);
}

Options parse(const std::vector<std::string>& words) {
  Options o;
  std::string device;
  for (size_t i = 0; i < words.size(); i++) {
    const std::string& word = words[i];
    const auto value = [&](bool or_zero = false) {
      check<UsageError>(i + 1 < words.size(), word, " needs more values; ", usage);
      const std::string& digits = words[++i];
      return or_zero && digits == "0" ? 0 : static_cast<int>(positive(digits, word.c_str()));
    };
    if (word == "--device") {
      check<UsageError>(i + 1 < words.size(), word, " needs a value; ", usage);
      device = words[++i];
    } else if (word == "--size") {
      const Gemm s{value(), value(), value()};  // braces: in this order
      check_sizes("--size", {1.0 * s.m * s.k, 1.0 * s.k * s.n, 1.0 * s.m * s.n});
      o.products.push_back(s);
    } else if (word == "--conv") {
      const Conv s{value(), value(), value(), value(), value(), value(), value(), value(true)};
      check<UsageError>(s.kernel <= s.h + 2 * s.pad && s.kernel <= s.w + 2 * s.pad,
                        "--conv has a window larger than the padded image; ", usage);
      const double pixels = 1.0 * s.n * s.oh() * s.ow(), cells = 1.0 * s.kernel * s.kernel * s.c;
      check_sizes("--conv", {1.0 * s.n * s.h * s.w * s.c, s.oc * cells, pixels * s.oc, pixels * cells});
      // A grid's second axis ends at 65,535 tiles of 128 pixels.
      check<UsageError>(pixels <= 1 << 22, "--conv makes a map of more than 2^22 pixels; ", usage);
      o.convolutions.push_back(s);
    } else {
      throw UsageError(text("'", word, "' is not known; ", usage));
    }
  }
  check<UsageError>(!device.empty(), "--device is missing; ", usage);
  check<UsageError>(device_named(device) != Device::cpu, "--device is simt or cuda; ", usage);
  o.device = find_device(device);  // last: a wrong word is told before a missing device
  if (!o.products.empty() || !o.convolutions.empty()) return o;
  if (o.device == Device::simt) {
    o.products = {{128, 128, 128}, {100, 70, 50}};
    o.convolutions = {{2, 16, 16, 16, 32, 4, 2, 1}};
  } else {
    o.products = {{4096, 4096, 4096}, {256, 256, 16384}, {1000, 700, 500}};
    o.convolutions = {{64, 32, 32, 64, 128, 4, 2, 1}};
  }
  return o;
}

std::string title(const Gemm& s) { return text("C (", s.m, ", ", s.n, ") = A B, depth ", s.k); }
std::string title(const Conv& s) {
  return text("image (", s.n, ", ", s.h, ", ", s.w, ", ", s.c, ") to map (", s.n, ", ", s.oh(), ", ", s.ow(), ", ",
              s.oc, "), window ", s.kernel, "x", s.kernel, ", stride ", s.stride);
}

// ---- the table ----

struct Figures {
  double multiply_adds;
  simt::Traffic asked{};           // simt
  double seconds = 0, cublas = 0;  // CUDA
};

struct Column {
  const char* name;
  int digits;
  double (*value)(const Figures&);
};

const std::vector<Column>& columns(Device device) {
  static const std::vector<Column> counted{
      {"launches", 0, [](const Figures& f) { return static_cast<double>(f.asked.launches); }},
      {"MB read", 3, [](const Figures& f) { return static_cast<double>(f.asked.read_bytes) * 1e-6; }},
      {"MB written", 3, [](const Figures& f) { return static_cast<double>(f.asked.written_bytes) * 1e-6; }},
      {"bytes/multiply-add", 3,
       [](const Figures& f) {
         return static_cast<double>(f.asked.read_bytes + f.asked.written_bytes) / f.multiply_adds;
       }},
      {"sectors/1000", 1,
       [](const Figures& f) { return 1e3 * static_cast<double>(f.asked.global.units) / f.multiply_adds; }},
      {"turns", 2,
       [](const Figures& f) {
         const simt::Requests& shared = f.asked.shared;
         return shared.least > 0 ? static_cast<double>(shared.units) / static_cast<double>(shared.least) : NAN;
       }},
  };
  static const std::vector<Column> timed{
      {"us", 1, [](const Figures& f) { return f.seconds * 1e6; }},
      {"GFLOP/s", 0, [](const Figures& f) { return 2e-9 * f.multiply_adds / f.seconds; }},
      {"% of cuBLAS", 1, [](const Figures& f) { return 100 * f.cublas / f.seconds; }},
  };
  return device == Device::simt ? counted : timed;
}

constexpr int name_width = 16, least_width = 8;
int width_of(const Column& column) { return std::max(least_width, static_cast<int>(std::string(column.name).size())); }

void print_header(const std::string& what, Device device) {
  std::printf("\n%s\n%-*s", what.c_str(), name_width, "step");
  for (const Column& column : columns(device)) std::printf("  %*s", width_of(column), column.name);
  std::printf("  what it changes\n");
}

void print_row(std::string_view name, std::string_view change, const Figures& figures, Device device) {
  std::printf("%-*.*s", name_width, static_cast<int>(name.size()), name.data());
  for (const Column& column : columns(device)) {
    const double value = column.value(figures);
    std::isnan(value) ? std::printf("  %*s", width_of(column), "-")
                      : std::printf("  %*.*f", width_of(column), column.digits, value);
  }
  std::printf("  %.*s\n", static_cast<int>(change.size()), change.data());
  std::fflush(stdout);
}

// ---- climbing ----

const std::vector<Step<Gemm>>& steps_on([[maybe_unused]] Device device, const Gemm&) {
#ifdef FORGER_CUDA
  if (device == Device::cuda) return ladder::cuda_words::gemm_steps();
#endif
  return ladder::simt_words::gemm_steps();
}
const std::vector<Step<Conv>>& steps_on([[maybe_unused]] Device device, const Conv&) {
#ifdef FORGER_CUDA
  if (device == Device::cuda) return ladder::cuda_words::conv_steps();
#endif
  return ladder::simt_words::conv_steps();
}

// The right numbers at some places of the result, or at all.
class Expected {
 public:
  template <class Shape>
  Expected(const Shape& s, const Tensor& a, const Tensor& b) {
    const std::vector<double> on_a = a.to_vector(), on_b = b.to_vector();
    constexpr double most = 1 << 26;                                      // that a person waits for
    stride_ = 2 * static_cast<int64_t>(multiply_adds(s) / most / 2) + 1;  // odd: it meets all columns of a power of two
    for (int64_t at = 0; at < s.sizes().c; at += stride_)
      values_.push_back(ladder::plain(s, on_a.data(), on_b.data(), at));
    double squares = 0;
    for (const double x : values_) squares += x * x;
    scale_ = std::max(1e-30, std::sqrt(squares / static_cast<double>(values_.size())));
  }

  // The largest error, relative to the root mean square of the result.
  double error(const Tensor& result) const {
    const std::vector<double> got = result.to_vector();
    test::Worst worst;
    for (size_t i = 0; i < values_.size(); i++)
      worst.add(std::abs(got[i * static_cast<size_t>(stride_)] - values_[i]) / scale_);
    return worst;
  }

 private:
  int64_t stride_;
  std::vector<double> values_;
  double scale_;
};

// Rounding to TF32 errs by 2^-12 a product on average, and by 2^-11 at most.
double tolerance(MathMode math) { return math == MathMode::tf32 ? 5e-3 : 1e-4; }

class Climber {
 public:
  explicit Climber(Device device) : device_(device), runtime_(kernels::runtime(device)) {}

  template <class Shape>
  void climb(const Shape& s) {
    const Tensor a = values(s.sizes().a), b = values(s.sizes().b), c({s.sizes().c}, DType::f32, device_);
    const Expected expected(s, a, b);
    print_header(title(s), device_);
    for (const Step<Shape>& step : steps_on(device_, s)) {
      kernels::set_math_mode(step.math);
      const auto run = [&] { step.run(s, a.data<float>(), b.data<float>(), c.data<float>()); };
      forget(c);
      Figures figures{.multiply_adds = multiply_adds(s), .asked = asked_by(run)};
      const double error = expected.error(c);
      if (device_ == Device::cuda) figures.seconds = seconds(run), figures.cublas = cublas_seconds(s.product());
      print_row(step.name, step.change, figures, device_);
      if (error <= tolerance(step.math)) continue;
      std::printf("%*s  WRONG: an error of %.3g of the result's size\n", name_width, "", error);
      wrong_++;
    }
    kernels::set_math_mode(MathMode::fp32);
  }

  void tell() const { check<Error>(wrong_ == 0, wrong_, " result(s) are wrong"); }

 private:
  Tensor values(int64_t n) { return random_.uniform({n}, -1, 1, DType::f32, device_); }

  // What a step leaves out shall not be the right numbers of the step before.
  static void forget(const Tensor& c) {
    dispatch(c, [&]<class K>() {
      using T = typename K::Scalar;
      K::fill(c.numel(), static_cast<T>(NAN), c.data<T>());
    });
  }

  template <class F>
  static simt::Traffic asked_by(const F& run) {
    const simt::Profiling profiling;
    run();
    return simt::all_traffic();
  }

  template <class F>
  double seconds(const F& run) {
    const auto wait = [&] { runtime_.synchronize(); };
    return time_calls(run, wait, gpu_seconds).median;
  }

  // In the math mode that is set.
  double cublas_seconds(const Gemm& s) {
    const Tensor a = values(s.sizes().a), b = values(s.sizes().b), c({s.sizes().c}, DType::f32, device_);
    return seconds([&] {
      dispatch(a, [&]<class K>() {
        using T = typename K::Scalar;
        K::matmul({.m = s.m, .n = s.n, .k = s.k}, a.data<T>(), b.data<T>(), c.data<T>());
      });
    });
  }

  Device device_;
  kernels::DeviceRuntime& runtime_;
  Random random_{1};
  int wrong_ = 0;
};

void run(const Options& o) {
  std::printf("forger %s, %s: %s\n", FORGER_VERSION, name_of(o.device),
              kernels::runtime(o.device).description().c_str());
  Climber climber(o.device);
  for (const Gemm& s : o.products) climber.climb(s);
  for (const Conv& s : o.convolutions) climber.climb(s);
  climber.tell();
}

}  // namespace

int main(int argc, char** argv) {
  return guarded("bench_ladder", [&] { run(parse({argv + 1, argv + argc})); });
}
