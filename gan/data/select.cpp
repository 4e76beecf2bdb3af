// Parts of a set: one of its columns as a set of images, some of its rows.
#include <utility>

#include "gan/data/images.h"

namespace forger::gan {
namespace {

class Selected : public DataSet {
 public:
  // `label`: the column of labels, or none
  Selected(DataSetPtr data, const Column* image, const Column* label) : data_(std::move(data)), column_(image->name) {
    columns_ = {{.name = "image", .sample = image->sample}};
    if (label != nullptr) columns_.push_back({.name = "label", .dtype = DType::i64, .words = label->words});
    for (const Column& column : data_->columns()) cells_.push_back(&column == image ? 0 : &column == label ? 1 : -1);
  }

  int64_t count() const override { return data_->count(); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    std::vector<void*> from;
    for (const int cell : cells_) from.push_back(cell < 0 ? nullptr : cells[static_cast<size_t>(cell)]);
    data_->read_row(i, from);
  }
  std::string name() const override { return data_->name(); }
  std::string about() const override { return text(column_, " of ", data_->about()); }
  std::vector<Broken> broken() const override { return data_->broken(); }
  std::string hash() const override { return hash_of({data_->hash(), column_}); }

 private:
  DataSetPtr data_;
  std::string column_;
  Columns columns_;
  std::vector<int> cells_;  // where each of the set's columns goes: 0 image, 1 label, -1 nowhere
};

class Rows : public DataSet {
 public:
  Rows(DataSetPtr data, std::vector<int64_t> rows) : data_(std::move(data)), rows_(std::move(rows)) {}
  int64_t count() const override { return std::ssize(rows_); }
  const Columns& columns() const override { return data_->columns(); }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    data_->read_row(rows_[static_cast<size_t>(i)], cells);
  }
  std::string name() const override { return data_->name(); }
  std::string about() const override { return text(count(), " of ", data_->about()); }
  std::vector<Broken> broken() const override { return data_->broken(); }
  std::string hash() const override {
    Fnv fnv;
    fnv.add(data_->hash());
    for (const int64_t row : rows_) fnv.add(row);
    return fnv.hex();
  }

 private:
  DataSetPtr data_;
  std::vector<int64_t> rows_;
};

}  // namespace

DataSetPtr rows_of(const DataSetPtr& data, std::vector<int64_t> rows) {
  return std::make_shared<Rows>(data, std::move(rows));
}

DataSetPtr images_of(const DataSetPtr& data, const std::string& column) {
  for (const Domain& domain : data->domains())
    if (column.starts_with(domain.name + ".")) return images_of(domain.data, column.substr(domain.name.size() + 1));
  if (data->columns().front().name == column && column == "image") return data;
  const Column* image = find_column(data->columns(), column);
  check<UsageError>(image != nullptr && image->sample.rank() == 3, data->name(), " has no images called ", column,
                    "; it has ", names_of(data->columns()));
  const size_t dot = column.find('.');
  const std::string label = dot == column.npos ? "label" : column.substr(0, dot) + ".label";
  return std::make_shared<Selected>(data, image, find_column(data->columns(), label));
}

}  // namespace forger::gan
