// What the image sets share: fitting an image to the size that was asked for, 8-bit pixels as samples, and a data set
// whose images lie in memory.
//
//   pixels 0 ... 255 -> x/127.5 - 1, so black is -1 and white is 1, the range of a generator's tanh
//
// Fitting to a square of side S by cropping: 32 x 32 images at S = 32 stay. A set that is a few pixels smaller than S,
// or than S/2, S/4, ..., gets a black frame (28-pixel garments stand in 32 without being blurred); what then still
// differs from S is resized:
//
//   28 -> 32: frame of 2        28 -> 64: frame of 2, then twice the size        28 -> 48, 100 -> 64: resized
#pragma once
#include <span>
#include <string>
#include <vector>

#include "gan/data.h"
#include "gan/image.h"

namespace forger::gan {

Image fit(const Image& image, const DataOptions& options);  // height 0: unchanged
// The same without the frame: for pictures of any size.
Image fit_picture(const Image& image, const DataOptions& options);

struct ImageArray {
  std::string name;
  int64_t count = 0, height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;           // (count, height, width, channels)
  std::vector<uint8_t> labels;           // (count), each below class_names.size(); empty: none
  std::vector<std::string> class_names;  // empty: no labels
};
// {"image"}, and {"label"} where there are classes.
Columns image_columns(const Shape& image, const std::vector<std::string>& class_names);
DataSetPtr image_set(ImageArray images, const DataOptions& options);

// These rows of a set, in this order.
DataSetPtr rows_of(const DataSetPtr& data, std::vector<int64_t> rows);

// DataSource::map_paths of "prefix:PATH" and of PATH alone.
std::string prefixed_path(const std::string& spec, const DataSource::OnPath& f);
// "in 3 classes (cats 1200, dogs 1100, owls 4)", the first few by name; "without classes".
std::string about_classes(const DataSet& data);

// FNV-1a, 64 bits: h = (h xor byte) * prime for each byte. Not cryptographic; it tells data sets apart.
class Fnv {
 public:
  void add(std::span<const uint8_t> bytes);
  void add(const std::string& text);
  void add(int64_t number);
  std::string hex() const;

 private:
  uint64_t hash_ = 0xcbf29ce484222325;
};
// Of a set that is made from others: their digests, and what was made of them.
std::string hash_of(std::initializer_list<std::string> parts);

}  // namespace forger::gan
