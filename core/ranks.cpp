#include "core/ranks.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "core/autograd.h"
#include "core/dispatch.h"
#include "core/error.h"
#include "core/ops.h"

#ifdef FORGER_MPI
#include <mpi.h>
#endif

namespace forger {
namespace {

int64_t my_rank = 0, rank_count = 1;
uint64_t averaged = 0;

// What Open MPI's and MPICH's starters tell their processes.
int64_t started_by_mpirun() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (const char* size = std::getenv(name)) return std::strtol(size, nullptr, 10);
  return 1;
}

}  // namespace

int64_t Ranks::rank() { return my_rank; }
int64_t Ranks::count() { return rank_count; }
uint64_t Ranks::bytes_averaged() { return averaged; }

#ifdef FORGER_MPI

namespace {

MPI_Datatype type_of(DType dtype) { return dtype == DType::f32 ? MPI_FLOAT : MPI_DOUBLE; }

// Of a GPU, by which its processes sum without a way through the hosts' memory.
kernels::Collective& collective(Device device) {
  static std::map<Device, std::unique_ptr<kernels::Collective>>& known =
      *new std::map<Device, std::unique_ptr<kernels::Collective>>;  // used until the process ends
  std::unique_ptr<kernels::Collective>& one = known[device];
  if (!one) {
    kernels::CollectiveKey key{};
    if (my_rank == 0) key = kernels::runtime(device).collective_key();
    MPI_Bcast(key.data(), static_cast<int>(key.size()), MPI_BYTE, 0, MPI_COMM_WORLD);
    one = kernels::runtime(device).join(key, static_cast<int>(my_rank), static_cast<int>(rank_count));
  }
  return *one;
}

// The sums of all ranks' values, into their place: begun by send(), there after wait().
class Sums {
 public:
  explicit Sums(Tensor values) : values_(std::move(values)) {}

  void send(int64_t n) {
    if (values_.device() == Device::cpu) {
      MPI_Iallreduce(MPI_IN_PLACE, values_.storage()->data(), static_cast<int>(n), type_of(values_.dtype()), MPI_SUM,
                     MPI_COMM_WORLD, &request_);
      return;
    }
    dispatch(values_, [&]<class K>() { collective(values_.device()).sum(values_.data<typename K::Scalar>(), n); });
  }
  void wait() {
    values_.device() == Device::cpu ? void(MPI_Wait(&request_, MPI_STATUS_IGNORE))
                                    : collective(values_.device()).wait();
  }
  const Tensor& values() const { return values_; }

 private:
  Tensor values_;
  MPI_Request request_ = MPI_REQUEST_NULL;
};

// n numbers of a tensor's memory, from one place to another.
void copy_numbers(const Tensor& from, int64_t begin_from, const Tensor& to, int64_t begin_to, int64_t n) {
  dispatch(to, [&]<class K>() {
    using T = typename K::Scalar;
    K::copy(n, from.data<T>() + begin_from, to.write<T>("rank_mean") + begin_to);
  });
}

}  // namespace

void Ranks::join() {
  if (started_by_mpirun() < 2) return;
  int provided = 0, rank = 0, count = 1;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &count);
  my_rank = rank, rank_count = count;
  MPI_Comm host;
  int of_host = 0;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &host);
  MPI_Comm_rank(host, &of_host);
  MPI_Comm_free(&host);
  kernels::choose_card(of_host);
  std::atexit([] {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized == 0) MPI_Finalize();
  });
}

void Ranks::meet() {
  if (rank_count > 1) MPI_Barrier(MPI_COMM_WORLD);
}

bool Ranks::any(bool of_me) {
  if (rank_count == 1) return of_me;
  int mine = of_me, all = 0;
  MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_LOR, MPI_COMM_WORLD);
  return all != 0;
}

void Ranks::end_all(int code) {
  if (rank_count > 1) MPI_Abort(MPI_COMM_WORLD, code);
  std::exit(code);
}

Tensor rank_mean(const Tensor& x) {
  if (rank_count == 1) return x;
  Tensor mean;
  {
    const NoGrad no_grad;
    Sums sums(clone(x.detach()));
    sums.send(x.numel());
    sums.wait();
    mean = sums.values() * (1.0 / static_cast<double>(rank_count));
  }
  return record("rank_mean", mean, {x}, [](const Incoming& in) { return std::vector<Tensor>{rank_mean(in.gy)}; });
}

struct Averaging::Bucket {
  Bucket(int64_t room, DType dtype, Device device) : sums(Tensor({room}, dtype, device)) {}
  Sums sums;
  struct Part {
    size_t index;
    int64_t begin, count;
  };
  std::vector<Part> parts;
  int64_t filled = 0;  // numbers
  bool sent = false;
};

void Averaging::add(size_t index, const Tensor& gradient) {
  const int64_t count = gradient.numel(), size = static_cast<int64_t>(size_of(gradient.dtype())),
                enough = (1 << 20) / size;
  const auto fits = [&](const Bucket& bucket) {
    const Tensor& values = bucket.sums.values();
    return !bucket.sent && values.dtype() == gradient.dtype() && values.device() == gradient.device() &&
           bucket.filled + count <= values.numel();
  };
  if (buckets_.empty() || !fits(*buckets_.back())) {
    send();
    buckets_.push_back(std::make_unique<Bucket>(std::max(count, enough), gradient.dtype(), gradient.device()));
  }
  Bucket& bucket = *buckets_.back();
  copy_numbers(gradient, 0, bucket.sums.values(), bucket.filled, count);
  bucket.parts.push_back({index, bucket.filled, count});
  bucket.filled += count;
  averaged += static_cast<uint64_t>(count * size);
  if (bucket.filled >= enough) send();
}

void Averaging::send() {
  if (buckets_.empty() || buckets_.back()->sent) return;
  Bucket& bucket = *buckets_.back();
  bucket.sums.send(bucket.filled);
  bucket.sent = true;
}

void Averaging::finish(std::span<const Tensor> into) {
  send();
  const NoGrad no_grad;
  for (const auto& bucket : buckets_) {
    bucket->sums.wait();
    const Tensor means = slice(bucket->sums.values(), 0, 0, bucket->filled) * (1.0 / static_cast<double>(rank_count));
    for (const Bucket::Part& part : bucket->parts) copy_numbers(means, part.begin, into[part.index], 0, part.count);
  }
  buckets_.clear();
}

#else

void Ranks::join() {
  check<Error>(started_by_mpirun() < 2,
               "this build of Forger knows no MPI: install it with: apt-get install libopenmpi-dev, and build again");
}
void Ranks::meet() {}
bool Ranks::any(bool of_me) { return of_me; }
void Ranks::end_all(int code) { std::exit(code); }
Tensor rank_mean(const Tensor& x) { return x; }
struct Averaging::Bucket {};
void Averaging::add(size_t, const Tensor&) {}
void Averaging::send() {}
void Averaging::finish(std::span<const Tensor>) {}

#endif

Averaging::Averaging() = default;
Averaging::~Averaging() = default;

}  // namespace forger
