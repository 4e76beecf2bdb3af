// The loader: sample number n of a run is
//
//   epoch = n / count,   order = permutation drawn from (seed, epoch),   sample = order[n % count]
//
// so the n that comes next is all there is to remember. A thread makes batches ahead of their use; how far ahead
// changes nothing but the waiting.
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
  Order(int64_t count, uint64_t seed) : count_(static_cast<uint64_t>(count)), seed_(seed) {}

  int64_t sample(uint64_t position) {
    const uint64_t epoch = position / count_;
    if (order_.empty() || epoch != epoch_) {
      order_ = Random(seed_, first_stream + epoch).permutation(static_cast<int64_t>(count_));
      epoch_ = epoch;
    }
    return order_[position % count_];
  }

 private:
  uint64_t count_, seed_, epoch_ = 0;
  std::vector<int64_t> order_;
};

Shape batched(int64_t batch, const Shape& sample) {
  std::vector<int64_t> sizes{batch};
  sizes.insert(sizes.end(), sample.begin(), sample.end());
  return Shape(sizes);
}

Loader::Batch read_batch(const DataSet& data, int64_t batch, uint64_t position, Order& order) {
  const Shape sample = data.sample();
  Loader::Batch result{Tensor(batched(batch, sample), DType::f32), {}};
  if (data.classes() > 0) result.labels = Tensor({batch}, DType::i64);
  for (int64_t b = 0; b < batch; b++) {
    const int64_t i = order.sample(position + static_cast<uint64_t>(b));
    data.read(i, result.images.data<float>() + b * sample.numel());
    if (result.labels.defined()) result.labels.data<int64_t>()[b] = data.label(i);
  }
  return result;
}

}  // namespace

struct Loader::Ready {
  Batch batch;
  std::exception_ptr error;
};

Loader::Loader(DataSetPtr data, int64_t batch, uint64_t seed, uint64_t drawn, int prefetch)
    : data_(std::move(data)), batch_(batch), seed_(seed), drawn_(drawn), prefetch_(static_cast<size_t>(prefetch)) {
  check<UsageError>(batch >= 1 && batch <= data_->count(), "--batch ", batch, " needs at least as many samples, ",
                    data_->name(), " has ", data_->count());
  check<UsageError>(prefetch >= 1, "the loader reads at least one batch ahead, not ", prefetch);
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
  Order order(data_->count(), seed_);
  for (;; position += static_cast<uint64_t>(batch_)) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || queue_.size() < prefetch_; });
      if (stop_) return;
    }
    auto ready = std::make_unique<Ready>();
    try {
      ready->batch = read_batch(*data_, batch_, position, order);
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

Loader::Batch Loader::next() {
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
