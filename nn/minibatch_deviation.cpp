#include "nn/minibatch_deviation.h"

#include "nn/functions.h"

namespace forger::nn {

LayerPtr minibatch_deviation(int64_t group) {
  check<UsageError>(group >= 1, "[minibatch_deviation] a group has at least one sample, not ", group);
  return fn([group](const Tensor& x) {
    constexpr double eps = 1e-8;  // the root has no gradient at 0
    check<ShapeError>(x.rank() >= 2 && x.size(0) > 0, "[minibatch_deviation] expects samples (N, ..., C), x is ",
                      x.shape());
    const int64_t n = x.size(0);
    int64_t members = std::min(group, n);
    while (n % members != 0) members--;
    const int64_t groups = n / members;
    const Tensor stddev = sqrt(variance(reshape(x, {members, groups, -1}), {0}) + eps);  // (groups, values)
    const Tensor of_sample = broadcast_to(mean(stddev, {1}), {members, groups});
    Shape one = x.shape(), channel = x.shape();
    for (int axis = 1; axis < x.rank(); axis++) one.set(axis, 1);
    channel.set(x.rank() - 1, 1);
    return concat(std::vector<Tensor>{x, broadcast_to(reshape(of_sample, one), channel)}, -1);
  });
}

}  // namespace forger::nn
