#include "metrics/extractor.h"

#include <numeric>

#include "core/autograd.h"
#include "core/ops.h"
#include "gan/data/picture_folder.h"
#include "gan/picture_file.h"
#include "kernels/cpu/thread_pool.h"

namespace forger::metrics {
namespace {

// 8-bit images of one size in one piece of memory.
struct Album {
  int64_t height, width, channels;
  std::vector<uint8_t> pixels;
  gan::Image at(int64_t i) const {
    const auto bytes = height * width * channels;
    const uint8_t* first = pixels.data() + i * bytes;
    return {height, width, channels, {first, first + bytes}};
  }
};

void append(Album& album, const Tensor& images) {
  check<UsageError>(images.rank() == 4, "this run makes points, not images: there is nothing to look at");
  album.height = images.size(1), album.width = images.size(2), album.channels = images.size(3);
  for (const double x : to(images, Device::cpu).to_vector()) album.pixels.push_back(gan::to_byte(x));
}

Pictures pictures_of(std::shared_ptr<const Album> album, int64_t count, const std::string& name) {
  return {.name = name, .count = count, .read = [album](int64_t i) { return album->at(i); }};
}

// `n` of the numbers 0 ... count - 1: all of them in order, or drawn without replacement.
std::vector<int64_t> choice(int64_t n, int64_t count, uint64_t seed) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  if (n < count)
    rows = Random(seed).permutation(count);
  else
    std::iota(rows.begin(), rows.end(), int64_t{0});
  rows.resize(static_cast<size_t>(n));
  return rows;
}

class InceptionExtractor : public Extractor {
 public:
  InceptionExtractor(std::shared_ptr<const Inception> network, Convention convention)
      : network_(std::move(network)), convention_(convention) {}
  std::string name() const override { return "inception"; }
  std::string convention() const override { return name_of(convention_); }
  std::string hash() const override { return network_->hash(); }
  std::string about() const override {
    return text("Inception-v3, ", network_->published() ? "the published weights" : "weights of its own", " (",
                network_->hash(), "), resized as '", convention(), "'");
  }
  int64_t batch() const override { return 8; }  // as fast as more, in less memory
  int channels() const override { return 3; }
  Activations activations(const std::vector<gan::Image>& images) const override {
    const Tensor x({batch(), inception_side, inception_side, 3}, DType::f32);
    const int64_t size = x.numel() / batch();
    kernels::parallel_jobs(batch(), [&](int64_t i) {
      inception_input(images[static_cast<size_t>(i)], convention_, x.data<float>() + i * size);
    });
    const Inception::Output seen = network_->forward(x);
    return {seen.features, seen.unbiased};
  }

 private:
  std::shared_ptr<const Inception> network_;
  Convention convention_;
};

}  // namespace

Pictures Pictures::at(std::vector<int64_t> rows) const {
  Pictures chosen = *this;
  chosen.count = std::ssize(rows);
  const auto kept = std::make_shared<const std::vector<int64_t>>(std::move(rows));
  chosen.read = [read = read, kept](int64_t i) { return read((*kept)[static_cast<size_t>(i)]); };
  if (label) chosen.label = [label = label, kept](int64_t i) { return label((*kept)[static_cast<size_t>(i)]); };
  return chosen;
}

Pictures Pictures::subset(int64_t n, uint64_t seed) const {
  check<DataError>(n <= count, name, " has ", count, " images, ", n, " were asked for");
  return n == count ? *this : at(choice(n, count, seed));
}

Pictures Pictures::range(int64_t begin, int64_t end) const {
  std::vector<int64_t> rows(static_cast<size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return at(std::move(rows));
}

Pictures pictures_in_folder(const std::string& folder, int channels, bool skip_broken) {
  const gan::FolderScan scanned = gan::scan_pictures(folder);
  const std::vector<std::string>& files = scanned.files;
  check<DataError>(!files.empty(), "no picture in '", folder, "' (PNG, JPEG, WebP, GIF, BMP)",
                   scanned.about_left_out());
  const std::map<int64_t, std::string> faults =
      gan::faults_of(std::ssize(files), [&](int64_t i) { gan::read_image(files[static_cast<size_t>(i)], channels); });
  std::vector<std::string> whole, broken;
  for (size_t i = 0; i < files.size(); i++)
    (faults.contains(static_cast<int64_t>(i)) ? broken : whole).push_back(files[i]);
  check<DataError>(broken.empty() || (skip_broken && !whole.empty()), broken.size(), " of ", files.size(),
                   " images in '", folder, "' are broken; the first: ", broken.empty() ? "" : faults.begin()->second,
                   whole.empty() ? "" : "; --skip-broken leaves them out");
  const int64_t count = std::ssize(whole);
  return {.name = folder,
          .count = count,
          .read = [whole = std::move(whole),
                   channels](int64_t i) { return gan::read_image(whole[static_cast<size_t>(i)], channels); },
          .broken = std::move(broken),
          .about = scanned.about_left_out()};
}

Pictures pictures_of(const gan::DataSetPtr& data, const std::string& name) {
  const Shape sample = data->sample();
  check<UsageError>(sample.rank() == 3, name, " holds no images");
  return {
      .name = name,
      .count = data->count(),
      .read =
          [data, sample](int64_t i) {
            std::vector<float> values(static_cast<size_t>(sample.numel()));
            data->read(i, values.data());
            gan::Image image{sample[0], sample[1], sample[2], {}};
            for (const float x : values) image.pixels.push_back(gan::to_byte(x));
            return image;
          },
      .label = data->classes() > 0 ? [data](int64_t i) { return data->label(i); } : std::function<int64_t(int64_t)>()};
}

Pictures pictures_of(const Tensor& images, const std::string& name) {
  auto album = std::make_shared<Album>();
  append(*album, images);
  return pictures_of(album, images.size(0), name);
}

namespace {

// `held_out` may be null for a view that is given nothing.
Pictures made_by(gan::Recipe& recipe, const gan::View& view, const gan::DataSet* held_out, int64_t count, uint64_t seed,
                 const std::string& name, const Ticker& ticker) {
  constexpr int64_t at_once = 64;
  Random random(seed, judged_stream);
  auto album = std::make_shared<Album>();
  std::vector<int64_t> rows, asked;
  if (held_out != nullptr) {
    count = std::min(count, held_out->count());
    rows = choice(count, held_out->count(), seed);
  }
  for (int64_t done = 0; done < count; done += at_once) {
    gan::Batch from;  // drawn in whole batches: the first samples do not depend on the count
    if (view.draw) from = view.draw(at_once, random);
    if (held_out != nullptr) {
      const auto part = std::span(rows)
                            .subspan(static_cast<size_t>(done))
                            .first(static_cast<size_t>(std::min(at_once, count - done)));
      if (view.draw) from = gan::rows_of(from, 0, std::ssize(part));
      for (const auto& [column, tensor] : gan::read_rows(*held_out, part, view.given).tensors) from.add(column, tensor);
    }
    append(*album, recipe.make(view, from).tensors.front().tensor);
    if (from.has("label"))
      for (const double label : to(from["label"], Device::cpu).to_vector())
        asked.push_back(static_cast<int64_t>(label));
    if (ticker) ticker(std::min(done + at_once, count), count);
  }
  Pictures pictures = pictures_of(album, count, name);
  if (!asked.empty()) pictures.label = [asked = std::move(asked)](int64_t i) { return asked[static_cast<size_t>(i)]; };
  return pictures;
}

}  // namespace

Pictures pictures_of(gan::Recipe& recipe, const gan::View& view, const gan::DataSet& held_out, int64_t count,
                     uint64_t seed, const std::string& name, const Ticker& ticker) {
  return made_by(recipe, view, view.given.empty() ? nullptr : &held_out, count, seed, name, ticker);
}

Pictures pictures_of(gan::Recipe& recipe, int64_t count, uint64_t seed, const std::string& name, const Ticker& ticker) {
  return made_by(recipe, gan::sampling_view(recipe), nullptr, count, seed, name, ticker);
}

Tensor as_tensor(const Pictures& pictures, int64_t begin, int64_t end) {
  check<DataError>(begin < end, pictures.name, ": no images to look at");
  const gan::Image first = pictures.read(begin);
  const Tensor images({end - begin, first.height, first.width, first.channels}, DType::f32);
  const int64_t size = images.numel() / images.size(0);
  kernels::parallel_jobs(end - begin, [&](int64_t i) {
    const gan::Image image = pictures.read(begin + i);
    check<DataError>(std::ssize(image.pixels) == size && image.height == first.height, pictures.name,
                     ": images of different sizes, ", first.height, "x", first.width, " and ", image.height, "x",
                     image.width, "; this metric compares pixels");
    gan::to_sample(image, images.data<float>() + i * size);
  });
  return images;
}

ExtractorPtr inception_extractor(std::shared_ptr<const Inception> network, Convention convention) {
  return std::make_shared<InceptionExtractor>(std::move(network), convention);
}

void extract(const Extractor& extractor, const Pictures& pictures, const std::function<void(const Activations&)>& take,
             const Ticker& ticker) {
  const int64_t batch = extractor.batch();
  for (int64_t begin = 0; begin < pictures.count; begin += batch) {
    const int64_t n = std::min(batch, pictures.count - begin);
    std::vector<gan::Image> images(static_cast<size_t>(batch));
    // The last batch is filled up with its last image, and what is found in those is dropped.
    kernels::parallel_jobs(
        batch, [&](int64_t i) { images[static_cast<size_t>(i)] = pictures.read(begin + std::min(i, n - 1)); });
    const Activations found = extractor.activations(images);
    take(n == batch ? found : Activations{slice(found.features, 0, 0, n), slice(found.logits, 0, 0, n)});
    if (ticker) ticker(begin + n, pictures.count);
  }
}

Activations extract(const Extractor& extractor, const Pictures& pictures, const Ticker& ticker) {
  Activations all;
  int64_t done = 0;
  const auto keep = [&](const Tensor& part, Tensor& whole) {
    const int64_t width = part.size(1);
    if (!whole.defined()) whole = Tensor({pictures.count, width}, DType::f32);
    std::copy_n(part.data<float>(), part.numel(), whole.data<float>() + done * width);
  };
  extract(
      extractor, pictures,
      [&](const Activations& found) {
        keep(found.features, all.features);
        keep(found.logits, all.logits);
        done += found.features.size(0);
      },
      ticker);
  check<DataError>(done > 0, pictures.name, ": no images to look at");
  return all;
}

}  // namespace forger::metrics
