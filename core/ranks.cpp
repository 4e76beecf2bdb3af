#include "core/ranks.h"

#include <cstdlib>
#include <cstring>

#include "core/autograd.h"
#include "core/device.h"
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

}  // namespace

void Ranks::join() {
  if (started_by_mpirun() < 2) return;
  int provided = 0, rank = 0, count = 1;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &count);
  my_rank = rank, rank_count = count;
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
  Tensor y = clone(to(x.detach(), Device::cpu));
  MPI_Allreduce(MPI_IN_PLACE, y.storage()->data(), static_cast<int>(y.numel()), type_of(y.dtype()), MPI_SUM,
                MPI_COMM_WORLD);
  {
    const NoGrad no_grad;
    y = y * (1.0 / static_cast<double>(rank_count));
  }
  return record("rank_mean", to(y, x.device()), {x},
                [](const Incoming& in) { return std::vector<Tensor>{rank_mean(in.gy)}; });
}

struct Averaging::Bucket {
  DType dtype = DType::f32;
  std::vector<std::byte> values;
  struct Part {
    size_t index, begin, bytes;
  };
  std::vector<Part> parts;
  MPI_Request request = MPI_REQUEST_NULL;
  bool sent = false;
};

void Averaging::add(size_t index, const Tensor& gradient) {
  constexpr size_t enough = size_t{1} << 20;
  const bool fits = !buckets_.empty() && !buckets_.back()->sent && buckets_.back()->dtype == gradient.dtype();
  if (!fits) {
    send();
    buckets_.push_back(std::make_unique<Bucket>());
    buckets_.back()->dtype = gradient.dtype();
  }
  Bucket& bucket = *buckets_.back();
  const Tensor here = to(gradient.detach(), Device::cpu);
  const size_t begin = bucket.values.size(), bytes = static_cast<size_t>(here.numel()) * size_of(here.dtype());
  bucket.values.resize(begin + bytes);
  std::memcpy(bucket.values.data() + begin, here.storage()->data(), bytes);
  bucket.parts.push_back({index, begin, bytes});
  averaged += bytes;
  if (bucket.values.size() >= enough) send();
}

void Averaging::send() {
  if (buckets_.empty() || buckets_.back()->sent) return;
  Bucket& bucket = *buckets_.back();
  MPI_Iallreduce(MPI_IN_PLACE, bucket.values.data(), static_cast<int>(bucket.values.size() / size_of(bucket.dtype)),
                 type_of(bucket.dtype), MPI_SUM, MPI_COMM_WORLD, &bucket.request);
  bucket.sent = true;
}

void Averaging::finish(std::span<const Tensor> into) {
  send();
  const NoGrad no_grad;
  for (const auto& bucket : buckets_) {
    MPI_Wait(&bucket->request, MPI_STATUS_IGNORE);
    for (const Bucket::Part& part : bucket->parts) {
      const Tensor& tensor = into[part.index];
      const Tensor sum(tensor.shape(), bucket->dtype);
      std::memcpy(sum.storage()->data(), bucket->values.data() + part.begin, part.bytes);
      copy_into(tensor, sum * (1.0 / static_cast<double>(rank_count)), "rank_mean");
    }
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
