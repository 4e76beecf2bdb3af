#include "nn/functions.h"

#include "core/trace.h"

namespace forger::nn {

namespace {

class Function : public Layer {
 public:
  explicit Function(std::function<Tensor(const Tensor&)> function) : function_(std::move(function)) {}
  Tensor forward(const Tensor& x) override { return function_(x); }

 private:
  std::function<Tensor(const Tensor&)> function_;
};

}  // namespace

LayerPtr fn(std::function<Tensor(const Tensor&)> function) { return std::make_shared<Function>(std::move(function)); }

LayerPtr relu() {
  return fn([](const Tensor& x) { return forger::relu(x); });
}

LayerPtr leaky_relu(double slope) {
  return fn([slope](const Tensor& x) { return forger::leaky_relu(x, slope); });
}

LayerPtr tanh() {
  return fn([](const Tensor& x) { return forger::tanh(x); });
}

LayerPtr sigmoid() {
  return fn([](const Tensor& x) { return forger::sigmoid(x); });
}

LayerPtr flatten() {
  return fn([](const Tensor& x) { return forger::flatten(x); });
}

LayerPtr reshape_to(const Shape& sample) {
  std::vector<int64_t> sizes{0};
  sizes.insert(sizes.end(), sample.begin(), sample.end());
  return fn([sizes](const Tensor& x) mutable {
    sizes[0] = x.size(0);
    return reshape(x, Shape(std::span<const int64_t>(sizes)));
  });
}

LayerPtr upsample(int64_t factor) {
  return fn([factor](const Tensor& x) { return upsample_nearest(x, factor); });
}

LayerPtr average_pool(int64_t factor) {
  return fn([factor](const Tensor& x) { return avg_pool2d(x, {.kernel = factor, .stride = factor}); });
}

LayerPtr pixel_shuffle(int64_t factor) {
  return fn([factor](const Tensor& x) { return forger::pixel_shuffle(x, factor); });
}

namespace {

Tensor reflected(const Tensor& x, int axis, int64_t reach) {
  const int64_t size = x.size(axis);
  check<ShapeError>(reach < size, "[reflect] ", reach, " pixels beyond the edge of a map of ", size, " (x: ", x.shape(),
                    ")");
  std::vector<Tensor> parts;
  for (int64_t i = reach; i > 0; i--) parts.push_back(slice(x, axis, i, i + 1));
  parts.push_back(x);
  for (int64_t i = 1; i <= reach; i++) parts.push_back(slice(x, axis, size - 1 - i, size - i));
  return concat(parts, axis);
}

}  // namespace

LayerPtr reflect(int64_t reach) {
  return fn([reach](const Tensor& x) {
    const Trace::Whole whole;
    return whole.noted("reflect", reflected(reflected(x, 1, reach), 2, reach), {x}, {{"by", Trace::numbers(reach)}});
  });
}

Dropout::Dropout(double probability, Random& random) : probability_(probability), random_(random) {
  check<UsageError>(probability >= 0 && probability < 1, "[dropout] the probability must be in [0, 1), is ",
                    probability);
}

Tensor Dropout::forward(const Tensor& x) { return training() ? dropout(x, probability_, random_) : x; }

}  // namespace forger::nn
