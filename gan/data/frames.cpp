// frames:SET: films made from any set of images, so that what comes next is known: each picture, grey and at half the
// frame's size, moves over black with a speed of its own, by whole pixels, and bounces at the edges.
//
//   source (H, W, 3)    three frames, the newest last: where it is, how fast, and which way
//   target (H, W, 1)    the next one
//   later (H, W, 10)    of rows that are held out: the next ten, the first of which is the target
//
// A picture's film is always the same: a function of its row alone.
#include <algorithm>
#include <utility>

#include "core/random.h"
#include "gan/data/images.h"
#include "gan/data/transforms.h"

namespace forger::gan {
namespace {

constexpr int64_t past = 3, future = 10;
const std::string prefix = "frames:";

// To and fro on [0, room] at constant speed.
struct Bounce {
  int64_t room, start, speed;
  int64_t at(int64_t time) const {
    const int64_t there_and_back = 2 * room,
                  way = ((start + speed * time) % there_and_back + there_and_back) % there_and_back;
    return std::min(way, there_and_back - way);
  }
};
struct Motion {
  Bounce down, across;
};

Motion motion_of(int64_t row, int64_t room_down, int64_t room_across) {
  constexpr uint64_t stream = 0x6672616d6573;
  Random random(static_cast<uint64_t>(row), stream);
  const auto draw = [&](int64_t room) {
    const int64_t fastest = std::max<int64_t>(1, room / 5);  // 3 pixels in a frame of 32
    const auto start = static_cast<int64_t>(random.below(static_cast<uint64_t>(2 * room)));
    return Bounce{room, start, static_cast<int64_t>(random.below(static_cast<uint64_t>(2 * fastest + 1))) - fastest};
  };
  Motion motion{draw(room_down), draw(room_across)};
  while (motion.down.speed == 0 && motion.across.speed == 0) motion = {draw(room_down), draw(room_across)};
  return motion;
}

class Frames : public DataSet {
 public:
  Frames(DataSetPtr images, std::string name, Subset subset) : images_(std::move(images)), name_(std::move(name)) {
    const Column* image = find_column(images_->columns(), "image");
    check<UsageError>(image != nullptr, name_, ": ", images_->name(), " has ", names_of(images_->columns()),
                      ", and films are made from images");
    shape_ = image->sample;
    const auto frames = [&](const char* column, int64_t count) {
      return Column{.name = column, .sample = {2 * shape_[0], 2 * shape_[1], count}};
    };
    columns_ = {frames("source", past), frames("target", 1)};
    if (subset == Subset::test) columns_.push_back(frames("later", future));
    own_ = columns_.size();
    for (const Column& column : images_->columns())
      if (column.name != "image") columns_.push_back(column);
  }

  int64_t count() const override { return images_->count(); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    Picture image(shape_[0], shape_[1], shape_[2]);
    const bool drawn = std::ranges::any_of(cells.first(own_), [](const void* cell) { return cell != nullptr; });
    std::vector<void*> into;
    size_t other = own_;
    for (const Column& column : images_->columns())
      into.push_back(column.name != "image" ? cells[other++] : drawn ? image.values.data() : nullptr);
    images_->read_row(i, into);
    if (!drawn) return;
    const Picture picture = grey(image);
    const Motion motion = motion_of(i, shape_[0], shape_[1]);
    for (size_t k = 0; k < own_; k++)
      if (cells[k] != nullptr)
        draw(picture, motion, k == 0 ? 0 : past, columns_[k].sample, static_cast<float*>(cells[k]));
  }
  std::string name() const override { return name_; }
  std::string about() const override { return text("films of ", images_->about()); }
  std::vector<Broken> broken() const override { return images_->broken(); }
  std::string hash() const override { return hash_of({"frames", images_->hash()}); }

 private:
  // Frames first, first + 1, ... as the channels of (H, W, frames).
  static void draw(const Picture& picture, const Motion& motion, int64_t first, const Shape& sample, float* frames) {
    std::fill_n(frames, sample.numel(), -1.0f);
    for (int64_t k = 0; k < sample[2]; k++) {
      const int64_t top = motion.down.at(first + k), left = motion.across.at(first + k);
      for (int64_t row = 0; row < picture.height; row++)
        for (int64_t column = 0; column < picture.width; column++)
          frames[((top + row) * sample[1] + left + column) * sample[2] + k] = picture.at(row, column, 0);
    }
  }

  DataSetPtr images_;
  std::string name_;
  Shape shape_;  // of a picture: half a frame's
  Columns columns_;
  size_t own_ = 0;  // of the columns: those that are frames
};

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  DataOptions half = options;
  for (int64_t* side : {&half.height, &half.width}) {
    check<UsageError>(*side % 2 == 0, spec,
                      ": a picture is half as large as its frame: --size takes even numbers, not ", *side);
    *side /= 2;
  }
  return std::make_shared<Frames>(open_data(spec.substr(prefix.size()), half, subset), spec, subset);
}

const RegisterDataSource registered{{
    .name = "frames",
    .help = "frames:SET: films of the images of a set, from three frames to the next",
    .gives = {"source", "target", "label"},
    .accepts = [](const std::string& spec) { return spec.starts_with(prefix); },
    .open = open,
    .map_paths = [](const std::string& spec,
                    const DataSource::OnPath& f) { return prefix + map_paths(spec.substr(prefix.size()), f); },
}};

}  // namespace
}  // namespace forger::gan
