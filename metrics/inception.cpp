// The network as a table, block by block, and the two loops that read its weights and run it.
//
//   stage     input            branches, joined along the channels (PyTorch's names in the code)
//   stem      299 x 299 x 3    32 3x3/2, 32 3x3, 64 3x3 same, max 3x3/2; 80 1x1, 192 3x3, max 3x3/2 -> 35 x 35 x 192
//   5b 5c 5d  35 x 35          A: 64 | 48 - 64 5x5 | 64 - 96 3x3 - 96 3x3 | mean - 32, 64, 64       -> 256, 288, 288
//   6a        35 x 35 x 288    B: 384 3x3/2 | 64 - 96 3x3 - 96 3x3/2 | max/2                        -> 17 x 17 x 768
//   6b .. 6e  17 x 17 x 768    C: 192 | k - k 1x7 - 192 7x1 | k - k 7x1 - k 1x7 - k 7x1 - 192 1x7 | mean - 192,
//                                 k = 128, 160, 160, 192                                            -> 768
//   7a        17 x 17 x 768    D: 192 - 320 3x3/2 | 192 - 192 1x7 - 192 7x1 - 192 3x3/2 | max/2     -> 8 x 8 x 1280
//   7b 7c     8 x 8 x 1280     E: 320 | 384 - {384 1x3, 384 3x1} | 448 - 384 3x3 - {384 1x3, 384 3x1} |
//                                 7b: mean, 7c: max - 192                                           -> 2048
//
// Two rearrangements leave the result as it is up to rounding and save passes over memory. Batch norm is folded:
// w' = w*g, b' = beta - mean*g, g = gamma / sqrt(variance + eps). And where a mean pool comes before a 1x1 convolution
// the pool comes second: both are linear and a mean keeps the bias, but it then passes 32 to 192 channels instead of
// 192 to 1,280.
#include "metrics/inception.h"

#include <cmath>
#include <map>

#include "core/autograd.h"
#include "core/ops.h"
#include "gan/data/images.h"
#include "nn/checkpoint.h"

namespace forger::metrics {
namespace {

using kernels::Activation;

constexpr double eps = 1e-3;  // of every batch norm
constexpr int64_t colours = 3, width = 2048, classes = 1008;

// ---- the table ----

// A convolution with batch norm and ReLU (`out` channels; pooled: behind a mean pool 3x3), several of one input side by
// side (`fork`), or a max pool 3x3 (`out` 0).
struct Layer {
  std::string name = {};
  int64_t out = 0, kh = 3, kw = 3, stride = 1;
  int64_t pad_h = 0, pad_w = 0;
  bool pooled = false;
  std::vector<Layer> fork = {};
  Tensor weight = {}, bias = {};  // (O, KH, KW, C) and (O), batch norm folded in
};
using Branch = std::vector<Layer>;

struct Stage {
  std::string name;    // of the first or only block
  std::string prefix;  // of its tensors
  std::vector<Branch> branches;
  bool tap = false;  // pytorch-fid offers the global average of what comes out
};

// Of the same size as its input.
Layer conv(const char* name, int64_t out, int64_t kh = 1, int64_t kw = 1) {
  return {.name = name, .out = out, .kh = kh, .kw = kw, .pad_h = kh / 2, .pad_w = kw / 2};
}
Layer valid3x3(const char* name, int64_t out, int64_t stride = 1) {
  return {.name = name, .out = out, .stride = stride};
}
Layer mean_pooled(const char* name, int64_t out) {
  return {.name = name, .out = out, .kh = 1, .kw = 1, .pooled = true};
}
Layer max_pool(int64_t stride) { return {.stride = stride, .pad_h = 1 - stride / 2, .pad_w = 1 - stride / 2}; }
Layer fork(Layer a, Layer b) { return {.fork = {std::move(a), std::move(b)}}; }

Stage block(const std::string& name, std::vector<Branch> branches, bool tap = false) {
  return {name, name + ".", std::move(branches), tap};
}

Stage block_a(const std::string& name, int64_t pool_features) {
  return block(name, {{conv("branch1x1", 64)},
                      {conv("branch5x5_1", 48), conv("branch5x5_2", 64, 5, 5)},
                      {conv("branch3x3dbl_1", 64), conv("branch3x3dbl_2", 96, 3, 3), conv("branch3x3dbl_3", 96, 3, 3)},
                      {mean_pooled("branch_pool", pool_features)}});
}

Stage block_b(const std::string& name) {
  return block(name, {{valid3x3("branch3x3", 384, 2)},
                      {conv("branch3x3dbl_1", 64), conv("branch3x3dbl_2", 96, 3, 3), valid3x3("branch3x3dbl_3", 96, 2)},
                      {max_pool(2)}});
}

Stage block_c(const std::string& name, int64_t k, bool tap = false) {
  return block(name,
               {{conv("branch1x1", 192)},
                {conv("branch7x7_1", k), conv("branch7x7_2", k, 1, 7), conv("branch7x7_3", 192, 7, 1)},
                {conv("branch7x7dbl_1", k), conv("branch7x7dbl_2", k, 7, 1), conv("branch7x7dbl_3", k, 1, 7),
                 conv("branch7x7dbl_4", k, 7, 1), conv("branch7x7dbl_5", 192, 1, 7)},
                {mean_pooled("branch_pool", 192)}},
               tap);
}

Stage block_d(const std::string& name) {
  return block(name, {{conv("branch3x3_1", 192), valid3x3("branch3x3_2", 320, 2)},
                      {conv("branch7x7x3_1", 192), conv("branch7x7x3_2", 192, 1, 7), conv("branch7x7x3_3", 192, 7, 1),
                       valid3x3("branch7x7x3_4", 192, 2)},
                      {max_pool(2)}});
}

Stage block_e(const std::string& name, Branch pool) {
  return block(name, {{conv("branch1x1", 320)},
                      {conv("branch3x3_1", 384),  //
                       fork(conv("branch3x3_2a", 384, 1, 3), conv("branch3x3_2b", 384, 3, 1))},
                      {conv("branch3x3dbl_1", 448), conv("branch3x3dbl_2", 384, 3, 3),
                       fork(conv("branch3x3dbl_3a", 384, 1, 3), conv("branch3x3dbl_3b", 384, 3, 1))},
                      std::move(pool)});
}

std::vector<Stage> table() {
  return {{"stem 1",
           "",
           {{valid3x3("Conv2d_1a_3x3", 32, 2), valid3x3("Conv2d_2a_3x3", 32), conv("Conv2d_2b_3x3", 64, 3, 3),
             max_pool(2)}},
           true},
          {"stem 2", "", {{conv("Conv2d_3b_1x1", 80), valid3x3("Conv2d_4a_3x3", 192), max_pool(2)}}, true},
          block_a("Mixed_5b", 32),
          block_a("Mixed_5c", 64),
          block_a("Mixed_5d", 64),
          block_b("Mixed_6a"),
          block_c("Mixed_6b", 128),
          block_c("Mixed_6c", 160),
          block_c("Mixed_6d", 160),
          block_c("Mixed_6e", 192, true),
          block_d("Mixed_7a"),
          block_e("Mixed_7b", {mean_pooled("branch_pool", 192)}),
          block_e("Mixed_7c", {max_pool(1), conv("branch_pool", 192)})};
}

// ---- reading weights ----

// Hands out the tensors of a file by name, checks their shapes and sums up the hash.
class Reader {
 public:
  Reader(const nn::NamedTensors& tensors, const std::string& origin) : origin_(origin) {
    for (const auto& [name, tensor] : tensors) tensors_.emplace(name, tensor);
  }

  // Undefined when it is missing: the error tells of all of them at once.
  Tensor operator()(const std::string& name, const Shape& shape) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) {
      missing_.emplace_back(name, shape);
      return {};
    }
    const Tensor& tensor = found->second;
    check<DataError>(tensor.shape() == shape && tensor.dtype() == DType::f32, origin_, ": '", name, "' should be ",
                     shape, " of float32, it is ", tensor.shape(), " of ", name_of(tensor.dtype()));
    hash_.add(name);
    for (const int64_t size : shape) hash_.add(size);
    hash_.add(
        {static_cast<const uint8_t*>(tensor.storage()->data()), sizeof(float) * static_cast<size_t>(shape.numel())});
    return tensor;
  }

  const std::vector<std::pair<std::string, Shape>>& missing() const { return missing_; }
  std::string hash() const { return hash_.hex(); }

 private:
  const std::string origin_;
  std::map<std::string, Tensor> tensors_;
  std::vector<std::pair<std::string, Shape>> missing_;
  gan::Fnv hash_;
};

// weight (O, C, KH, KW), the rest (O) -> layer.weight (O, KH, KW, C), layer.bias (O)
void fold(const Tensor& weight, const Tensor& gamma, const Tensor& beta, const Tensor& mean, const Tensor& variance,
          Layer& layer) {
  const int64_t channels = weight.size(1), area = layer.kh * layer.kw;
  layer.weight = Tensor({layer.out, layer.kh, layer.kw, channels}, DType::f32);
  layer.bias = Tensor({layer.out}, DType::f32);
  const float* from = weight.data<float>();
  float* to = layer.weight.data<float>();
  for (int64_t o = 0; o < layer.out; o++, from += channels * area, to += channels * area) {
    const auto at = [&](const Tensor& x) { return static_cast<double>(x.data<float>()[o]); };
    const double g = at(gamma) / std::sqrt(at(variance) + eps);
    layer.bias.data<float>()[o] = static_cast<float>(at(beta) - at(mean) * g);
    for (int64_t k = 0; k < area; k++)
      for (int64_t c = 0; c < channels; c++) to[k * channels + c] = static_cast<float>(from[c * area + k] * g);
  }
}

// A layer that sees `channels`; returns how many come out.
int64_t read(Reader& reader, const std::string& prefix, int64_t channels, Layer& layer) {
  int64_t out = 0;
  for (Layer& side : layer.fork) out += read(reader, prefix, channels, side);
  if (!layer.fork.empty()) return out;
  if (layer.out == 0) return channels;
  const std::string name = prefix + layer.name;
  const Tensor weight = reader(name + ".conv.weight", {layer.out, channels, layer.kh, layer.kw});
  const auto vector = [&](const char* of) { return reader(name + ".bn." + of, {layer.out}); };
  const Tensor gamma = vector("weight"), beta = vector("bias");
  const Tensor mean = vector("running_mean"), variance = vector("running_var");
  if (reader.missing().empty()) fold(weight, gamma, beta, mean, variance, layer);
  return layer.out;
}

void read(Reader& reader, std::vector<Stage>& stages) {
  int64_t channels = colours;
  for (Stage& stage : stages) {
    int64_t joined = 0;
    for (Branch& branch : stage.branches) {
      int64_t narrow = channels;
      for (Layer& layer : branch) narrow = read(reader, stage.prefix, narrow, layer);
      joined += narrow;
    }
    channels = joined;
  }
}

struct Head {
  Tensor weight, bias;  // (classes, width), (classes)
};
Head read_head(Reader& reader) { return {reader("fc.weight", {classes, width}), reader("fc.bias", {classes})}; }

nn::Checkpoint read_file(const std::string& path) {
  check<DataError>(!path.ends_with(".pth"), path,
                   ": a PyTorch file; metrics/convert_inception.py makes a safetensors file of it");
  return nn::load_checkpoint(path);
}

// ---- running ----

Tensor run(const Layer& layer, const Tensor& x) {
  if (layer.out == 0) return max_pool2d(x, {.kernel = 3, .stride = layer.stride, .padding = layer.pad_h});
  const auto convolve = [&](Activation activation) {
    return conv2d(x, layer.weight, layer.bias,
                  {.stride = layer.stride, .padding = layer.pad_h, .padding_w = layer.pad_w, .activation = activation});
  };
  if (!layer.pooled) return convolve(Activation::relu);
  return relu(avg_pool2d(convolve(Activation::none), {.kernel = 3, .stride = 1, .padding = 1}));
}

// x (N, H, W, C) -> (N, H', W', sum of the branches' channels)
Tensor run(const Stage& stage, const Tensor& x) {
  std::vector<Tensor> parts;
  for (const Branch& branch : stage.branches) {
    Tensor y = x;
    for (const Layer& layer : branch) {
      for (const Layer& side : layer.fork) parts.push_back(run(side, y));  // a branch ends with it
      if (layer.fork.empty()) y = run(layer, y);
    }
    if (branch.back().fork.empty()) parts.push_back(y);
  }
  return parts.size() == 1 ? parts[0] : concat(parts, -1);
}

Tensor global_average(const Tensor& x) { return mean(x, {1, 2}); }  // (N, H, W, C) -> (N, C)

}  // namespace

struct Inception::Impl {
  std::vector<Stage> stages = table();
  std::vector<std::string> names;
  Head head;
  std::string hash;
  bool published = false;
};

Inception::Inception(const nn::NamedTensors& tensors, const std::string& origin) : impl_(std::make_unique<Impl>()) {
  Reader reader(tensors, origin);
  read(reader, impl_->stages);
  impl_->head = read_head(reader);
  const auto& missing = reader.missing();
  check<DataError>(missing.empty(), origin, ": ", missing.size(), " of Inception's tensors are missing, the first is '",
                   missing.empty() ? "" : missing.front().first, "'; metrics/convert_inception.py writes such files");
  for (const Stage& stage : impl_->stages) impl_->names.push_back(stage.name);
  impl_->hash = reader.hash();
}

Inception::Inception(const nn::Checkpoint& file, const std::string& path) : Inception(file.tensors, path) {
  const auto source = file.metadata.find("source_sha256");
  impl_->published = source != file.metadata.end() && source->second.starts_with(published_sha256);
}

Inception::Inception(const std::string& path) : Inception(read_file(path), path) {}

Inception::~Inception() = default;
Inception::Inception(Inception&&) noexcept = default;

std::vector<std::pair<std::string, Shape>> Inception::tensors() {
  Reader reader({}, "");
  std::vector<Stage> stages = table();
  read(reader, stages);
  read_head(reader);
  return reader.missing();
}

const std::vector<std::string>& Inception::stages() const { return impl_->names; }

Tensor Inception::run(size_t stage, const Tensor& x) const {
  const NoGrad no_grad;
  return metrics::run(impl_->stages[stage], x);
}

Inception::Output Inception::forward(const Tensor& x, std::vector<Tensor>* taps) const {
  check<ShapeError>(x.rank() == 4 && x.shape() == Shape{x.size(0), 299, 299, colours},
                    "[inception] expects images (N, 299, 299, 3), got ", x.shape());
  const NoGrad no_grad;
  std::vector<Tensor> averages;
  Tensor y = x;
  for (const Stage& stage : impl_->stages) {
    y = metrics::run(stage, y);
    if (taps != nullptr && stage.tap) averages.push_back(global_average(y));
  }
  const Tensor features = global_average(y);
  averages.push_back(features);
  if (taps != nullptr) *taps = averages;
  const Tensor unbiased = matmul(features, impl_->head.weight, false, /*trans_b=*/true);
  return {features, unbiased + impl_->head.bias, unbiased};
}

const std::string& Inception::hash() const { return impl_->hash; }
bool Inception::published() const { return impl_->published; }

}  // namespace forger::metrics
