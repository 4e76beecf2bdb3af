#include "metrics/judge.h"

#include <filesystem>

#include "core/autograd.h"
#include "core/cache_folder.h"
#include "core/utf8.h"
#include "gan/data/images.h"
#include "kernels/cpu/thread_pool.h"
#include "nn/checkpoint.h"
#include "nn/layers.h"
#include "nn/optim.h"

namespace forger::metrics {
namespace {

constexpr int64_t side = 32, hidden = 128, batch_size = 128, most_steps = 2000, most_epochs = 40;
constexpr const char* recipe_version = "1";  // to be raised whenever a judge would come out differently

// An image as the judge sees it: (side, side, channels) floats.
void judge_input(const gan::Image& image, int64_t channels, float* out) {
  gan::to_sample(gan::resize(gan::with_channels(image, channels), side, side), out);
}

const std::vector<std::string>& class_names_of(const gan::DataSet& labelled) {
  return gan::find_column(labelled.columns(), "label")->words;
}

// A data set of any size, seen through the judge's eyes.
class Resized : public gan::DataSet {
 public:
  explicit Resized(gan::DataSetPtr data) : data_(std::move(data)), pictures_(pictures_of(data_, data_->name())) {
    columns_ = gan::image_columns({side, side, data_->sample()[2]}, class_names_of(*data_));
  }
  int64_t count() const override { return data_->count(); }
  const gan::Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    if (cells[0] != nullptr) judge_input(pictures_.read(i), sample()[2], static_cast<float*>(cells[0]));
    if (cells.size() > 1 && cells[1] != nullptr) *static_cast<int64_t*>(cells[1]) = data_->label(i);
  }
  std::string name() const override { return data_->name(); }
  std::string hash() const override { return data_->hash(); }

 private:
  gan::DataSetPtr data_;
  Pictures pictures_;
  gan::Columns columns_;
};

// The machine's own settings for as long as a judge is trained: its weights must not depend on who asks first.
class OwnSettings {
 public:
  OwnSettings() {
    kernels::set_threads(kernels::available_threads());
    kernels::set_conv_method(kernels::ConvMethod::automatic);
    set_fused(true);
  }
  ~OwnSettings() {
    kernels::set_threads(threads_);
    kernels::set_conv_method(conv_);
    set_fused(fused_);
  }
  OwnSettings(const OwnSettings&) = delete;

 private:
  int threads_ = kernels::threads();
  kernels::ConvMethod conv_ = kernels::conv_method();
  bool fused_ = fused_enabled();
};

// All that decides how a judge comes out. A folder's hash is of names and sizes, so some images are looked at as well.
std::string key_of(const gan::DataSetPtr& train, const gan::DataSetPtr& test, uint64_t seed) {
  constexpr int64_t looked_at = 64;
  gan::Fnv key;
  for (const gan::DataSetPtr& data : {train, test}) {
    key.add(data->hash());
    key.add(text(data->sample()));
    key.add(data->count());
    const Pictures pictures = pictures_of(data, data->name());
    for (int64_t i = 0; i < std::min(looked_at, data->count()); i++)
      key.add(pictures.read(i * data->count() / std::min(looked_at, data->count())).pixels);
  }
  for (const std::string& part : {std::string(recipe_version), std::to_string(seed), std::to_string(kernels::threads()),
                                  std::string(kernels::simd_level())})
    key.add(part);
  return key.hex();
}

std::string hash_of(const nn::NamedTensors& tensors) {
  gan::Fnv hash;
  for (const auto& [name, tensor] : tensors) {
    hash.add(name);
    const auto* bytes = static_cast<const uint8_t*>(tensor.storage()->data());
    hash.add({bytes, static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype())});
  }
  return hash.hex();
}

}  // namespace

struct Judge::Network : nn::Layer {
  Network(int64_t channels, int64_t classes, Random& random) {
    auto convolutions = std::make_shared<nn::Sequential>();
    int64_t in = channels;
    for (const int64_t out : {32, 64, 128}) {
      const Conv2dOptions half{.stride = 2, .padding = 1};
      convolutions->append(std::make_shared<nn::Conv2d>(in, out, 4, half, random, /*with_bias=*/false));
      convolutions->append(std::make_shared<nn::BatchNorm>(out, NormOptions{.activation = kernels::Activation::relu}));
      in = out;
    }
    body = child("body", convolutions);
    features = child("features", std::make_shared<nn::Linear>(in * side * side / 64, hidden, random));
    dropout = child("dropout", std::make_shared<nn::Dropout>(0.3, random));
    head = child("head", std::make_shared<nn::Linear>(hidden, classes, random));
  }
  Tensor see(const Tensor& x) { return relu((*features)(flatten((*body)(x)))); }
  Tensor forward(const Tensor& x) override { return (*head)((*dropout)(see(x))); }
  nn::LayerPtr body, features, dropout, head;
};

Judge::Judge(int channels, std::vector<std::string> class_names, uint64_t seed)
    : channels_(channels),
      class_names_(std::move(class_names)),
      random_(seed),
      network_(std::make_shared<Network>(channels, std::ssize(class_names_), random_)) {}

void Judge::fit(const gan::DataSetPtr& train, uint64_t seed, const Ticker& ticker) {
  const int64_t batch = std::min(batch_size, train->count());
  const int64_t steps = std::min(most_steps, most_epochs * (train->count() / batch));
  gan::Loader loader(std::make_shared<Resized>(train), batch, seed);
  nn::Adam adam(network_->parameters(), {.lr = 2e-3, .beta1 = 0.9, .beta2 = 0.999});
  for (int64_t step = 0; step < steps; step++) {
    const gan::Batch rows = loader.next();
    adam.zero_grad();
    backward(cross_entropy((*network_)(rows["image"]), rows["label"]));
    adam.lr = 2e-3 * nn::cosine_schedule(step, steps);
    adam.step();
    if (ticker) ticker(step + 1, steps);
  }
}

void Judge::measure(const gan::DataSet& test) {
  int64_t right = 0, i = 0;
  extract(*this, pictures_of(gan::DataSetPtr(&test, [](const gan::DataSet*) {}), test.name()),
          [&](const Activations& found) {
            for (const double c : argmax(found.logits).to_vector()) right += static_cast<int64_t>(c) == test.label(i++);
          });
  accuracy_ = static_cast<double>(right) / static_cast<double>(test.count());
}

std::shared_ptr<const Judge> Judge::of(const gan::DataSetPtr& train, const gan::DataSetPtr& test, uint64_t seed,
                                       const std::string& cache, const Ticker& ticker) {
  check<UsageError>(train->sample().rank() == 3, train->name(), " holds no images for the built-in judge to look at");
  check<UsageError>(train->classes() > 1, train->name(),
                    " has no labels for the built-in judge to learn; give Inception's weights: --inception FILE");
  const OwnSettings own;
  const std::shared_ptr<Judge> judge(new Judge(static_cast<int>(train->sample()[2]), class_names_of(*train), seed));
  judge->data_name_ = train->name();

  namespace fs = std::filesystem;
  const fs::path folder = cache.empty() ? cache_folder() : cache,
                 file = folder / ("judge-" + key_of(train, test, seed) + ".safetensors");
  if (fs::exists(file)) {
    try {
      const nn::Checkpoint kept = nn::load_checkpoint(file.string());
      nn::load_state(judge->network_->state(), kept.tensors);
      judge->accuracy_ = std::stod(kept.metadata.at("accuracy"));
      judge->network_->eval();
      judge->hash_ = hash_of(judge->network_->state());
      return judge;
    } catch (const std::exception&) {
      // Damaged, or of another making: trained again and replaced.
    }
  }
  judge->fit(train, seed, ticker);
  judge->network_->eval();
  judge->hash_ = hash_of(judge->network_->state());
  judge->measure(*test);
  nn::Checkpoint kept{.tensors = judge->network_->state(), .metadata = {}};
  std::ostringstream accuracy;
  accuracy.precision(17);
  accuracy << judge->accuracy_;
  kept.metadata = {{"accuracy", accuracy.str()}, {"data", to_utf8(train->name())}};
  std::error_code ignored;  // an unwritable cache costs time, not results
  fs::create_directories(folder, ignored);
  try {
    nn::save_checkpoint(file.string(), kept);
  } catch (const DataError&) {
  }
  return judge;
}

std::string Judge::convention() const { return text(side, " pixels"); }

std::string Judge::about() const {
  std::ostringstream line;
  line.precision(4);
  line << "the built-in judge of " << data_name_ << " (" << hash_ << "), right on " << 100 * accuracy_
       << " % of the test images";
  return line.str();
}

Activations Judge::activations(const std::vector<gan::Image>& images) const {
  const NoGrad no_grad;
  const Tensor x({batch(), side, side, channels_}, DType::f32);
  const int64_t size = side * side * channels_;
  kernels::parallel_jobs(
      batch(), [&](int64_t i) { judge_input(images[static_cast<size_t>(i)], channels_, x.data<float>() + i * size); });
  const Tensor features = network_->see(x);
  return {features, (*network_->head)(features)};
}

int64_t ClassHistogram::found() const {
  return std::count_if(counts.begin(), counts.end(), [](int64_t n) { return n > 0; });
}

ClassHistogram class_histogram(const Tensor& logits) {
  ClassHistogram histogram{std::vector<int64_t>(static_cast<size_t>(logits.size(1))), 0};
  for (const double c : argmax(logits).to_vector()) histogram.counts[static_cast<size_t>(c)]++;
  histogram.confidence = mean(max(softmax(logits), {1})).item();
  return histogram;
}

}  // namespace forger::metrics
