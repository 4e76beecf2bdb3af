// The loader: row number n of a run is, in each domain,
//
//   epoch = n / count,   order = permutation drawn from (seed, domain, epoch),   row = order[n % count]
//
// so the n that comes next is all there is to remember. A thread makes batches ahead of their use; how far ahead
// changes nothing but the waiting.
#include <algorithm>
#include <exception>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "gan/data.h"

namespace forger::gan {
namespace {

// Streams of one seed are independent; these stay clear of the few that training itself draws from.
constexpr uint64_t first_stream = uint64_t{1} << 32;

class Order {
 public:
  Order(int64_t count, uint64_t seed, uint64_t stream)
      : count_(static_cast<uint64_t>(count)), seed_(seed), stream_(stream) {}

  int64_t row(uint64_t position) {
    const uint64_t epoch = position / count_;
    if (order_.empty() || epoch != epoch_) {
      order_ = Random(seed_, stream_ + epoch).permutation(static_cast<int64_t>(count_));
      epoch_ = epoch;
    }
    return order_[position % count_];
  }

 private:
  uint64_t count_, seed_, stream_, epoch_ = 0;
  std::vector<int64_t> order_;
};

// Tensors for rows of a set, of all columns or of those named, and where each row of them lies.
class Rows {
 public:
  Rows(const DataSet& data, int64_t rows, const std::string& prefix, const std::vector<std::string>& wanted,
       Batch& into)
      : data_(data) {
    for (const Column& column : data.columns()) {
      first_.push_back(nullptr);
      row_bytes_.push_back(static_cast<size_t>(column.sample.numel()) * size_of(column.dtype));
      if (!wanted.empty() && std::ranges::find(wanted, column.name) == wanted.end()) continue;
      const Tensor tensor = empty_rows(column, rows);
      first_.back() = static_cast<std::byte*>(tensor.storage()->data());
      into.add(prefix + column.name, tensor);
    }
  }
  void read(int64_t row, int64_t at) const {
    std::vector<void*> cells;
    for (size_t k = 0; k < first_.size(); k++)
      cells.push_back(first_[k] ? first_[k] + static_cast<size_t>(at) * row_bytes_[k] : nullptr);
    data_.read_row(row, cells);
  }

 private:
  const DataSet& data_;
  std::vector<std::byte*> first_;  // of the columns that are wanted
  std::vector<size_t> row_bytes_;
};

// A domain on its way into batches.
struct Source {
  Domain domain;
  Order order;

  void read(int64_t rows, uint64_t position, Batch& into) {
    const Rows tensors(*domain.data, rows, domain.name.empty() ? "" : domain.name + ".", {}, into);
    for (int64_t i = 0; i < rows; i++) tensors.read(order.row(position + static_cast<uint64_t>(i)), i);
  }
};

std::vector<Domain> domains_of(const DataSetPtr& data) {
  std::vector<Domain> domains = data->domains();
  if (domains.empty()) domains.push_back({"", data});
  return domains;
}

}  // namespace

Batch read_rows(const DataSet& data, int64_t first, int64_t rows, const std::vector<std::string>& columns) {
  Batch batch;
  const Rows tensors(data, rows, "", columns, batch);
  for (int64_t i = 0; i < rows; i++) tensors.read(first + i, i);
  return batch;
}

Batch read_rows(const DataSet& data, std::span<const int64_t> rows, const std::vector<std::string>& columns) {
  Batch batch;
  const Rows tensors(data, std::ssize(rows), "", columns, batch);
  for (int64_t i = 0; i < std::ssize(rows); i++) tensors.read(rows[static_cast<size_t>(i)], i);
  return batch;
}

struct Loader::Ready {
  Batch batch;
  std::exception_ptr error;
};

Loader::Loader(DataSetPtr data, int64_t batch, uint64_t seed, uint64_t drawn, int prefetch, int64_t part, int64_t parts)
    : data_(std::move(data)),
      batch_(batch),
      part_(part),
      parts_(parts),
      seed_(seed),
      drawn_(drawn),
      prefetch_(static_cast<size_t>(prefetch)) {
  for (const Domain& domain : domains_of(data_)) {
    check<UsageError>(batch >= 1 && batch <= domain.data->count(), "--batch ", batch,
                      " needs at least as many samples, ", domain.data->name(), " has ", domain.data->count());
  }
  check<UsageError>(prefetch >= 1, "the loader reads at least one batch ahead, not ", prefetch);
  check<UsageError>(batch % parts == 0, "--batch ", batch, " cannot be dealt out to ", parts, " processes evenly");
  thread_ = std::thread([this, drawn] { read_ahead(drawn); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Loader::read_ahead(uint64_t position) {
  const int64_t mine = batch_ / parts_;
  std::vector<Source> sources;
  for (const Domain& domain : domains_of(data_)) {
    const uint64_t stream = first_stream * (sources.size() + 1);
    sources.push_back({domain, Order(domain.data->count(), seed_, stream)});
  }
  for (;; position += static_cast<uint64_t>(batch_)) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || queue_.size() < prefetch_; });
      if (stop_) return;
    }
    auto ready = std::make_unique<Ready>();
    try {
      for (Source& source : sources) source.read(mine, position + static_cast<uint64_t>(part_ * mine), ready->batch);
    } catch (...) {
      ready->error = std::current_exception();
    }
    const bool failed = ready->error != nullptr;
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(ready));
    }
    changed_.notify_all();
    if (failed) return;
  }
}

Batch Loader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !queue_.empty(); });
  if (queue_.front()->error) std::rethrow_exception(queue_.front()->error);
  Batch batch = std::move(queue_.front()->batch);
  queue_.erase(queue_.begin());
  drawn_ += static_cast<uint64_t>(batch_);
  lock.unlock();
  changed_.notify_all();
  return batch;
}

}  // namespace forger::gan
