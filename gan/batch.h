// Rows of named tensors: what a data set gives, what a system draws, what it makes.
#pragma once
#include <string>
#include <vector>

#include "core/error.h"
#include "core/tensor.h"
#include "nn/module.h"

namespace forger::gan {

struct Column {
  std::string name;                     // "image", "label", "source", "target"; of the domain a "a.image"
  Shape sample = {};                    // of one row: (H, W, C), (2), ()
  DType dtype = DType::f32;             // i64: numbers of words
  std::vector<std::string> words = {};  // what integers stand for: classes, a vocabulary
  // Of captions: those of some rows, as often as they occur. What a system draws from where the data is not at hand.
  std::vector<std::string> sentences = {};
};
using Columns = std::vector<Column>;

// Null when there is no such column.
const Column* find_column(const Columns& columns, const std::string& name);
std::string names_of(const Columns& columns);  // "image and label"
// As a line of JSON, for config.toml and checkpoints; and back: DataError when it is none. Words that are no UTF-8 come
// back escaped.
std::string written(const Columns& columns);
Columns read_columns(const std::string& written);

// Tensors of as many rows each, by name.
struct Batch {
  nn::NamedTensors tensors = {};

  const Tensor& operator[](const std::string& name) const;  // Error when there is none
  bool has(const std::string& name) const;
  int64_t rows() const { return tensors.empty() ? 0 : tensors.front().tensor.size(0); }
  Batch& add(const std::string& name, Tensor tensor);
};
Batch to(const Batch& batch, Device device);
Batch cast(const Batch& batch, DType dtype);  // its numbers; what counts words stays as it is
// Rows first ... last - 1 of every tensor; waits for the device.
Batch rows_of(const Batch& batch, int64_t first, int64_t last);
// Batches of the same names and floating-point tensors, one after the other, in the host's memory.
Batch joined(const std::vector<Batch>& parts);
// (n, 1, ..., 1): one number for each sample of (n, ...sample).
Shape per_sample(const Shape& samples);
// (n, n): gather(one_hot_rows(n), i) are one-hot rows of integers below n.
Tensor one_hot_rows(int64_t n);
// A tensor of `rows` rows of a column, with arbitrary contents, in the host's memory.
Tensor empty_rows(const Column& column, int64_t rows);

}  // namespace forger::gan
