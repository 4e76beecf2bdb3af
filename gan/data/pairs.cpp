// Pairs made from any set of images, so that the truth is known: TRANSFORM:SET gives rows of source, target and what
// else the set has. The target is the image and the source what a transform leaves of it; swap:PAIRS is the other way
// round. Transforms are in gan/data/transforms.h.
#include <algorithm>
#include <utility>

#include "gan/data/images.h"
#include "gan/data/transforms.h"

namespace forger::gan {
namespace {

struct Pair {
  Picture source, target;
};
// row: its number in the set. class_share: its class as a share of all, [0, 1); of a set without classes the image's
// mean level.
using Make = Pair (*)(const Picture& image, int64_t row, double class_share);

template <Picture (*transform)(const Picture&)>
Pair from(const Picture& image, int64_t, double) {
  return {transform(image), image};
}
Pair from_noisy(const Picture& image, int64_t row, double) { return {noisy(image, static_cast<uint64_t>(row)), image}; }
// To be coloured: what the picture is of says in which colour, where it has none of its own.
Pair from_grey(const Picture& image, int64_t, double class_share) {
  return {grey(image), image.channels == 1 ? tinted(image, class_share) : image};
}

class Pairs : public DataSet {
 public:
  Pairs(DataSetPtr images, std::string name, Make make)
      : images_(std::move(images)), name_(std::move(name)), make_(make) {
    const Column* image = find_column(images_->columns(), "image");
    check<UsageError>(image != nullptr, name_, ": ", images_->name(), " has ", names_of(images_->columns()),
                      ", and pairs are made from images");
    shape_ = image->sample;
    const Pair sizes = make_(Picture(shape_[0], shape_[1], shape_[2]), 0, 0);
    check<UsageError>(sizes.source.height == shape_[0], name_, ": a quarter turn takes square images, not ", shape_);
    columns_ = {{.name = "source", .sample = {shape_[0], shape_[1], sizes.source.channels}},
                {.name = "target", .sample = {shape_[0], shape_[1], sizes.target.channels}}};
    for (const Column& column : images_->columns())
      if (column.name != "image") columns_.push_back(column);
  }

  int64_t count() const override { return images_->count(); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    Picture image(shape_[0], shape_[1], shape_[2]);
    int64_t label = 0;
    std::vector<void*> into;
    size_t other = 2;
    for (const Column& column : images_->columns()) {
      void* cell = column.name == "image" ? image.values.data() : cells[other++];
      into.push_back(column.name == "label" ? &label : cell);
    }
    images_->read_row(i, into);
    if (void* cell = label_cell(cells)) *static_cast<int64_t*>(cell) = label;
    if (cells[0] == nullptr && cells[1] == nullptr) return;
    const Pair pair = make_(image, i, class_share(image, label));
    if (cells[0] != nullptr) std::ranges::copy(pair.source.values, static_cast<float*>(cells[0]));
    if (cells[1] != nullptr) std::ranges::copy(pair.target.values, static_cast<float*>(cells[1]));
  }
  std::string name() const override { return name_; }
  std::string about() const override { return text(name_.substr(0, name_.find(':')), " of ", images_->about()); }
  std::vector<Broken> broken() const override { return images_->broken(); }
  std::string hash() const override { return hash_of({name_.substr(0, name_.find(':')), images_->hash()}); }

 private:
  void* label_cell(std::span<void* const> cells) const {
    const Column* label = find_column(columns_, "label");
    return label == nullptr ? nullptr : cells[static_cast<size_t>(label - columns_.data())];
  }
  double class_share(const Picture& image, int64_t label) const {
    if (classes() > 1) return static_cast<double>(label) / static_cast<double>(classes());
    double sum = 0;
    for (const float x : image.values) sum += static_cast<double>(x);
    return std::clamp(0.5 + 0.5 * sum / static_cast<double>(image.values.size()), 0.0, 0.999);
  }

  DataSetPtr images_;
  std::string name_;
  Make make_;
  Shape shape_;
  Columns columns_;
};

class Swapped : public DataSet {
 public:
  Swapped(DataSetPtr pairs, std::string name) : pairs_(std::move(pairs)), name_(std::move(name)) {
    const auto paired = [&](const char* column) { return find_column(pairs_->columns(), column) != nullptr; };
    check<UsageError>(paired("source") && paired("target"), name_, ": ", pairs_->name(), " has ",
                      names_of(pairs_->columns()), ", and only pairs can be swapped");
    columns_ = pairs_->columns();
    for (Column& column : columns_)
      column.name = column.name == "source" ? "target" : column.name == "target" ? "source" : column.name;
  }
  int64_t count() const override { return pairs_->count(); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override { pairs_->read_row(i, cells); }
  std::string name() const override { return name_; }
  std::string about() const override { return text("the other way round: ", pairs_->about()); }
  std::vector<Broken> broken() const override { return pairs_->broken(); }
  std::string hash() const override { return hash_of({"swap", pairs_->hash()}); }

 private:
  DataSetPtr pairs_;
  std::string name_;
  Columns columns_;
};

DataSource source(const std::string& name, const std::string& help,
                  const std::function<DataSetPtr(const DataSetPtr&, const std::string& spec)>& make) {
  const std::string prefix = name + ":";
  return {
      .name = name,
      .help = help,
      .gives = {"source", "target", "label"},
      .accepts = [prefix](const std::string& spec) { return spec.starts_with(prefix); },
      .open = [make, prefix](
                  const std::string& spec, const DataOptions& options,
                  Subset subset) { return make(open_data(spec.substr(prefix.size()), options, subset), spec); },
      .map_paths = [prefix](const std::string& spec,
                            const DataSource::OnPath& f) { return prefix + map_paths(spec.substr(prefix.size()), f); }};
}

RegisterDataSource transform(const std::string& name, const std::string& what, Make make) {
  return RegisterDataSource(
      source(name, name + ":SET: pairs, from " + what, [make](const DataSetPtr& images, const std::string& spec) {
        return std::make_shared<Pairs>(images, spec, make);
      }));
}

const RegisterDataSource registered[] = {
    transform("edges", "the edges of the images of a set to them", from<edges>),
    transform("negative", "the images' negatives", from<negative>),
    transform("tint", "the images in grey to coloured ones (those of grey sets by class)", from_grey),
    transform("rotate", "the images turned to the left", from<turned>),
    transform("blur", "the blurred images", from<blurred>),
    transform("noisy", "the images under noise", from_noisy),
    transform("small", "the images at a quarter of their size", from<shrunk>),
    RegisterDataSource(source(
        "swap", "swap:PAIRS: the pairs of a set the other way round",
        [](const DataSetPtr& pairs, const std::string& spec) { return std::make_shared<Swapped>(pairs, spec); })),
};

}  // namespace
}  // namespace forger::gan
