// Means of losses and their gradients against the formulas in double.
#include "tests/kernels/loss_reference.h"
#include "tests/kernels/values.h"

using namespace forger::kernels;

TEST_CASE("means of losses and their gradients are their formulas") {
  for_types([]<class T>(T) {
    for (const Loss& loss : every_loss) {
      for (const int64_t n : {1, 3, 31, 257, 40001}) {
        INFO("curve " << static_cast<int>(loss.curve) << ", n " << n);
        const auto x = values<T>(n, -3, 3);
        const T gy = T(-0.7);
        std::vector<T> mean(1), gx(x.size());
        Cpu<T>::mean_loss(loss, n, x.data(), mean.data());
        Cpu<T>::mean_loss_grad(loss, n, x.data(), &gy, gx.data());
        require_close(mean, {mean_of(loss, x)}, 16 * epsilon<T>);
        require_close(gx, gradient_of(loss, x, static_cast<double>(gy)), 16 * epsilon<T>);
      }
    }
  });
}

TEST_CASE("a loss has a value where the exponential has none") {
  for_types([]<class T>(T) {
    const std::vector<T> x = {-500, 500};
    T mean = 0;
    Cpu<T>::mean_loss({.curve = Curve::softplus}, 2, x.data(), &mean);
    CHECK(mean == T(250));
  });
}
