// The stopwatch over ops: what it counts, and that nothing is lost between laps.
#include "core/profile.h"

#include <array>
#include <utility>

#include "core/autograd.h"
#include "core/ops.h"
#include "nn/optim.h"
#include "tests/catch.h"

using namespace forger;

TEST_CASE("a profile counts calls, operations and bytes of ops and gradients") {
  const auto start = std::chrono::steady_clock::now();
  std::map<std::string, Profile::Entry> entries;
  {
    const Profile profile;
    const Tensor x = ones({2, 8, 8, 3}).set_requires_grad(), w = ones({5, 4, 4, 3});
    for (int i = 0; i < 3; ++i) grad(sum(conv2d(x, w, {.stride = 2, .padding = 1})), x);
    matmul(ones({2, 3}), ones({3, 4}));
    entries = profile.entries();
  }
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const Profile::Entry& conv = entries.at("conv2d: 8x8x3 - 4x4x5");
  CHECK(conv.calls == 3);
  CHECK(conv.flops == 3 * 2.0 * (2 * 4 * 4 * 5) * (4 * 4 * 3));
  CHECK(conv.true_flops == conv.flops);
  CHECK(conv.bytes == 3 * 4.0 * (2 * 8 * 8 * 3 + 5 * 4 * 4 * 3 + 2 * 4 * 4 * 5));
  CHECK(entries.at("conv_transpose2d: 8x8x3 - 4x4x5").flops == conv.flops);
  CHECK(entries.at("gradient of conv2d").calls == 3);
  CHECK(entries.at("matmul: 2x4x3").flops == 2.0 * 2 * 4 * 3);
  CHECK(entries.at("sum").flops == 0);

  double total = 0;
  for (const auto& [op, entry] : entries) {
    CHECK(entry.seconds >= 0);
    total += entry.seconds;
  }
  CHECK(total > 0);
  CHECK(total <= elapsed);
}

TEST_CASE("a profile tells the operations of the definition from those of the algorithm") {
  const kernels::ConvMethod before = kernels::conv_method();
  const auto work = [](kernels::ConvMethod method) {
    kernels::set_conv_method(method);
    const Profile profile;
    const Tensor x = ones({2, 8, 8, 16}).set_requires_grad(), w = ones({16, 4, 4, 16});
    grad(sum(conv2d(x, w, {.stride = 2, .padding = 1})), x);
    const auto& entries = profile.entries();
    return std::pair(entries.at("conv2d: 8x8x16 - 4x4x16"), entries.at("conv_transpose2d: 8x8x16 - 4x4x16"));
  };
  const auto [direct, direct_transposed] = work(kernels::ConvMethod::direct);
  const auto [winograd, winograd_transposed] = work(kernels::ConvMethod::winograd);
  kernels::set_conv_method(before);

  CHECK(direct.true_flops == direct.flops);
  CHECK(direct_transposed.true_flops == direct.flops);
  CHECK(winograd.flops == direct.flops);
  CHECK(winograd.true_flops == direct.flops * 25 / 64);  // F(4x4, 2x2)
  CHECK(winograd_transposed.true_flops == winograd.true_flops);
}

TEST_CASE("a profile knows the bytes of what calls kernels by itself") {
  const Profile profile;
  const int64_t n = 6 * 5;
  const Tensor x = ones({6, 5}).set_requires_grad(), gamma = ones({5}).set_requires_grad(),
               beta = ones({5}).set_requires_grad();
  const Tensor y = batch_norm(x, gamma, beta);
  backward(sum(y));
  nn::Adam adam({{"gamma", gamma}, {"beta", beta}}, {});
  adam.step();
  nn::global_norm(std::array{gamma.grad(), Tensor(), beta.grad()});

  const auto& entries = profile.entries();
  CHECK(entries.at("batch_norm").bytes == 4.0 * (2 * n + 5 + 5));
  CHECK(entries.at("gradient of batch_norm").bytes == 4.0 * 3 * n);
  CHECK(entries.at("optimiser step").bytes == 4.0 * (5 + 5) * (1 + 3 * 2) + 2 * 8 * (2 + 2));  // and counts
  CHECK(entries.at("global norm").bytes == 4.0 * (5 + 5));
}

TEST_CASE("a profile ends with its scope") {
  {
    const Profile profile;
    CHECK(Profile::active() == &profile);
  }
  CHECK(Profile::active() == nullptr);
}
