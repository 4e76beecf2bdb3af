#include "gan/data/images.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <utility>

namespace forger::gan {
namespace {

// The image in the middle of a black square; the odd pixel goes to the bottom and right.
Image framed(const Image& image, int64_t side) {
  Image out{side, side, image.channels, std::vector<uint8_t>(static_cast<size_t>(side * side * image.channels), 0)};
  const int64_t top = (side - image.height) / 2, left = (side - image.width) / 2,
                row_bytes = image.width * image.channels;
  for (int64_t row = 0; row < image.height; row++)
    std::copy_n(&image.pixels[static_cast<size_t>(row * row_bytes)], row_bytes,
                &out.pixels[static_cast<size_t>(((top + row) * side + left) * image.channels)]);
  return out;
}

class ImageSet : public DataSet {
 public:
  ImageSet(ImageArray images, int64_t size) : images_(std::move(images)), size_(size) {}

  int64_t count() const override { return images_.count; }
  Shape sample() const override {
    return size_ > 0 ? Shape{size_, size_, images_.channels} : Shape{images_.height, images_.width, images_.channels};
  }
  void read(int64_t i, float* out) const override {
    const int64_t bytes = images_.height * images_.width * images_.channels;
    const uint8_t* first = &images_.pixels[static_cast<size_t>(i * bytes)];
    to_sample(fit({images_.height, images_.width, images_.channels, {first, first + bytes}}, size_), out);
  }
  int64_t classes() const override { return std::ssize(images_.class_names); }
  int64_t label(int64_t i) const override {
    return images_.labels.empty() ? 0 : images_.labels[static_cast<size_t>(i)];
  }
  std::string class_name(int64_t c) const override { return images_.class_names.at(static_cast<size_t>(c)); }
  std::string name() const override { return images_.name; }
  std::string hash() const override {
    Fnv fnv;
    for (const int64_t size : {images_.count, images_.height, images_.width, images_.channels}) fnv.add(size);
    fnv.add(images_.pixels);
    fnv.add(images_.labels);
    return fnv.hex();
  }

 private:
  ImageArray images_;
  int64_t size_;
};

}  // namespace

Image fit(const Image& image, int64_t size) {
  if (size == 0) return image;
  constexpr int64_t frame = 4;  // pixels on each side, at most
  Image square = centre_crop(image);
  int64_t side = size;
  while (side % 2 == 0 && side / 2 >= square.height) side /= 2;
  if (side > square.height && side - square.height <= 2 * frame) square = framed(square, side);
  return resize(square, size, size);
}

DataSetPtr image_set(ImageArray images, int64_t size) { return std::make_shared<ImageSet>(std::move(images), size); }

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

}  // namespace forger::gan
