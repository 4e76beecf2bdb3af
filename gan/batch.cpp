#include "gan/batch.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/device.h"
#include "core/utf8.h"

namespace forger::gan {

const Column* find_column(const Columns& columns, const std::string& name) {
  const auto found = std::ranges::find(columns, name, &Column::name);
  return found == columns.end() ? nullptr : &*found;
}

std::string names_of(const Columns& columns) {
  std::string names;
  for (size_t i = 0; i < columns.size(); i++)
    names += (i == 0 ? "" : i + 1 == columns.size() ? " and " : ", ") + columns[i].name;
  return names;
}

std::string written(const Columns& columns) {
  auto list = nlohmann::ordered_json::array();
  for (const Column& column : columns) {
    nlohmann::ordered_json one = {{"name", column.name},
                                  {"sample", std::vector<int64_t>(column.sample.begin(), column.sample.end())},
                                  {"dtype", name_of(column.dtype)}};
    for (const std::string& word : column.words) one["words"].push_back(to_utf8(word));
    for (const std::string& sentence : column.sentences) one["sentences"].push_back(to_utf8(sentence));
    list.push_back(one);
  }
  return list.dump();
}

Columns read_columns(const std::string& written) {
  Columns columns;
  try {
    for (const auto& one : nlohmann::json::parse(written)) {
      const std::vector<std::string> none;
      Column column{
          .name = one.at("name"), .words = one.value("words", none), .sentences = one.value("sentences", none)};
      const std::vector<int64_t> sizes = one.at("sample");
      column.sample = Shape(sizes);
      const std::string dtype = one.at("dtype");
      for (const DType known : {DType::f32, DType::f64, DType::i64})
        if (dtype == name_of(known)) column.dtype = known;
      check<DataError>(dtype == name_of(column.dtype), "the run's columns have the type '", dtype, "'");
      columns.push_back(column);
    }
  } catch (const nlohmann::json::exception&) {
    throw DataError(text("the run's columns are '", written, "', which says nothing of what its data was"));
  } catch (const ShapeError& error) {
    throw DataError(text("the run's columns: ", error.what()));
  }
  check<DataError>(!columns.empty(), "the run's columns are none");
  return columns;
}

const Tensor& Batch::operator[](const std::string& name) const {
  const auto found = std::ranges::find(tensors, name, &nn::Named::name);
  check<Error>(found != tensors.end(), "a batch without '", name, "' was asked for it");
  return found->tensor;
}

bool Batch::has(const std::string& name) const {
  return std::ranges::find(tensors, name, &nn::Named::name) != tensors.end();
}

Batch& Batch::add(const std::string& name, Tensor tensor) {
  tensors.push_back({name, std::move(tensor)});
  return *this;
}

Batch to(const Batch& batch, Device device) {
  Batch there;
  for (const auto& [name, tensor] : batch.tensors) there.add(name, to(tensor, device));
  return there;
}

Batch cast(const Batch& batch, DType dtype) {
  Batch typed;
  for (const auto& [name, tensor] : batch.tensors)
    typed.add(name, tensor.dtype() == DType::i64 ? tensor : cast(tensor, dtype));
  return typed;
}

Batch rows_of(const Batch& batch, int64_t first, int64_t last) {
  Batch rows;
  for (const auto& [name, tensor] : batch.tensors) {
    std::vector<int64_t> sizes(tensor.shape().begin(), tensor.shape().end());
    sizes[0] = 1;
    const size_t row_bytes = static_cast<size_t>(Shape(sizes).numel()) * size_of(tensor.dtype());
    sizes[0] = last - first;
    const Tensor part(Shape(sizes), tensor.dtype(), tensor.device());
    const auto* from = static_cast<const std::byte*>(tensor.storage()->data()) + static_cast<size_t>(first) * row_bytes;
    kernels::runtime(tensor.device()).copy(part.storage()->data(), from, static_cast<size_t>(last - first) * row_bytes);
    rows.add(name, part);
  }
  return rows;
}

Batch joined(const std::vector<Batch>& parts) {
  Batch all;
  for (size_t k = 0; k < parts.front().tensors.size(); k++) {
    std::vector<Tensor> tensors;
    for (const Batch& part : parts) tensors.push_back(to(part.tensors[k].tensor, Device::cpu));
    all.add(parts.front().tensors[k].name, concat(tensors, 0));
  }
  return all;
}

Shape per_sample(const Shape& samples) {
  std::vector<int64_t> sizes(static_cast<size_t>(samples.rank()), 1);
  sizes.front() = samples[0];
  return Shape(sizes);
}

Tensor one_hot_rows(int64_t n) {
  const Tensor rows = zeros({n, n});
  for (int64_t i = 0; i < n; i++) rows.data<float>()[i * (n + 1)] = 1;
  return rows;
}

Tensor empty_rows(const Column& column, int64_t rows) {
  std::vector<int64_t> sizes{rows};
  sizes.insert(sizes.end(), column.sample.begin(), column.sample.end());
  return {Shape(sizes), column.dtype};
}

}  // namespace forger::gan
