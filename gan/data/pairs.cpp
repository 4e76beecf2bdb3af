// Pairs made from any set of images, so that the truth is known: TRANSFORM:SET gives rows of source, target and what
// else the set has. The target is the image; the source is what a transform leaves of it.
//
//   edges      how steep the luma is (Sobel 1968), white on black: one channel
//   negative   1 - x                              blur    Gaussian, standard deviation a sixteenth of the shorter side
//   noisy      plus normal noise of 0.3, the same in every epoch      small   a quarter of the size and back
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/random.h"
#include "gan/data/images.h"

namespace forger::gan {
namespace {

// Samples of (height, width, channels) in [-1, 1].
struct Picture {
  int64_t height, width, channels;
  std::vector<float> values;

  float at(int64_t row, int64_t column, int64_t channel) const {  // edges repeated
    row = std::clamp<int64_t>(row, 0, height - 1), column = std::clamp<int64_t>(column, 0, width - 1);
    return values[static_cast<size_t>((row * width + column) * channels + channel)];
  }
};

using Transform = void (*)(const Picture& image, int64_t row, float* out);

void edges(const Picture& image, int64_t, float* out) {
  const auto luma = [&](int64_t r, int64_t c) {
    if (image.channels == 1) return image.at(r, c, 0);
    return 0.299f * image.at(r, c, 0) + 0.587f * image.at(r, c, 1) + 0.114f * image.at(r, c, 2);
  };
  for (int64_t r = 0; r < image.height; r++) {
    for (int64_t c = 0; c < image.width; c++) {
      const float right = luma(r - 1, c + 1) + 2 * luma(r, c + 1) + luma(r + 1, c + 1);
      const float left = luma(r - 1, c - 1) + 2 * luma(r, c - 1) + luma(r + 1, c - 1);
      const float below = luma(r + 1, c - 1) + 2 * luma(r + 1, c) + luma(r + 1, c + 1);
      const float above = luma(r - 1, c - 1) + 2 * luma(r - 1, c) + luma(r - 1, c + 1);
      *out++ = std::min(1.0f, 0.5f * std::hypot(right - left, below - above) - 1);  // a step of half the range is white
    }
  }
}

void negative(const Picture& image, int64_t, float* out) {
  std::ranges::transform(image.values, out, [](float x) { return -x; });
}

void blur(const Picture& image, int64_t, float* out) {
  const double deviation = static_cast<double>(std::min(image.height, image.width)) / 16;
  const auto reach = static_cast<int64_t>(std::ceil(3 * deviation));
  std::vector<float> weights;
  for (int64_t i = -reach; i <= reach; i++)
    weights.push_back(static_cast<float>(std::exp(-0.5 * std::pow(static_cast<double>(i) / deviation, 2))));
  const auto along = [&](const Picture& from, int64_t down, int64_t across, float* to) {
    for (int64_t r = 0; r < from.height; r++)
      for (int64_t c = 0; c < from.width; c++)
        for (int64_t k = 0; k < from.channels; k++) {
          float sum = 0, total = 0;
          for (int64_t i = -reach; i <= reach; i++) {
            const float weight = weights[static_cast<size_t>(i + reach)];
            sum += weight * from.at(r + i * down, c + i * across, k);
            total += weight;
          }
          *to++ = sum / total;
        }
  };
  Picture half = image;
  along(image, 0, 1, half.values.data());
  along(half, 1, 0, out);
}

void noisy(const Picture& image, int64_t row, float* out) {
  constexpr uint64_t stream = 0x6e6f697379;
  const Tensor noise = Random(static_cast<uint64_t>(row), stream).normal({std::ssize(image.values)}, 0, 0.3);
  for (size_t i = 0; i < image.values.size(); i++)
    out[i] = std::clamp(image.values[i] + noise.data<float>()[i], -1.0f, 1.0f);
}

void small(const Picture& image, int64_t, float* out) {
  Image bytes{image.height, image.width, image.channels, {}};
  for (const float x : image.values) bytes.pixels.push_back(to_byte(static_cast<double>(x)));
  const Image quarter = resize(bytes, std::max<int64_t>(1, image.height / 4), std::max<int64_t>(1, image.width / 4));
  to_sample(resize(quarter, image.height, image.width), out);
}

struct Kind {
  const char* name;
  const char* help;
  Transform transform;
  bool grey;  // one channel comes out
};

class Pairs : public DataSet {
 public:
  Pairs(DataSetPtr images, std::string name, const Kind& kind)
      : images_(std::move(images)), name_(std::move(name)), kind_(kind) {
    const Column* image = find_column(images_->columns(), "image");
    check<UsageError>(image != nullptr, name_, ": ", images_->name(), " has ", names_of(images_->columns()),
                      ", and pairs are made from images");
    shape_ = image->sample;
    Shape source = shape_;
    if (kind.grey) source.set(2, 1);
    columns_ = {{.name = "source", .sample = source}, {.name = "target", .sample = shape_}};
    for (const Column& column : images_->columns())
      if (column.name != "image") columns_.push_back(column);
  }

  int64_t count() const override { return images_->count(); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    Picture image{shape_[0], shape_[1], shape_[2], std::vector<float>(static_cast<size_t>(shape_.numel()))};
    std::vector<void*> from;
    size_t other = 2;
    for (const Column& column : images_->columns())
      from.push_back(column.name == "image" ? static_cast<void*>(image.values.data()) : cells[other++]);
    images_->read_row(i, from);
    if (cells[0] != nullptr) kind_.transform(image, i, static_cast<float*>(cells[0]));
    if (cells[1] != nullptr) std::ranges::copy(image.values, static_cast<float*>(cells[1]));
  }
  std::string name() const override { return name_; }
  std::string about() const override { return text("pairs (", kind_.name, ") of ", images_->about()); }
  std::vector<Broken> broken() const override { return images_->broken(); }
  std::string hash() const override {
    Fnv fnv;
    fnv.add(std::string(kind_.name));
    fnv.add(images_->hash());
    return fnv.hex();
  }

 private:
  DataSetPtr images_;
  std::string name_;
  Kind kind_;
  Shape shape_;
  Columns columns_;
};

DataSource source(const Kind& kind) {
  const std::string prefix = std::string(kind.name) + ":";
  return {
      .name = kind.name,
      .help = kind.help,
      .gives = {"source", "target", "label"},
      .accepts = [prefix](const std::string& spec) { return spec.starts_with(prefix); },
      .open =
          [kind, prefix](const std::string& spec, const DataOptions& options, Subset subset) {
            return std::make_shared<Pairs>(open_data(spec.substr(prefix.size()), options, subset), spec, kind);
          },
      .map_paths = [prefix](const std::string& spec,
                            const DataSource::OnPath& f) { return prefix + map_paths(spec.substr(prefix.size()), f); }};
}

const RegisterDataSource made[] = {
    RegisterDataSource{
        source({"edges", "edges:SET: pairs, from the edges of the images of a set to them", edges, true})},
    RegisterDataSource{source({"negative", "negative:SET: pairs, from the images' negatives", negative, false})},
    RegisterDataSource{source({"blur", "blur:SET: pairs, from the blurred images", blur, false})},
    RegisterDataSource{source({"noisy", "noisy:SET: pairs, from the images under noise", noisy, false})},
    RegisterDataSource{source({"small", "small:SET: pairs, from the images at a quarter of their size", small, false})},
};

}  // namespace
}  // namespace forger::gan
