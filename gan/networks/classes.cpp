#include "gan/networks/classes.h"

namespace forger::gan {

Tensor class_loss(const Tensor& logits, const Tensor& c) { return neg(mean(sum(c * log_softmax(logits), {1}))); }

Tensor accuracy(const Tensor& logits, const Tensor& c, const Tensor& eye) {
  return mean(sum(gather(eye, argmax(logits)) * c, {1}));
}

Tensor with_planes(const Tensor& x, const Tensor& c) {
  const int64_t n = x.size(0), k = c.size(1);
  return concat(std::vector<Tensor>{x, broadcast_to(reshape(c, {n, 1, 1, k}), {n, x.size(1), x.size(2), k})}, 3);
}

}  // namespace forger::gan
