// Data sets and the loader that feeds a training run.
//
// A source turns a spec such as "fashion-mnist", "idx:images.gz,labels.gz", "cifar10:DIR", "folder:DIR" (or just a
// path) or "ring8" into a DataSet. Each source is one file in gan/data/ that registers itself; `forger list` prints
// them.
#pragma once
#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/tensor.h"
#include "gan/batch.h"
#include "gan/settings.h"

namespace forger::gan {

struct Domain;

// A mixture of round Gaussians in the plane.
struct Mixture {
  std::vector<std::array<double, 2>> centres;
  double stddev = 0;
};

class DataSet {
 public:
  virtual ~DataSet() = default;
  virtual int64_t count() const = 0;  // rows
  // What a row holds: "image" (H, W, C) in [-1, 1], "point" (2), "label", ... Always the same.
  virtual const Columns& columns() const = 0;
  // Writes row i: cells[k] takes the elements of column k; null where they are not wanted. Called from the loader's
  // thread; must be thread-safe. DataError when the row can't be read.
  virtual void read_row(int64_t i, std::span<void* const> cells) const = 0;
  virtual std::string name() const = 0;
  // A line for people: how many of what, in which classes, and what was left out.
  virtual std::string about() const { return text(count(), " samples of ", sample()); }
  // Files of the set that cannot be read and were left out, by name, and why.
  struct Broken {
    std::string file, reason;
  };
  virtual std::vector<Broken> broken() const { return {}; }
  // Hex digest (FNV-1a 64) of the contents, or of file names and sizes for folders: recorded in config.toml.
  virtual std::string hash() const = 0;
  // Sets that stand side by side without belonging together, each to be drawn in an order of its own; none for a set
  // that is one. Columns of the domain "a" are "a.image", ... here, and row i is a row of each. In the test subset they
  // may be known to belong together: "a.truth" is then what a.image is in the other domain.
  virtual std::vector<Domain> domains() const { return {}; }
  // What its points are drawn from, where that is known.
  virtual std::optional<Mixture> mixture() const { return {}; }

  // ---- of the first column, and of the column "label" ----
  Shape sample() const { return columns().front().sample; }
  void read(int64_t i, float* out) const;
  int64_t classes() const;  // 0: no labels
  int64_t label(int64_t i) const;
  const std::string& class_name(int64_t c) const;
};
using DataSetPtr = std::shared_ptr<const DataSet>;

struct Domain {
  std::string name;  // "a": its columns are "a.image", ... in batches; "" where there is but one
  DataSetPtr data;
};

enum class Subset : uint8_t { train, test };

// How images are brought to one size: the middle of that shape cut out (crop), all of it on black (pad), or pulled into
// shape (stretch).
enum class Fit : uint8_t { crop, pad, stretch };

// How a data set is opened. Sets of points have no size.
struct DataOptions {
  int64_t height = 0, width = 0;  // of the images asked for; 0: as they are
  Fit fit = Fit::crop;
  // Every file is read once, so that a broken one is found now and not in the middle of a training: DataError, or, with
  // skip_broken, left out. `ticker` is told how far that is.
  bool check = false, skip_broken = false;
  std::function<void(int64_t done, int64_t total)> ticker = {};
  std::vector<std::string> leave_out = {};  // files that are known to be broken

  DataOptions(int64_t side = 0) : height(side), width(side) {}  // NOLINT: a number alone is a square
};
// As a run's settings say: size, fit, and files left out, "a.jpg//b/c.jpg". UsageError for a size that is none.
DataOptions data_options(const Settings& settings);

struct DataSource {
  std::string name;                                      // what a spec begins with
  std::string help;                                      // one line: the spec and what it is
  std::vector<std::string> gives;                        // the columns of its rows, as far as they have them
  std::function<bool(const std::string& spec)> accepts;  // whether the spec is this source's
  // 28-pixel sets are padded to 32 with the background, larger sizes are bilinear resizes.
  std::function<DataSetPtr(const std::string& spec, const DataOptions& options, Subset subset)> open;
  // The spec with f(path) in place of each path in it; empty where there are none.
  using OnPath = std::function<std::string(const std::string& path)>;
  std::function<std::string(const std::string& spec, const OnPath& f)> map_paths = {};
};
struct RegisterDataSource {
  explicit RegisterDataSource(DataSource source);
};
const std::vector<DataSource>& data_sources();  // sorted by name
// UsageError for an unknown spec (lists what there is), DataError when the files are missing or broken.
DataSetPtr open_data(const std::string& spec, const DataOptions& options = {}, Subset subset = Subset::train);

// The images of one column ("target"; of a domain, "b.image") as a set of their own, {"image"} and {"label"} where they
// have labels. UsageError when there is no such column, or it holds no images.
DataSetPtr images_of(const DataSetPtr& data, const std::string& column);

// Rows first ... first + rows - 1, of these columns; of all where none are named.
Batch read_rows(const DataSet& data, int64_t first, int64_t rows, const std::vector<std::string>& columns = {});
// These rows, in this order.
Batch read_rows(const DataSet& data, std::span<const int64_t> rows, const std::vector<std::string>& columns = {});

// DataError unless these columns, where both sets have them, count the same words: those of held-out rows are told by
// the same numbers.
void require_same_words(const DataSet& train, const DataSet& held_out, const std::vector<std::string>& columns);

bool is_data_name(const std::string& word);  // "fashion-mnist": a folder of that name is "./fashion-mnist"
// The spec with f(path) in place of each path in it; of a spec within a spec, too.
std::string map_paths(const std::string& spec, const DataSource::OnPath& f);
std::string absolute_spec(const std::string& spec);          // every path in it made absolute
std::vector<std::string> paths_in(const std::string& spec);  // as they stand in it

// Batches of a data set in an order that is a pure function of (seed, epoch): its whole state is the number of rows
// drawn, which a checkpoint holds. Where the set consists of domains, each has such an order of its own. A thread reads
// ahead. The last rows of an epoch that do not fill a batch are followed by the first ones of the next.
class Loader {
 public:
  // prefetch: batches read ahead, at least 1. Of each batch a process of several reads the `part`-th of `parts` equal
  // pieces. UsageError when batch is more than a domain has.
  Loader(DataSetPtr data, int64_t batch, uint64_t seed, uint64_t drawn = 0, int prefetch = 4, int64_t part = 0,
         int64_t parts = 1);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  Batch next();                              // rethrows an error of the reading thread, now and on every later call
  uint64_t drawn() const { return drawn_; }  // rows handed out, by all processes; read-ahead not counted
  const DataSet& data() const { return *data_; }

 private:
  struct Ready;
  void read_ahead(uint64_t position);
  DataSetPtr data_;
  int64_t batch_, part_, parts_;
  uint64_t seed_, drawn_;
  size_t prefetch_;
  std::vector<std::unique_ptr<Ready>> queue_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace forger::gan
