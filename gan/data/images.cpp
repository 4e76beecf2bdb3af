#include "gan/data/images.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <utility>

namespace forger::gan {
namespace {

// The image in the middle of a black one; the odd pixel goes to the bottom and right.
Image framed(const Image& image, int64_t height, int64_t width) {
  Image out{height, width, image.channels,
            std::vector<uint8_t>(static_cast<size_t>(height * width * image.channels), 0)};
  const int64_t top = (height - image.height) / 2, left = (width - image.width) / 2,
                row_bytes = image.width * image.channels;
  for (int64_t row = 0; row < image.height; row++)
    std::copy_n(&image.pixels[static_cast<size_t>(row * row_bytes)], row_bytes,
                &out.pixels[static_cast<size_t>(((top + row) * width + left) * image.channels)]);
  return out;
}

// All of the image, as large as it can be, on black.
Image padded(const Image& image, int64_t height, int64_t width) {
  const double scale = std::min(static_cast<double>(height) / static_cast<double>(image.height),
                                static_cast<double>(width) / static_cast<double>(image.width));
  const auto scaled = [&](int64_t side, int64_t most) {
    return std::clamp<int64_t>(std::llround(static_cast<double>(side) * scale), 1, most);
  };
  return framed(resize(image, scaled(image.height, height), scaled(image.width, width)), height, width);
}

class ImageSet : public DataSet {
 public:
  ImageSet(ImageArray images, const DataOptions& options) : images_(std::move(images)), options_(options) {
    const bool fitted = options_.height > 0;
    columns_ = image_columns(
        {fitted ? options_.height : images_.height, fitted ? options_.width : images_.width, images_.channels},
        images_.class_names);
  }

  int64_t count() const override { return images_.count; }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    if (cells[0] != nullptr) {
      const int64_t bytes = images_.height * images_.width * images_.channels;
      const uint8_t* first = &images_.pixels[static_cast<size_t>(i * bytes)];
      to_sample(fit({images_.height, images_.width, images_.channels, {first, first + bytes}}, options_),
                static_cast<float*>(cells[0]));
    }
    if (cells.size() > 1 && cells[1] != nullptr)
      *static_cast<int64_t*>(cells[1]) = images_.labels[static_cast<size_t>(i)];
  }
  std::string name() const override { return images_.name; }
  std::string about() const override {
    return text(count(), " images of ", images_.height, 'x', images_.width, 'x', images_.channels, ' ',
                about_classes(*this));
  }
  std::string hash() const override {
    Fnv fnv;
    for (const int64_t size : {images_.count, images_.height, images_.width, images_.channels}) fnv.add(size);
    fnv.add(images_.pixels);
    fnv.add(images_.labels);
    return fnv.hex();
  }

 private:
  ImageArray images_;
  DataOptions options_;
  Columns columns_;
};

}  // namespace

Image fit_picture(const Image& image, const DataOptions& options) {
  const auto [height, width] = std::pair(options.height, options.width);
  if (height == 0) return image;
  if (options.fit == Fit::pad) return padded(image, height, width);
  return resize(options.fit == Fit::crop ? centre_crop(image, height, width) : image, height, width);
}

Image fit(const Image& image, const DataOptions& options) {
  const int64_t size = options.height;
  if (size == 0 || options.width != size || options.fit != Fit::crop) return fit_picture(image, options);
  constexpr int64_t frame = 4;  // pixels on each side, at most
  Image square = centre_crop(image, 1, 1);
  int64_t side = size;
  while (side % 2 == 0 && side / 2 >= square.height) side /= 2;
  if (side > square.height && side - square.height <= 2 * frame) square = framed(square, side, side);
  return resize(square, size, size);
}

std::string about_classes(const DataSet& data) {
  if (data.classes() == 0) return "without classes";
  std::vector<int64_t> counts(static_cast<size_t>(data.classes()));
  for (int64_t i = 0; i < data.count(); i++) counts[static_cast<size_t>(data.label(i))]++;
  constexpr int64_t named = 12;
  std::ostringstream out;
  out << "in " << data.classes() << (data.classes() == 1 ? " class (" : " classes (");
  for (int64_t c = 0; c < std::min(named, data.classes()); c++)
    out << (c > 0 ? ", " : "") << data.class_name(c) << ' ' << counts[static_cast<size_t>(c)];
  if (data.classes() > named) out << " and " << data.classes() - named << " more";
  out << ')';
  return out.str();
}

Columns image_columns(const Shape& image, const std::vector<std::string>& class_names) {
  Columns columns{{.name = "image", .sample = image}};
  if (!class_names.empty()) columns.push_back({.name = "label", .dtype = DType::i64, .words = class_names});
  return columns;
}

DataSetPtr image_set(ImageArray images, const DataOptions& options) {
  return std::make_shared<ImageSet>(std::move(images), options);
}

void Fnv::add(std::span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes) hash_ = (hash_ ^ byte) * 0x100000001b3;
}
void Fnv::add(const std::string& text) {
  add(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
  add(std::ssize(text));
}
void Fnv::add(int64_t number) {
  for (int shift = 0; shift < 64; shift += 8)
    hash_ = (hash_ ^ (static_cast<uint64_t>(number) >> shift & 0xff)) * 0x100000001b3;
}
std::string Fnv::hex() const {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash_));
  return digits;
}

std::string hash_of(std::initializer_list<std::string> parts) {
  Fnv fnv;
  for (const std::string& part : parts) fnv.add(part);
  return fnv.hex();
}

}  // namespace forger::gan
