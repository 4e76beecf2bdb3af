// Means of losses on the software device against the formulas in double.
#include "tests/kernels/loss_reference.h"
#include "tests/kernels/seeds.h"

using namespace forger;
using namespace forger::kernels;

GPU_TEMPLATE_TEST_CASE("means of losses and their gradients are their formulas, for every order of threads") {
  using T = TestType;
  for (const Loss& loss : every_loss) {
    // At the last length, on as many multiprocessors as a card has, there are more blocks than a block has threads.
    for (const int64_t n : {int64_t{1}, int64_t{3}, int64_t{257}, int64_t{1025}, several_strides, int64_t{300'001}}) {
      INFO("curve " << static_cast<int>(loss.curve) << ", n " << n);
      const auto x = values<T>(n, -3, 3);
      std::vector<T> first;
      for (const uint64_t seed : {1, 2, 3}) {
        simt::set_seed(seed);
        const OnDevice<T> on_x(x), gy(std::vector<T>{T(-0.7)}), mean(1), gx(x.size());
        Gpu<T>::mean_loss(loss, n, on_x.data(), mean.data());
        Gpu<T>::mean_loss_grad(loss, n, on_x.data(), gy.data(), gx.data());
        if (first.empty()) {
          first = mean.host();
          require_close(first, {mean_of(loss, x)}, 16 * epsilon<T>);
          require_close(gx.host(), gradient_of(loss, x, static_cast<double>(T(-0.7))), 16 * epsilon<T>);
        }
        CHECK(same_bits(mean.host(), first));
      }
    }
  }
}

GPU_TEST_CASE("a loss has a value where the exponential has none, and passes on a NaN") {
  const OnDevice<float> far(std::vector<float>{-500, 500}), broken(std::vector<float>{1, NAN}), mean(1);
  Gpu<float>::mean_loss({.curve = Curve::softplus}, 2, far.data(), mean.data());
  CHECK(mean.host()[0] == 250);
  for (const Loss& loss : every_loss) {
    Gpu<float>::mean_loss(loss, 2, broken.data(), mean.data());
    CHECK(std::isnan(mean.host()[0]));
  }
}
