// The list of sources, filled while the program starts by the files beside this one, and what holds for all of them.
#include <algorithm>
#include <utility>

#include "core/error.h"
#include "gan/data.h"

namespace forger::gan {
namespace {

std::vector<DataSource>& registry() {
  static std::vector<DataSource> sources;  // built by whoever registers first: files start in no fixed order
  return sources;
}

// Images with another number of channels than their set has. Grey is the luma of ITU-R BT.601; its weights sum to 1, so
// it may be taken of values in [-1, 1].
class Recoloured : public DataSet {
 public:
  Recoloured(DataSetPtr data, int64_t channels) : data_(std::move(data)), channels_(channels) {}
  int64_t count() const override { return data_->count(); }
  Shape sample() const override { return {data_->sample()[0], data_->sample()[1], channels_}; }
  void read(int64_t i, float* out) const override {
    const int64_t own_channels = data_->sample()[2];
    std::vector<float> own(static_cast<size_t>(data_->sample().numel()));
    data_->read(i, own.data());
    for (auto pixel = own.begin(); pixel != own.end(); pixel += own_channels, out += channels_)
      std::fill_n(out, channels_,
                  own_channels == 1 ? pixel[0] : 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2]);
  }
  int64_t classes() const override { return data_->classes(); }
  int64_t label(int64_t i) const override { return data_->label(i); }
  std::string class_name(int64_t c) const override { return data_->class_name(c); }
  std::string name() const override { return data_->name(); }
  std::string hash() const override { return data_->hash(); }

 private:
  DataSetPtr data_;
  int64_t channels_;
};

std::string all_names() {
  std::string names;
  for (const DataSource& source : registry()) names += (names.empty() ? "" : ", ") + source.name;
  return names;
}

}  // namespace

RegisterDataSource::RegisterDataSource(DataSource source) {
  auto& sources = registry();
  const auto before = [](const DataSource& a, const DataSource& b) { return a.name < b.name; };
  sources.insert(std::upper_bound(sources.begin(), sources.end(), source, before), std::move(source));
}

const std::vector<DataSource>& data_sources() { return registry(); }

DataSetPtr open_data(const std::string& spec, int64_t size, Subset subset, int64_t channels) {
  check<UsageError>(size >= 0, "the size of images cannot be ", size);
  check<UsageError>(channels == 0 || channels == 1 || channels == 3,
                    "images have 1 or 3 channels (0: as they are), not ", channels);
  const auto& sources = registry();
  const auto source = std::find_if(sources.begin(), sources.end(), [&](const auto& s) { return s.accepts(spec); });
  check<UsageError>(source != sources.end(), "data '", spec,
                    "' is neither a folder nor a data set; there are: ", all_names());
  const DataSetPtr data = source->open(spec, size, subset);
  if (channels == 0 || data->sample()[-1] == channels) return data;
  check<UsageError>(data->sample().rank() == 3, "'", spec, "' has points, not images: it has no channels");
  return std::make_shared<Recoloured>(data, channels);
}

}  // namespace forger::gan
