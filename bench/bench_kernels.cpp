// The contract's kernels one by one, at the sizes that DCGAN's layers have for images of 32 and 64 pixels.
//   bench_kernels --device cpu|cuda|simt [--math fp32|tf32|bf16] [--width N] [--batch N] [--filter WORD]
//
// A time is the median of five measurements of 50 ms or more (on CUDA 10 ms), each of many calls queued one behind
// the other. Operands that fit into a cache stay there between calls, so a small kernel can seem to read faster than
// memory delivers.
//
// The roofline is measured first, on the same device, the best of its five: bandwidth by the contract's copy of 256 MB;
// the arithmetic peak on the CPU by multiply-adds on registers alone, on CUDA by the contract's matmul of 4096^3. That
// one is cuBLAS: on CUDA the shares are shares of what cuBLAS reaches, not of the data sheet. A kernel's roof is the
// larger of its operations over the peak and its compulsory bytes (each operand once) over the bandwidth.
//
// On CUDA each convolution stands beside the matrix product of its dimensions, m = n*oh*ow, n = oc, k = kh*kw*c (for
// the weight gradient, which sums over n*oh*ow: m = oc, n = kh*kw*c, k = n*oh*ow), by cuBLAS on operands that are laid
// out already: as many multiply-adds, no gathering. And beside cuDNN, where it is found.
//
// On simt a time means nothing. There the table shows what one call asks of a GPU: launches; bytes of global memory, as
// a multiple of the compulsory ones, and the same with each sector of a launch once, as a cache has it; the share of
// the sectors touched that is put to use; bank conflicts of shared memory (1: none); barriers of a block.
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/cudnn.h"
#include "bench/measure.h"
#include "core/device.h"
#include "core/dispatch.h"
#include "core/ops.h"
#include "core/random.h"
#include "core/tensor.h"
#include "kernels/cpu/simd.h"
#include "kernels/simt/runtime.h"

namespace {

using namespace forger;
using namespace forger::bench;
using kernels::ConvShape;
using kernels::MatmulShape;
using kernels::NormShape;

constexpr const char* usage =
    "usage: bench_kernels --device cpu|cuda|simt [--math fp32|tf32|bf16] [--width N] [--batch N] [--filter WORD]";

struct Options {
  Device device = Device::cpu;
  int64_t width = 0, batch = 0;  // 0: the device's default
  std::string filter;
};

Options parse(const std::vector<std::string>& words) {
  Options o;
  std::string device;
  for (size_t i = 0; i < words.size(); i++) {
    const std::string& word = words[i];
    const auto value = [&] {
      check<UsageError>(i + 1 < words.size(), word, " needs a value; ", usage);
      return words[++i];
    };
    if (word == "--device") {
      device = value();
    } else if (word == "--math") {
      kernels::set_math_mode(find_math_mode(value()));
    } else if (word == "--width") {
      o.width = positive(value(), "--width");
    } else if (word == "--batch") {
      o.batch = positive(value(), "--batch");
    } else if (word == "--filter") {
      o.filter = value();
    } else {
      throw UsageError(text("'", word, "' is not known; ", usage));
    }
  }
  check<UsageError>(!device.empty(), "--device is missing; ", usage);
  o.device = find_device(device);  // last: a wrong word is told before a missing device
  if (o.width == 0) o.width = o.device == Device::simt ? 16 : 64;
  if (o.batch == 0) o.batch = o.device == Device::simt ? 2 : 64;
  return o;
}

double floats(int64_t count) { return static_cast<double>(count) * sizeof(float); }

// A call of a kernel, and what it cannot do without.
struct Call {
  std::string kernel, shape;
  double flops = 0;  // 0 where memory is the roof
  double bytes = 0;  // each operand once
  std::function<void()> run;
};

// Seconds of what a call is compared with, as far as it can be.
struct Peers {
  std::optional<double> cublas, cudnn;
};

class Bench {
 public:
  explicit Bench(const Options& o) : o_(o), device_(kernels::runtime(o.device)), timed_(o.device != Device::simt) {}

  void run() {
    header();
    for (const int64_t size : {32, 64}) {
      for (const ConvShape& layer : dcgan_layers(size, 3, o_.width, o_.batch)) convolution(layer);
      norms(size);
      adam(size);
      leaky_relu(size);
      norm_penalty(size);
      power_iteration(size);
    }
    random_normal(o_.batch * 100);
    random_normal(o_.batch * 64 * 64 * 3);
    softmax(o_.batch * 256, 256);              // the attention over a 16x16 map
    matmul(o_.batch, 16 * 8 * o_.width, 100);  // a linear layer from the latent vector
    const int64_t square = timed_ ? 1024 : 64;
    matmul(square, square, square);
    check<UsageError>(lines_ > 0, "no kernel or shape contains '", o_.filter, "'");
  }

 private:
  // ---- operands: arbitrary values in (-1, 1), so that no kernel meets infinities or denormals ----

  Tensor values(const Shape& shape) { return random_.uniform(shape, -1, 1, DType::f32, o_.device); }
  Tensor positive_values(int64_t n) { return random_.uniform({n}, 0.5, 1.5, DType::f32, o_.device); }

  bool wanted(const std::string& kernel, const std::string& shape) const {
    return (kernel + " " + shape).find(o_.filter) != std::string::npos;
  }

  Timing timing(const std::function<void()>& run) {
    const auto wait = [&] { device_.synchronize(); };
    return time_calls(run, wait, o_.device == Device::cuda ? gpu_seconds : cpu_seconds);
  }

  // ---- the roofline and the table ----

  void header() {
    std::printf("forger %s, %s: %s", FORGER_VERSION, name_of(o_.device), device_.description().c_str());
    if (o_.device == Device::cpu) std::printf(", %d thread(s)", kernels::threads());
    if (o_.device == Device::cuda) std::printf(", math %s", kernels::name_of(kernels::math_mode()));
    std::printf("; DCGAN, width %ld, batch %ld\n", o_.width, o_.batch);
    if (!timed_) {
      std::printf("\n%-18s  %-24s  %9s  %12s  %12s  %12s  %6s  %7s  %5s  %6s\n", "kernel", "shape", "launches",
                  "read kB", "written kB", "x compulsory", "once", "sectors", "banks", "sync");
      return;
    }
    if (o_.device == Device::cuda) open_cudnn();
    measure_roofline();
    std::printf("bandwidth %.1f GB/s (copy of 256 MB), peak %.1f GFLOP/s (%s)\n\n", bandwidth_ * 1e-9, peak_ * 1e-9,
                o_.device == Device::cuda ? "cuBLAS, 4096^3: shares are against cuBLAS" : "multiply-adds on registers");
    std::printf("%-18s  %-24s  %12s  %16s  %8s", "kernel", "shape", "us", "rate", "of roof");
    if (o_.device == Device::cuda) std::printf("  %12s", "cuBLAS us");
    if (cudnn_) std::printf("  %12s", "cuDNN us");
    std::printf("\n");
  }

  void open_cudnn() {
    if (!Cudnn::available) return;
    try {
      cudnn_ = std::make_unique<Cudnn>();
    } catch (const DeviceError& error) {
      std::fprintf(stderr, "bench_kernels: without cuDNN: %s\n", error.what());
    }
  }

  void measure_roofline() {
    constexpr int64_t copied = (int64_t{256} << 20) / sizeof(float), side = 4096;
    {
      const Tensor x = values({copied}), y(x.shape(), x.dtype(), o_.device);
      bandwidth_ = 2 * floats(copied) / timing([&] { copy(x, y); }).best;
    }
    if (o_.device == Device::cpu) {
      peak_ = 1e9 * peak_gflops();
    } else {
      peak_ = 2.0 * side * side * side / timing(product({.m = side, .n = side, .k = side})).best;
    }
    release_cached_memory(o_.device);
  }

  void line(const Call& call, const Peers& peers = {}) {
    lines_++;
    if (!timed_) return traffic_line(call);
    const double s = timing(call.run).median;
    const double roof = std::max(call.flops / peak_, call.bytes / bandwidth_);
    const double rate = (call.flops > 0 ? call.flops : call.bytes) / s * 1e-9;
    std::printf("%-18s  %-24s  %12.2f  %9.1f %s  %7.0f%%", call.kernel.c_str(), call.shape.c_str(), s * 1e6, rate,
                call.flops > 0 ? "GFLOP/s" : "GB/s   ", 100 * roof / s);
    for (const std::optional<double>& peer : {peers.cublas, peers.cudnn}) {
      if (peer) std::printf("  %12.2f", *peer * 1e6);
    }
    std::printf("\n");
    std::fflush(stdout);
  }

  void traffic_line(const Call& call) {
    call.run();  // makes what is made once
    const simt::Profiling profiling;
    call.run();
    const simt::Traffic sum = simt::all_traffic();
    const auto each = [](uint64_t n) { return static_cast<double>(n); };
    std::printf("%-18s  %-24s  %9.0f  %12.1f  %12.1f  %12.2f  %6.2f  %6.1f%%", call.kernel.c_str(), call.shape.c_str(),
                each(sum.launches), each(sum.read_bytes) * 1e-3, each(sum.written_bytes) * 1e-3,
                each(sum.read_bytes + sum.written_bytes) / call.bytes, each(sum.distinct_bytes) / call.bytes,
                100 * each(sum.global.least) / each(sum.global.units));
    sum.shared.least > 0 ? std::printf("  %5.2f", each(sum.shared.units) / each(sum.shared.least))
                         : std::printf("  %5s", "");
    std::printf("  %6.1f\n", each(sum.barriers) / each(sum.blocks));
    std::fflush(stdout);
  }

  // ---- kernels ----

  static bool bf16() { return kernels::math_mode() == kernels::MathMode::bf16; }

  // What layers hand on, and its bytes.
  Tensor activations(const Shape& shape) {
    return bf16() && o_.device != Device::cpu ? cast(values(shape), DType::bf16) : values(shape);
  }
  static double bytes_of(const Tensor& x, int64_t arrays = 1) {
    return static_cast<double>(arrays * x.numel()) * static_cast<double>(size_of(x.dtype()));
  }

  static void copy(const Tensor& x, const Tensor& y) {
    dispatch(x, [&]<class K>() {
      using T = typename K::Scalar;
      K::copy(x.numel(), x.data<T>(), y.data<T>());
    });
  }

  // c (m, n) = a b on fresh operands, by the contract's matmul.
  std::function<void()> product(const MatmulShape& s) {
    const Tensor a = values({s.m, s.k}), b = values({s.k, s.n}), c = values({s.m, s.n});
    return [=] {
      dispatch(a, [&]<class K>() {
        using T = typename K::Scalar;
        K::matmul(s, a.data<T>(), b.data<T>(), c.data<T>());
      });
    };
  }

  void matmul(int64_t m, int64_t n, int64_t k) {
    const std::string shape = text(m, " x ", n, " x ", k);
    if (!wanted("matmul", shape)) return;
    line({"matmul", shape, 2.0 * static_cast<double>(m * n) * static_cast<double>(k), floats(m * k + k * n + m * n),
          product({.m = m, .n = n, .k = k})});
  }

  void convolution(const ConvShape& s) {
    const Tensor image = activations({s.n, s.h, s.w, s.c}), map = activations({s.n, s.oh, s.ow, s.oc}),
                 weight = values({s.oc, s.kh, s.kw, s.c});
    const double bytes = bytes_of(image) + bytes_of(map) + bytes_of(weight);
    const int64_t positions = s.n * s.oh * s.ow, taps = s.kh * s.kw * s.c;
    const MatmulShape over_taps{.m = positions, .n = s.oc, .k = taps};
    const MatmulShape over_positions{.m = s.oc, .n = taps, .k = positions, .trans_a = true};
    const auto side = [&](Side which, const char* kernel, const MatmulShape& same, const std::function<void()>& run) {
      if (!wanted(kernel, layer_name(s))) return;
      Peers peers;
      if (o_.device == Device::cuda && !bf16()) {
        peers.cublas = timing(product(same)).median;
        peers.cudnn = cudnn_seconds(which, s, image, map, weight);
      }
      line({kernel, layer_name(s), s.flops(), bytes, run}, peers);
    };
    side(Side::conv2d, "conv2d", over_taps, [&] {
      dispatch_with_bf16(image, [&]<class K>() {
        using T = typename K::Scalar;
        K::conv2d(s, image.data<T>(), weight.data<typename K::Wide>(), map.data<T>());
      });
    });
    side(Side::conv_transpose2d, "conv_transpose2d", over_taps, [&] {
      dispatch_with_bf16(image, [&]<class K>() {
        using T = typename K::Scalar;
        K::conv_transpose2d(s, map.data<T>(), weight.data<typename K::Wide>(), image.data<T>());
      });
    });
    side(Side::conv_weight_grad, "conv_weight_grad", over_positions, [&] {
      dispatch_with_bf16(image, [&]<class K>() {
        using T = typename K::Scalar;
        K::conv_weight_grad(s, image.data<T>(), map.data<T>(), weight.data<typename K::Wide>());
      });
    });
  }

  // Batch norm behind the hidden layers: of the widest map (few channels) and of the smallest (most channels).
  void norms(int64_t size) {
    const int64_t half = size / 2;
    norm({.rows = o_.batch * half * half, .channels = o_.width});
    norm({.rows = o_.batch * 4 * 4, .channels = o_.width * size / 8});
  }

  void norm(const NormShape& s) {
    const std::string shape = text(s.rows, " x ", s.channels);
    const Tensor x = activations({s.rows, s.channels}), gy = activations(x.shape()), y(x.shape(), x.dtype(), o_.device);
    const Tensor mean = zeros({s.channels}, DType::f32, o_.device), rstd = positive_values(s.channels),
                 gamma = positive_values(s.channels), beta = values({s.channels}), ggamma = values({s.channels}),
                 gbeta = values({s.channels});
    constexpr auto leaky = kernels::Activation::leaky_relu;
    const auto add = [&](const char* kernel, int64_t arrays, int64_t rows, const std::function<void()>& run) {
      if (wanted(kernel, shape)) line({kernel, shape, 0, bytes_of(x, arrays) + floats(rows * s.channels), run});
    };
    add("norm_stats", 1, 2, [&] {
      dispatch_with_bf16(x, [&]<class K>() {
        using W = typename K::Wide;
        K::norm_stats(s, x.data<typename K::Scalar>(), W(1e-5), mean.data<W>(), rstd.data<W>());
      });
    });
    add("norm_apply", 2, 4, [&] {
      dispatch_with_bf16(x, [&]<class K>() {
        using T = typename K::Scalar;
        using W = typename K::Wide;
        K::norm_apply(s, x.data<T>(), mean.data<W>(), rstd.data<W>(), gamma.data<W>(), beta.data<W>(), leaky, W(0.2),
                      y.data<T>());
      });
    });
    add("norm_backward", 3, 6, [&] {
      dispatch_with_bf16(x, [&]<class K>() {
        using T = typename K::Scalar;
        using W = typename K::Wide;
        K::norm_backward(s, x.data<T>(), gy.data<T>(), mean.data<W>(), rstd.data<W>(), gamma.data<W>(), beta.data<W>(),
                         leaky, W(0.2), y.data<T>(), ggamma.data<W>(), gbeta.data<W>());
      });
    });
  }

  // Behind the discriminator's first layer.
  void leaky_relu(int64_t size) {
    const int64_t n = o_.batch * size / 2 * size / 2 * o_.width;
    const std::string shape = text(n);
    const Tensor x = activations({n}), gy = activations({n}), y(x.shape(), x.dtype(), o_.device);
    if (wanted("leaky_relu", shape)) {
      line({"leaky_relu", shape, 0, bytes_of(x, 2), [&] {
              dispatch_with_bf16(x, [&]<class K>() {
                using T = typename K::Scalar;
                using W = typename K::Wide;
                K::unary(kernels::Unary::leaky_relu, n, x.data<T>(), y.data<T>(), W(0.2), W(0));
              });
            }});
    }
    if (wanted("leaky_relu_grad", shape)) {
      const kernels::Broadcast same{.rank = 1, .sizes = {n}, .a_strides = {1}, .b_strides = {1}};
      line({"leaky_relu_grad", shape, 0, bytes_of(x, 3), [&] {
              dispatch_with_bf16(x, [&]<class K>() {
                using T = typename K::Scalar;
                K::binary(kernels::Binary::leaky_relu_grad, same, gy.data<T>(), x.data<T>(), y.data<T>(),
                          typename K::Wide(0.2));
              });
            }});
    }
  }

  // Sizes of all parameters of both networks: convolutions, and gamma and beta behind the hidden layers.
  std::vector<int64_t> parameters(int64_t size) const {
    std::vector<int64_t> counts;
    const std::vector<ConvShape> layers = dcgan_layers(size, 3, o_.width, o_.batch);
    const size_t hidden = layers.size() - 2;  // besides them: the logit of D, the first layer of G
    for (const ConvShape& g : layers) counts.push_back(g.oc * g.kh * g.kw * g.c);
    for (size_t i = 0; i < hidden; i++) counts.push_back(layers[i].oc * layers[i].kh * layers[i].kw * layers[i].c);
    for (size_t i = 1; i < hidden; i++) counts.insert(counts.end(), 2, layers[i].oc);  // D
    for (size_t i = 0; i < hidden; i++) counts.insert(counts.end(), 2, layers[i].oc);  // G
    return counts;
  }

  void adam(int64_t size) {
    const std::vector<int64_t> counts = parameters(size);
    int64_t total = 0;
    for (const int64_t n : counts) total += n;
    const std::string shape = text(counts.size(), " tensors, ", total);
    if (!wanted("adam", shape)) return;
    struct Parameter {
      Tensor param, grad, m, v, step;
    };
    std::vector<Parameter> list;
    for (const int64_t n : counts) {
      const Shape flat{n};
      list.push_back({values(flat), values(flat), zeros(flat, DType::f32, o_.device),
                      zeros(flat, DType::f32, o_.device), zeros({}, DType::f64, o_.device)});
    }
    const Tensor lr = full({}, 2e-4, DType::f64, o_.device);
    line({"adam", shape, 0, floats(7 * total), [&] {
            dispatch(list[0].param, [&]<class K>() {
              using T = typename K::Scalar;
              std::vector<kernels::AdamSlice<T>> slices;
              for (const Parameter& p : list) {
                slices.push_back({p.param.data<T>(), p.grad.data<T>(), p.m.data<T>(), p.v.data<T>(), p.param.numel(),
                                  p.step.data<double>()});
              }
              K::adam(slices, {}, lr.data<double>());
            });
          }});
  }

  void random_normal(int64_t n) {
    const std::string shape = text(n);
    if (!wanted("random_normal", shape)) return;
    const Tensor y({n}, DType::f32, o_.device);
    line({"random_normal", shape, 0, floats(n), [&] {
            dispatch(y, [&]<class K>() {
              using T = typename K::Scalar;
              K::random_normal(1, 0, 0, n, T(0), T(1), y.data<T>());
            });
          }});
  }

  // The spectral norm's iteration over the largest weight.
  void power_iteration(int64_t size) {
    const int64_t rows = o_.width * size / 8, cols = rows / 2 * 16;
    const std::string shape = text(rows, " x ", cols);
    if (!wanted("power_iteration", shape)) return;
    const Tensor w = values({rows, cols}), u = values({rows}), v = values({cols});
    line({"power_iteration", shape, 0, floats(w.numel() + 2 * rows + cols), [&] {
            dispatch(w, [&]<class K>() {
              using T = typename K::Scalar;
              K::power_iteration(rows, cols, false, w.data<T>(), T(1e-12), 1, u.data<T>(), v.data<T>());
            });
          }});
  }

  // The gradient penalty over a batch of images.
  void norm_penalty(int64_t size) {
    const int64_t rows = o_.batch, cols = size * size * 3;
    const std::string shape = text(rows, " x ", cols);
    if (!wanted("norm_penalty", shape)) return;
    const Tensor g = values({rows, cols}), norms({rows}, DType::f32, o_.device), penalty({}, DType::f32, o_.device);
    line({"norm_penalty", shape, 0, floats(g.numel() + rows + 1), [&] {
            dispatch(g, [&]<class K>() {
              using T = typename K::Scalar;
              K::norm_penalty(rows, cols, g.data<T>(), T(1), T(1e-12), norms.data<T>(), penalty.data<T>());
            });
          }});
  }

  void softmax(int64_t rows, int64_t cols) {
    const std::string shape = text(rows, " x ", cols);
    if (!wanted("softmax", shape)) return;
    const Tensor x = values({rows, cols}), y(x.shape(), x.dtype(), o_.device);
    line({"softmax", shape, 0, floats(2 * x.numel()), [&] {
            dispatch(x, [&]<class K>() {
              using T = typename K::Scalar;
              K::softmax(rows, cols, x.data<T>(), y.data<T>());
            });
          }});
  }

  // Empty where cuDNN is not there or does not do this layer.
  std::optional<double> cudnn_seconds(Side side, const ConvShape& s, const Tensor& image, const Tensor& map,
                                      const Tensor& weight) {
    if (!cudnn_) return {};
    try {
      device_.synchronize();
      return cudnn_->seconds(side, s, kernels::math_mode(), image.data<float>(), map.data<float>(),
                             weight.data<float>());
    } catch (const DeviceError& error) {
      std::fprintf(stderr, "bench_kernels: %s: %s\n", layer_name(s).c_str(), error.what());
      return {};
    }
  }

  Options o_;
  kernels::DeviceRuntime& device_;
  bool timed_;
  Random random_{1};
  double bandwidth_ = 0, peak_ = 0;  // bytes, operations per second
  std::unique_ptr<Cudnn> cudnn_;
  int lines_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return guarded("bench_kernels", [&] { Bench(parse({argv + 1, argv + argc})).run(); });
}
