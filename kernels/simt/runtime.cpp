#include "kernels/simt/runtime.h"

#include <sys/mman.h>

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <numeric>
#include <random>
#include <sstream>
#include <utility>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/simt/state.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(begin, size) ((void)(begin), (void)(size))
#endif

namespace forger::simt {

namespace {

using boost::context::fiber;

// ---- fibers: a stack that runs one CUDA thread after another ----

constexpr size_t stack_bytes = 128 * 1024;
constexpr size_t page = 4096;

struct Body {  // of every thread
  void (*thread)(void*);
  void* data;
};

struct StackAllocator {  // the Worker owns the memory
  boost::context::stack_context stack;
  boost::context::stack_context allocate() { return stack; }
  void deallocate(boost::context::stack_context&) {}
};

class Worker {
 public:
  Worker() {
    void* memory =
        mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mprotect(memory, page, PROT_NONE);  // a kernel that overflows its stack crashes instead of writing elsewhere
    low_ = static_cast<char*>(memory) + page;
    restart();
  }

  // Begins anew on the same stack. What was suspended there is forgotten: device code has nothing to destroy.
  void restart() {
    ASAN_UNPOISON_MEMORY_REGION(low_, stack_bytes);
    StackAllocator allocator;
    allocator.stack.sp = low_ + stack_bytes;
    allocator.stack.size = stack_bytes;
    const boost::context::preallocated place(allocator.stack.sp, allocator.stack.size, allocator.stack);
    new (&memory_) fiber(std::allocator_arg, place, allocator, [this](fiber&& caller) {
      caller_ = std::move(caller);
      for (;;) {
        body_->thread(body_->data);
        idle_ = true;
        caller_ = std::move(caller_).resume();
      }
      return std::move(caller_);
    });
  }

  // Runs `body`, or goes on with it, until it suspends or ends; true when it ended.
  bool resume(const Body& body) {
    body_ = &body;
    idle_ = false;
    self() = std::move(self()).resume();
    return idle_;
  }
  void suspend() { caller_ = std::move(caller_).resume(); }

  uintptr_t low() const { return reinterpret_cast<uintptr_t>(low_); }

 private:
  fiber& self() { return *std::launder(reinterpret_cast<fiber*>(&memory_)); }

  char* low_ = nullptr;
  alignas(fiber) unsigned char memory_[sizeof(fiber)];  // a fiber whose destructor is never run
  fiber caller_;
  const Body* body_ = nullptr;
  bool idle_ = false;
};

// ---- a block ----

enum class Status : uint8_t { fresh, ready, at_block_barrier, at_warp_operation, done };

struct Copy {
  void* shared;
  const void* source;
  int bytes;
  int group;
};

struct Thread {
  Index3 index;
  Status status = Status::fresh;
  Worker* worker = nullptr;
  Where where{};  // of the wait
  int predicate = 0, result = 0;
  std::vector<Copy> copies;  // under way, oldest first
  int groups = 0;            // of copies, committed so far: the number of the one that is open
};

struct WarpOperation {  // in progress
  const char* name;
  unsigned mask, arrived;
  Where where;
  void (*finish)(void* const (&lanes)[32]);
  void* lanes[32];
};

struct Warp {
  std::vector<WarpOperation> operations;
  unsigned alive = 0;
};

std::string at(const Where& where) {
  const char* slash = std::strrchr(where.file_name(), '/');
  std::ostringstream out;
  out << (slash ? slash + 1 : where.file_name()) << ":" << where.line();
  return out.str();
}

std::string spell(const Index3& i) {
  std::ostringstream out;
  out << "(" << i.x << "," << i.y << "," << i.z << ")";
  return out.str();
}

std::map<std::string, Traffic, std::less<>>& traffic_table() {
  static std::map<std::string, Traffic, std::less<>> table;
  return table;
}

void add_traffic(const Launch& launch, Traffic more) {
  more.launches = 1;
  more.operations = launch.operations;
  more.block_threads = launch.block.x * launch.block.y * launch.block.z;
  more.dynamic_shared = launch.shared_bytes;
  auto& table = traffic_table();
  auto found = table.find(launch.kernel);
  if (found == table.end()) found = table.emplace(std::string(launch.kernel), Traffic{}).first;
  add(found->second, more);
}

class Scheduler {
 public:
  void run(const Launch& launch, const Body& body) {
    if (running_) throw DeviceError("simt: a kernel started a kernel, or two host threads share the device");
    check_limits(launch);
    launch_ = &launch;
    body_ = &body;
    running_ = true;
    message_.clear();
    const OpenMemory open;
    machine().begin_launch(launch.shared_bytes);
    place_threads();
    std::vector<uint64_t> blocks(uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z);
    std::iota(blocks.begin(), blocks.end(), uint64_t{0});
    std::shuffle(blocks.begin(), blocks.end(), order_);
    for (size_t i = 0; i < blocks.size() && message_.empty() && !machine().profiled_enough(); i++) run_block(blocks[i]);
    if (!message_.empty()) abandon();
    running_ = false;
    add_traffic(launch, machine().take_traffic(blocks.size()));
    if (!message_.empty()) throw DeviceError(message_);
  }

  void set_seed(uint64_t seed) { order_.seed(static_cast<std::mt19937::result_type>(seed)); }

  const Launch& launch() const { return *launch_; }
  const Index3& block() const { return block_; }
  const Index3& thread() const { return threads_[current_].index; }

  int block_barrier(Vote vote, int predicate, Where where) {
    Thread& me = threads_[current_];
    me.status = Status::at_block_barrier;
    me.where = where;
    me.predicate = predicate;
    vote_ = vote;
    waiting_++;
    pass_block_barrier();
    if (me.status == Status::at_block_barrier) suspend();
    return me.result;
  }

  void warp_operation(const char* name, unsigned mask, void* data, void (*finish)(void* const (&)[32]), Where where) {
    Thread& me = threads_[current_];
    Warp& warp = warps_[current_ / 32];
    const unsigned lane = static_cast<unsigned>(current_ % 32), bit = 1u << lane;
    if (!(mask & bit)) fault_at(where, std::string(name) + " with a mask that leaves out the calling lane");
    auto found = std::find_if(warp.operations.begin(), warp.operations.end(),
                              [&](const WarpOperation& o) { return (o.mask & mask) != 0; });
    if (found == warp.operations.end()) {
      warp.operations.push_back({name, mask, 0, where, finish, {}});
      found = warp.operations.end() - 1;
    }
    if (found->mask != mask || found->finish != finish || found->where.line() != where.line()) {
      fault_at(where, std::string(name) + " while other lanes of its mask are at " + found->name + " (" +
                          at(found->where) + ")" + (found->mask != mask ? " with another mask" : ""));
    }
    found->arrived |= bit;
    found->lanes[lane] = data;
    me.status = Status::at_warp_operation;
    me.where = where;
    pass_warp_operations(current_ / 32);
    if (me.status == Status::at_warp_operation) suspend();
  }

  [[noreturn]] void fault(const std::string& what) {
    message_ = "simt: kernel " + std::string(launch_->kernel) + ", block " + spell(block_) + ", thread " +
               spell(threads_[current_].index) + ": " + what;
    if (!in_thread_) throw Found{};                 // on the scheduler's own stack
    for (;;) threads_[current_].worker->suspend();  // never resumed
  }
  [[noreturn]] void fault_at(Where where, const std::string& what) { fault(what + " (" + at(where) + ")"); }

  void copy_async(void* shared, const void* source, int bytes, const void* place, Where where) {
    const auto mask = static_cast<uintptr_t>(bytes) - 1;
    if ((reinterpret_cast<uintptr_t>(shared) & mask) || (reinterpret_cast<uintptr_t>(source) & mask)) {
      fault_at(where, "cp.async of " + std::to_string(bytes) + " bytes between addresses not aligned to them");
    }
    if (source) machine().touch(source, static_cast<size_t>(bytes), Access::read, place);
    machine().mark_pending(shared, static_cast<size_t>(bytes), place);
    threads_[current_].copies.push_back({shared, source, bytes, threads_[current_].groups});
  }
  void commit_async() { threads_[current_].groups++; }
  void wait_async(int pending) {
    Thread& me = threads_[current_];
    auto copy = me.copies.begin();
    for (; copy != me.copies.end() && copy->group < me.groups - pending; ++copy) {
      machine().land(copy->shared, static_cast<size_t>(copy->bytes));
      if (copy->source) {
        std::memcpy(copy->shared, copy->source, static_cast<size_t>(copy->bytes));
      } else {
        std::memset(copy->shared, 0, static_cast<size_t>(copy->bytes));
      }
    }
    me.copies.erase(me.copies.begin(), copy);
  }

 private:
  struct Found {};  // a fault outside any fiber; message_ tells it

  static void check_limits(const Launch& l) {
    const uint64_t threads = uint64_t{l.block.x} * l.block.y * l.block.z;
    const bool fits = threads >= 1 && threads <= 1024 && l.block.z <= 64 && l.grid.x <= 0x7fffffffu &&
                      l.grid.y <= 65535 && l.grid.z <= 65535 && l.shared_bytes <= max_shared_bytes;
    if (!fits) {
      throw DeviceError("simt: kernel " + std::string(l.kernel) + ": grid " + spell(l.grid) + " of blocks " +
                        spell(l.block) + " with " + std::to_string(l.shared_bytes) +
                        " bytes of shared memory is more than a CUDA device takes");
    }
  }

  // The threads of every block of this launch.
  void place_threads() {
    const Index3& size = launch_->block;
    threads_.resize(size_t{size.x} * size.y * size.z);
    auto t = threads_.begin();
    for (unsigned z = 0; z < size.z; z++)
      for (unsigned y = 0; y < size.y; y++)
        for (unsigned x = 0; x < size.x; x++, ++t) t->index = {x, y, z};
    warps_.resize((threads_.size() + 31) / 32);
    turns_.resize(threads_.size());
    std::iota(turns_.begin(), turns_.end(), 0u);
  }

  void run_block(uint64_t number) {
    const Index3& grid = launch_->grid;
    block_ = {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
              static_cast<unsigned>(number / grid.x / grid.y)};
    const size_t count = threads_.size();
    for (Thread& t : threads_) {
      t.status = Status::fresh;
      t.copies.clear();
      t.groups = 0;
    }
    for (size_t w = 0; w < warps_.size(); w++) {
      const size_t lanes = std::min<size_t>(32, count - 32 * w);
      warps_[w].alive = lanes == 32 ? ~0u : (1u << lanes) - 1;
      warps_[w].operations.clear();
    }
    waiting_ = exited_ = 0;
    machine().begin_block(warps_.size());

    while (exited_ < count && message_.empty()) {
      std::shuffle(turns_.begin(), turns_.end(), order_);
      bool progress = false;
      for (const uint32_t i : turns_) {
        const Status status = threads_[i].status;
        if (status != Status::fresh && status != Status::ready) continue;
        progress = true;
        step(i);
        if (!message_.empty()) break;
      }
      if (!progress) report_deadlock();
    }
  }

  void step(size_t i) {
    Thread& t = threads_[i];
    if (t.status == Status::fresh) t.worker = idle_worker();
    t.status = Status::ready;
    current_ = i;
    machine().begin_thread(static_cast<unsigned>(i), t.worker->low(), stack_bytes);
    in_thread_ = true;
    const bool ended = t.worker->resume(*body_);
    in_thread_ = false;
    machine().watch(false);
    if (!ended || !message_.empty()) return;
    idle_.push_back(std::exchange(t.worker, nullptr));
    t.status = Status::done;
    exited_++;
    Warp& warp = warps_[i / 32];
    warp.alive &= ~(1u << i % 32);
    try {
      pass_warp_operations(i / 32);
    } catch (const Found&) {
      return;
    }
    if (waiting_ + exited_ == threads_.size() && waiting_ > 0) report_deadlock();
  }

  void suspend() { threads_[current_].worker->suspend(); }

  // Lets the block go on when every thread waits at the same barrier.
  void pass_block_barrier() {
    if (waiting_ < threads_.size()) return;
    int votes = 0;
    for (const Thread& t : threads_) {
      votes += t.predicate != 0;
      if (t.where.line() != threads_[0].where.line() || t.where.file_name() != threads_[0].where.file_name()) {
        fault_at(t.where, "barrier divergence: other threads of the block wait at " + at(threads_[0].where));
      }
    }
    const int all = votes == static_cast<int>(threads_.size());
    const int result = vote_ == Vote::count ? votes : vote_ == Vote::all ? all : votes > 0;
    for (Thread& t : threads_) {
      t.result = result;
      t.status = Status::ready;
    }
    waiting_ = 0;
    machine().pass_block_barrier();
  }

  void pass_warp_operations(size_t w) {
    Warp& warp = warps_[w];
    for (size_t i = 0; i < warp.operations.size();) {
      const WarpOperation o = warp.operations[i];
      if ((o.mask & warp.alive) != o.arrived) {
        i++;
        continue;
      }
      warp.operations.erase(warp.operations.begin() + static_cast<ptrdiff_t>(i));
      if (o.finish) {
        o.finish(o.lanes);  // moves values between the threads' stacks; nothing is watched meanwhile
      } else {
        machine().pass_warp_barrier(w);
      }
      for (size_t lane = 0; lane < 32; lane++)
        if (o.arrived >> lane & 1) threads_[32 * w + lane].status = Status::ready;
    }
  }

  // Nobody can run: the first thread that waits is named, with what it waits for and who will not come.
  void report_deadlock() {
    const auto stuck = std::find_if(threads_.begin(), threads_.end(), [](const Thread& t) {
      return t.status == Status::at_block_barrier || t.status == Status::at_warp_operation;
    });
    current_ = static_cast<size_t>(stuck - threads_.begin());
    const auto other = std::find_if(threads_.begin(), threads_.end(), [&](const Thread& t) {
      return t.status != stuck->status || t.where.line() != stuck->where.line();
    });
    std::string what = stuck->status == Status::at_block_barrier
                           ? "barrier divergence: waits at " + at(stuck->where)
                           : "waits at " + at(stuck->where) + " for lanes of its mask that never come";
    if (other != threads_.end()) {
      what += ", thread " + spell(other->index) +
              (other->status == Status::done ? " has ended" : " waits at " + at(other->where));
    }
    message_ = "simt: kernel " + std::string(launch_->kernel) + ", block " + spell(block_) + ", thread " +
               spell(stuck->index) + ": " + what;
  }

  Worker* idle_worker() {
    if (idle_.empty()) {
      workers_.push_back(std::make_unique<Worker>());
      idle_.push_back(workers_.back().get());
    }
    Worker* worker = idle_.back();
    idle_.pop_back();
    return worker;
  }

  // After a fault: the stacks of threads that were under way are taken back.
  void abandon() {
    for (Thread& t : threads_) {
      if (!t.worker) continue;
      t.worker->restart();
      idle_.push_back(std::exchange(t.worker, nullptr));
    }
  }

  const Launch* launch_ = nullptr;
  const Body* body_ = nullptr;
  Index3 block_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<uint32_t> turns_;  // the threads in the order of this round
  size_t current_ = 0, waiting_ = 0, exited_ = 0;
  Vote vote_ = Vote::none;
  bool running_ = false, in_thread_ = false;
  std::string message_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;
  std::mt19937 order_{[] {
    const char* seed = std::getenv("FORGER_SIMT_SEED");
    return seed ? static_cast<std::mt19937::result_type>(std::strtoul(seed, nullptr, 10)) : 0u;
  }()};
};

Scheduler& scheduler() {
  static Scheduler& one = *new Scheduler;
  return one;
}

}  // namespace

void run(const Launch& launch, void (*thread)(void*), void* data) { scheduler().run(launch, {thread, data}); }
void set_seed(uint64_t seed) { scheduler().set_seed(seed); }

namespace {

int& multiprocessor_count() {
  static int count = [] {
    const char* const wish = std::getenv("FORGER_SIMT_MULTIPROCESSORS");
    const long value = wish ? std::strtol(wish, nullptr, 10) : 4;
    if (value < 1 || value > 1024)
      throw DeviceError(std::string("FORGER_SIMT_MULTIPROCESSORS must be 1 to 1024, got '") + wish + "'");
    return static_cast<int>(value);
  }();
  return count;
}

}  // namespace

int multiprocessors() { return multiprocessor_count(); }
void set_multiprocessors(int count) { multiprocessor_count() = count; }

Index3 thread_index() { return scheduler().thread(); }
Index3 block_index() { return scheduler().block(); }
Index3 block_dim() { return scheduler().launch().block; }
Index3 grid_dim() { return scheduler().launch().grid; }
void* dynamic_shared() { return machine().dynamic_shared(); }

int block_barrier(Vote vote, int predicate, Where where) {
  const Unwatched unwatched;
  return scheduler().block_barrier(vote, predicate, where);
}
void warp_operation(const char* name, unsigned mask, void* data, void (*finish)(void* const (&)[32]), Where where) {
  const Unwatched unwatched;
  scheduler().warp_operation(name, mask, data, finish, where);
}
void warp_barrier(unsigned mask, Where where) {
  const Unwatched unwatched;
  scheduler().warp_operation("__syncwarp", mask, nullptr, nullptr, where);
}
void fault(const std::string& what) {
  const Unwatched unwatched;
  scheduler().fault(what);
}
void copy_async(void* shared, const void* source, int bytes, Where where) {
  const Unwatched unwatched;
  scheduler().copy_async(shared, source, bytes, __builtin_return_address(0), where);
}
void commit_async() {
  const Unwatched unwatched;
  scheduler().commit_async();
}
void wait_async(int pending_groups) {
  const Unwatched unwatched;
  scheduler().wait_async(pending_groups);
}
void touch(const void* address, size_t bytes, Access access) {
  const Unwatched unwatched;
  machine().touch(address, bytes, access, __builtin_return_address(0));
}

void* allocate(size_t bytes) { return machine().allocate(bytes); }
void release(void* memory) { machine().release(memory); }
void trim(void* memory, size_t bytes) { machine().trim(memory, bytes); }
void set_memory(size_t bytes) { machine().set_memory(bytes); }
void close_to_host(bool on) { machine().close_to_host(on); }
OpenMemory::OpenMemory() { machine().open(); }
OpenMemory::~OpenMemory() { machine().close(); }

void add(Traffic& sum, const Traffic& more) {
  sum.launches += more.launches;
  sum.blocks += more.blocks;
  sum.read_bytes += more.read_bytes;
  sum.written_bytes += more.written_bytes;
  sum.barriers += more.barriers;
  sum.operations += more.operations;
  sum.block_threads = std::max(sum.block_threads, more.block_threads);
  sum.dynamic_shared = std::max(sum.dynamic_shared, more.dynamic_shared);
  sum.global += more.global;
  sum.shared += more.shared;
  sum.distinct_bytes += more.distinct_bytes;
}
const std::map<std::string, Traffic, std::less<>>& traffic() { return traffic_table(); }
Traffic all_traffic() {
  Traffic sum;
  for (const auto& [kernel, one] : traffic_table()) add(sum, one);
  return sum;
}
void reset_traffic() { traffic_table().clear(); }
void set_profiling(bool on, uint64_t accesses) { machine().set_profiling(on, accesses); }

}  // namespace forger::simt
