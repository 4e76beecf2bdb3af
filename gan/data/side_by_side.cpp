#include "gan/data/side_by_side.h"

#include <algorithm>
#include <cstring>

namespace forger::gan {
namespace {

// Columns of sets under "a.", "b.", ... Row i is a row of each.
class SideBySide : public DataSet {
 public:
  SideBySide(std::string name, std::vector<DataSetPtr> sets) : name_(std::move(name)), sets_(std::move(sets)) {
    for (const Domain& domain : domains()) {
      for (Column column : domain.data->columns()) {
        column.name = domain.name + "." + column.name;
        columns_.push_back(column);
      }
    }
  }
  int64_t count() const override {
    return (*std::ranges::min_element(sets_, {}, [](const DataSetPtr& set) { return set->count(); }))->count();
  }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    size_t first = 0;
    for (const DataSetPtr& set : sets_) {
      set->read_row(i % set->count(), cells.subspan(first, set->columns().size()));
      first += set->columns().size();
    }
  }
  std::string name() const override { return name_; }
  std::string about() const override {
    std::string all;
    for (const Domain& domain : domains())
      all += text(all.empty() ? "" : "; ", domain.name, ": ", domain.data->about());
    return all;
  }
  std::vector<Broken> broken() const override {
    std::vector<Broken> all;
    for (const DataSetPtr& set : sets_)
      for (const Broken& file : set->broken()) all.push_back(file);
    return all;
  }
  std::string hash() const override {
    Fnv fnv;
    for (const DataSetPtr& set : sets_) fnv.add(set->hash());
    return fnv.hex();
  }
  std::vector<Domain> domains() const override {
    std::vector<Domain> all;
    for (const DataSetPtr& set : sets_) all.push_back({domain_name(all.size()), set});
    return all;
  }

 private:
  std::string name_;
  std::vector<DataSetPtr> sets_;
  Columns columns_;
};

class Renamed : public DataSet {
 public:
  Renamed(std::string name, DataSetPtr data, const Names& names) : name_(std::move(name)), data_(std::move(data)) {
    for (const auto& [now, before] : names) {
      const Column* old = find_column(data_->columns(), before);
      if (old == nullptr) continue;  // not every set has labels
      from_.push_back(static_cast<size_t>(old - data_->columns().data()));
      columns_.push_back(*old);
      columns_.back().name = now;
    }
  }
  int64_t count() const override { return data_->count(); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    std::vector<void*> first(data_->columns().size());
    for (size_t k = 0; k < cells.size(); k++)
      if (first[from_[k]] == nullptr) first[from_[k]] = cells[k];
    data_->read_row(i, first);
    for (size_t k = 0; k < cells.size(); k++) {
      const auto bytes = static_cast<size_t>(columns_[k].sample.numel()) * size_of(columns_[k].dtype);
      if (cells[k] != nullptr && cells[k] != first[from_[k]]) std::memcpy(cells[k], first[from_[k]], bytes);
    }
  }
  std::string name() const override { return name_; }
  std::string about() const override { return text(names_of(columns_), " of ", data_->about()); }
  std::vector<Broken> broken() const override { return data_->broken(); }
  std::string hash() const override { return data_->hash(); }

 private:
  std::string name_;
  DataSetPtr data_;
  std::vector<size_t> from_;  // by column, the set's
  Columns columns_;
};

}  // namespace

std::string domain_name(size_t domain) { return {static_cast<char>('a' + domain)}; }

DataSetPtr side_by_side(const std::string& name, std::vector<DataSetPtr> sets) {
  return std::make_shared<SideBySide>(name, std::move(sets));
}

DataSetPtr renamed(const std::string& name, const DataSetPtr& data, const Names& names) {
  return std::make_shared<Renamed>(name, data, names);
}

}  // namespace forger::gan
