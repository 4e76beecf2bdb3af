#include "gan/networks/classes.h"

#include "core/trace.h"

namespace forger::gan {

Tensor class_loss(const Tensor& logits, const Tensor& c) { return neg(mean(sum(c * log_softmax(logits), {1}))); }

Tensor accuracy(const Tensor& logits, const Tensor& c, const Tensor& eye) {
  return mean(sum(gather(eye, argmax(logits)) * c, {1}));
}

Tensor with_planes(const Tensor& x, const Tensor& c) {
  const int64_t n = x.size(0), k = c.size(1);
  return concat(std::vector<Tensor>{x, broadcast_to(reshape(c, {n, 1, 1, k}), {n, x.size(1), x.size(2), k})}, 3);
}

Tensor as_stripes(const Tensor& logits, const Tensor& like) {
  const int64_t n = like.size(0), height = like.size(1), width = like.size(2), classes = logits.size(1);
  std::vector<int64_t> class_at;  // of each column of the picture
  for (int64_t x = 0; x < width; x++) class_at.push_back(x * classes / width);
  const Tensor scores = softmax(logits);
  if (Trace* const trace = Trace::active()) trace->expose("scores", scores);
  const Tensor levels = gather(transpose(2 * scores - 1), to(from_indices(class_at), logits.device()));
  return broadcast_to(reshape(transpose(levels), {n, 1, width, 1}), {n, height, width, 1});
}

}  // namespace forger::gan
