// IDX, the format of MNIST and its relatives (LeCun, http://yann.lecun.com/exdb/mnist/):
//
//   byte 0 1      2       3       4 ...                             4 + 4*rank ...
//        0 0   0x08    rank       sizes, 32-bit big-endian each      the elements, row-major
//              = unsigned byte
//
// Nothing of the header is believed before it is checked: the elements are read in pieces until the promised number is
// there and the file is at its end, so a header that promises too much costs no memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "gan/data/images.h"

namespace forger::gan {

struct Idx {
  std::vector<int64_t> sizes;   // one per axis, each at least 1
  std::vector<uint8_t> values;  // their product
};

// DataError opens with `origin` and says what was expected and what came.
Idx parse_idx(std::span<const std::byte> bytes, const std::string& origin);
Idx read_idx(const std::string& path);  // plain or gzip

// Images (count, height, width) and labels (count); labels_path "": none. class_names may be empty: then the labels'
// numbers are the names. DataError when they do not belong together.
ImageArray read_idx_images(const std::string& name, const std::string& images_path, const std::string& labels_path,
                           std::vector<std::string> class_names = {});

}  // namespace forger::gan
