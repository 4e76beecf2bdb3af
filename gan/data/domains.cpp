// domains:NAME,NAME,...:SET  one set of images as several domains, so that what a picture is in each is known:
//
//   plain       as it is                     red, green, blue   in grey, under light of that colour
//   negative, rotate, edges, blur            transforms of gan/data/transforms.h
//
// A row is an image of one domain, which its label names. Every row of the set is in one domain alone, by a fixed
// shuffle, so that nothing in training is known to belong together. Rows that are held out have columns "truth.plain",
// "truth.red", ..., too: the same picture as it is there. What it is of is its "class", where the set has classes. Grey
// images stay grey unless a domain is coloured.
#include <algorithm>
#include <optional>
#include <utility>

#include "core/random.h"
#include "gan/data/images.h"
#include "gan/data/transforms.h"
#include "gan/named.h"

namespace forger::gan {
namespace {

struct Kind {
  std::string name;
  Picture (*of)(const Picture& image);
};

Picture plain(const Picture& image) { return image; }
template <int sixths>
Picture under_light(const Picture& image) {
  return tinted(grey(image), sixths / 6.0);
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> table{{"blur", blurred},         {"blue", under_light<4>}, {"edges", edges},
                                       {"green", under_light<2>}, {"negative", negative},   {"plain", plain},
                                       {"red", under_light<0>},   {"rotate", turned}};
  return table;
}

Picture with_channels(const Picture& image, int64_t channels) {
  if (image.channels == channels) return image;
  Picture out(image.height, image.width, channels);
  for (size_t i = 0; i < out.values.size(); i++) out.values[i] = image.values[i / static_cast<size_t>(channels)];
  return out;
}

class Domains : public DataSet {
 public:
  Domains(DataSetPtr images, std::string name, std::vector<Kind> domains, bool known)
      : images_(std::move(images)), name_(std::move(name)), domains_(std::move(domains)) {
    const Column* image = find_column(images_->columns(), "image");
    check<UsageError>(image != nullptr, name_, ": ", images_->name(), " has ", names_of(images_->columns()),
                      ", and domains are made from images");
    shape_ = image->sample;
    image_ = static_cast<size_t>(image - images_->columns().data());
    std::vector<std::string> words;
    for (const Kind& domain : domains_) {
      const Picture made = domain.of(Picture(shape_[0], shape_[1], shape_[2]));
      check<UsageError>(made.height == shape_[0], name_, ": a quarter turn takes square images, not ", shape_);
      channels_ = std::max(channels_, made.channels);
      words.push_back(domain.name);
    }
    const Shape sample{shape_[0], shape_[1], channels_};
    columns_ = {{.name = "image", .sample = sample}, {.name = "label", .dtype = DType::i64, .words = words}};
    for (size_t k = 0; known && k < words.size(); k++)
      columns_.push_back({.name = "truth." + words[k], .sample = sample});
    const Column* label = find_column(images_->columns(), "label");
    if (label != nullptr) {
      label_ = static_cast<size_t>(label - images_->columns().data());
      columns_.push_back({.name = "class", .dtype = DType::i64, .words = label->words});
    }
    constexpr uint64_t seed = 0, stream = 0x646f6d61;
    const std::vector<int64_t> shuffled = Random(seed, stream).permutation(images_->count());
    domain_of_.resize(shuffled.size());
    for (size_t i = 0; i < shuffled.size(); i++) domain_of_[static_cast<size_t>(shuffled[i])] = i % domains_.size();
  }

  int64_t count() const override { return images_->count(); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    const size_t own = domain_of_[static_cast<size_t>(i)];
    if (cells[1] != nullptr) *static_cast<int64_t*>(cells[1]) = static_cast<int64_t>(own);
    std::vector<std::pair<void*, size_t>> wanted{{cells[0], own}};
    for (size_t k = 2; k < cells.size() - (label_ ? 1 : 0); k++) wanted.emplace_back(cells[k], k - 2);
    std::erase_if(wanted, [](const auto& cell) { return cell.first == nullptr; });
    Picture image(shape_[0], shape_[1], shape_[2]);
    std::vector<void*> into(images_->columns().size());
    if (!wanted.empty()) into[image_] = image.values.data();
    if (label_) into[*label_] = cells.back();
    images_->read_row(i, into);
    for (const auto& [cell, domain] : wanted)
      std::ranges::copy(with_channels(domains_[domain].of(image), channels_).values, static_cast<float*>(cell));
  }
  std::string name() const override { return name_; }
  std::string about() const override { return text(about_classes(*this).substr(3), " of ", images_->about()); }
  std::vector<Broken> broken() const override { return images_->broken(); }
  std::string hash() const override {
    Fnv fnv;
    for (const Kind& domain : domains_) fnv.add(domain.name);
    fnv.add(images_->hash());
    return fnv.hex();
  }

 private:
  DataSetPtr images_;
  std::string name_;
  std::vector<Kind> domains_;
  Shape shape_;
  size_t image_ = 0;             // the set's column of images
  std::optional<size_t> label_;  // and of classes
  int64_t channels_ = 1;
  std::vector<size_t> domain_of_;  // by row
  Columns columns_;
};

const std::string prefix = "domains:";

// NAME,NAME,... and SET.
std::pair<std::string, std::string> parts_of(const std::string& spec) {
  const size_t colon = spec.find(':', prefix.size());
  check<UsageError>(colon != spec.npos && colon > prefix.size() && colon + 1 < spec.size(), "'", spec,
                    "' is to name domains and a set, as in domains:plain,negative,red:fashion-mnist");
  return {spec.substr(prefix.size(), colon - prefix.size()), spec.substr(colon + 1)};
}

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  const auto [names, set] = parts_of(spec);
  std::vector<Kind> domains;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    const Kind& kind = find_named(kinds(), names.substr(begin, end - begin), spec + ": the domain");
    check<UsageError>(std::ranges::find(domains, kind.name, &Kind::name) == domains.end(), spec, ": ", kind.name,
                      " is named twice");
    domains.push_back(kind);
    begin = end + 1;
  }
  check<UsageError>(domains.size() >= 2, spec, ": at least two domains are needed");
  return std::make_shared<Domains>(open_data(set, options, subset), spec, std::move(domains), subset == Subset::test);
}

const RegisterDataSource registered{{
    .name = "domains",
    .help = "domains:NAME,NAME,...:SET: a set as several, of plain, negative, rotate, edges, blur, red, green, blue",
    .gives = {"image", "label", "class"},
    .accepts = [](const std::string& spec) { return spec.starts_with(prefix); },
    .open = open,
    .map_paths =
        [](const std::string& spec, const DataSource::OnPath& f) {
          const auto [names, set] = parts_of(spec);
          return text(prefix, names, ":", map_paths(set, f));
        },
}};

}  // namespace
}  // namespace forger::gan
