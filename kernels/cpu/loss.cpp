// Means of losses, of x (n), u = scale*x + shift:
//
//   mean_loss         factor * mean f(u)
//   mean_loss_grad    gy * factor*scale/n * f'(u)
//
//   curve       f(u)              f'(u)
//   linear      u                 1
//   square      u^2               2u
//   hinge       max(0, u)         u > 0 ? 1 : 0
//   softplus    log(1 + e^u)      1 / (1 + e^-u)
//
// Where a launch costs nothing these are the elementwise kernels and the sum, one after the other: their vectors, their
// threads, and their bits.
#include <vector>

#include "kernels/kernels.h"

namespace forger::kernels {
namespace {

template <class T>
std::vector<T> arguments(const Loss& loss, int64_t n, const T* x) {
  std::vector<T> u(static_cast<size_t>(n));
  Cpu<T>::unary(Unary::affine, n, x, u.data(), static_cast<T>(loss.scale), static_cast<T>(loss.shift));
  return u;
}

}  // namespace

template <class T>
void Cpu<T>::mean_loss(const Loss& loss, int64_t n, const T* x, T* mean) {
  std::vector<T> f = arguments(loss, n, x);
  switch (loss.curve) {
    case Curve::linear:
      break;
    case Curve::square:
      unary(Unary::pow, n, f.data(), f.data(), 2, 0);
      break;
    case Curve::hinge:
      unary(Unary::relu, n, f.data(), f.data(), 0, 0);
      break;
    case Curve::softplus:
      unary(Unary::softplus, n, f.data(), f.data(), 0, 0);
      break;
  }
  reduce(Reduce::sum, {.rank = 1, .sizes = {n}, .reduced = {true}}, f.data(), mean);
  *mean *= static_cast<T>(1 / static_cast<double>(n)) * static_cast<T>(loss.factor);
}

template <class T>
void Cpu<T>::mean_loss_grad(const Loss& loss, int64_t n, const T* x, const T* gy, T* gx) {
  const std::vector<T> u = arguments(loss, n, x);
  const T each = *gy * static_cast<T>(1 / static_cast<double>(n)) * static_cast<T>(loss.factor * loss.scale);
  switch (loss.curve) {
    case Curve::linear:
      return fill(n, each, gx);
    case Curve::square:
      return unary(Unary::affine, n, u.data(), gx, 2 * each, 0);
    case Curve::hinge:
      unary(Unary::positive, n, u.data(), gx, 0, 0);
      break;
    case Curve::softplus:
      unary(Unary::sigmoid, n, u.data(), gx, 0, 0);
      break;
  }
  unary(Unary::affine, n, gx, gx, each, 0);
}

FORGER_KERNEL(Cpu, mean_loss);
FORGER_KERNEL(Cpu, mean_loss_grad);

}  // namespace forger::kernels
