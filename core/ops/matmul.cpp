// Matrix products: C = op(A) op(B) with op(A) (..., M, K), op(B) (..., K, N), C (..., M, N); op may transpose as it
// reads.
//
// Gradients, G being that of C, chosen so that nothing is transposed in memory:
//
//              A as stored (M, K)      A stored (K, M)         B as stored (K, N)      B stored (N, K)
//   gradient   G op(B)^T               op(B) G^T               op(A)^T G               G^T op(A)
//
// Leading axes are one batch. An operand without leading axes is shared by the whole batch: its gradient is summed over
// it. The usual case, activations (..., M, K) times one weight, is a single tall product (...*M, K) x (K, N), and then
// so is the weight's gradient, with no sum afterwards.
#include "core/ops/common.h"
#include "core/profile.h"
#include "core/trace.h"

namespace forger {
namespace {

using namespace ops;

Shape leading(const Shape& shape) { return Shape(std::span(shape.begin(), shape.end() - 2)); }
Shape with_matrix(const Shape& lead, int64_t rows, int64_t cols) {
  std::vector<int64_t> sizes(lead.begin(), lead.end());
  sizes.insert(sizes.end(), {rows, cols});
  return Shape(sizes);
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool trans_a, bool trans_b) {
  if (is_bf16(a) || is_bf16(b)) return matmul(widened(a), widened(b), trans_a, trans_b);
  check_operands("matmul", a, b);
  check<ShapeError>(a.rank() >= 2 && b.rank() >= 2, "[matmul] operands need at least two axes (a: ", a.shape(),
                    ", b: ", b.shape(), ")");
  const int64_t m = a.size(trans_a ? -1 : -2), k = a.size(trans_a ? -2 : -1);
  const int64_t n = b.size(trans_b ? -2 : -1), b_rows = b.size(trans_b ? -1 : -2);
  check<ShapeError>(k == b_rows, "[matmul] a has ", k, " columns, b has ", b_rows, " rows (a: ", a.shape(),
                    trans_a ? " transposed" : "", ", b: ", b.shape(), trans_b ? " transposed" : "", ")");
  const bool a_shared = a.rank() == 2, b_shared = b.rank() == 2;
  check<ShapeError>(a_shared || b_shared || leading(a.shape()) == leading(b.shape()),
                    "[matmul] leading axes differ (a: ", a.shape(), ", b: ", b.shape(), ")");
  const Shape lead = leading(a_shared ? b.shape() : a.shape());
  const int64_t batch = lead.numel();

  if (b_shared && !a_shared && !trans_a) {
    return reshape(matmul(reshape(a, {batch * m, k}), b, false, trans_b), with_matrix(lead, m, n));
  }

  Tensor c = fresh(a, with_matrix(lead, m, n));
  const kernels::MatmulShape s{.batch = batch,
                               .m = m,
                               .n = n,
                               .k = k,
                               .trans_a = trans_a,
                               .trans_b = trans_b,
                               .a_batch_stride = a_shared ? 0 : m * k,
                               .b_batch_stride = b_shared ? 0 : k * n};
  dispatch(a, [&]<class K>() {
    using T = typename K::Scalar;
    K::matmul(s, a.data<T>(), b.data<T>(), c.data<T>());
  });

  if (Profile* const profile = Profile::active()) {
    const double flops = 2.0 * static_cast<double>(batch * m) * static_cast<double>(n * k);
    profile->announce({.flops = flops, .true_flops = flops}, text(m, 'x', n, 'x', k));
  }
  if (Trace* const trace = Trace::active())
    trace->announce({{"trans_a", Trace::numbers(trans_a)}, {"trans_b", Trace::numbers(trans_b)}});
  return record("matmul", c, {a, b},
                [trans_a, trans_b, sa = a.shape(), sb = b.shape(), a_ = save_if(b.requires_grad(), a),
                 b_ = save_if(a.requires_grad(), b)](const Incoming& in) {
                  Gradients g(2);
                  if (in.needs(0)) {
                    const Tensor& y = *b_;
                    g[0] = sum_to(trans_a ? matmul(y, in.gy, trans_b, true) : matmul(in.gy, y, false, !trans_b), sa);
                  }
                  if (in.needs(1)) {
                    const Tensor& x = *a_;
                    g[1] = sum_to(trans_b ? matmul(in.gy, x, true, trans_a) : matmul(x, in.gy, !trans_a, false), sb);
                  }
                  return g;
                });
}

}  // namespace forger
