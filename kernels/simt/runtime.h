// A CUDA device in software: runs the blocks of a launch one after another on the calling thread, every CUDA thread of
// a block as a fiber, in an order drawn from a seed, and watches what they do. One device, one host thread at a time.
//
// What it finds ends the launch with DeviceError, which names the kernel, the block and the thread:
//   - a barrier that some threads of the block never reach, or two different barriers waited at together;
//   - a warp operation whose mask leaves out the caller, disagrees between lanes or names a lane that never comes;
//     a shuffle from a lane that takes no part;
//   - a read or write outside every allocation, beyond the launch's shared memory, or of host memory;
//   - a vector access that is not aligned to its size;
//   - a read of shared memory that no thread of this block has written;
//   - a shared word touched by two threads, one of them writing, without a barrier between;
//   - the target of an asynchronous copy touched before the copy was waited for.
//
// How it sees: device code is compiled with -fsanitize=thread, whose callbacks (watch.cpp) report every load and store
// that reaches memory. An address is then of one of these kinds: the fiber's own stack (registers and local memory),
// the device arena (global memory), static storage or the dynamic buffer (shared memory: `__shared__` is `static`
// here, and device code has no other use for static storage), the program's constants, or a fault.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <source_location>
#include <string>
#include <string_view>

namespace forger::simt {

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

// ---- launching ----

struct Launch {
  std::string_view kernel;  // for reports
  Index3 grid, block;
  size_t shared_bytes;    // dynamic
  double operations = 0;  // of the whole launch, as its launcher counts them
};
// Calls thread(data) once for every CUDA thread. DeviceError when a limit of the architecture is exceeded or a fault
// found. (No std::function: its call would be watched too.)
void run(const Launch& launch, void (*thread)(void*), void* data);

// The order of blocks and threads; from FORGER_SIMT_SEED at first. Right kernels give the same bits for every seed.
void set_seed(uint64_t seed);

// Multiprocessors of the device, by which kernels choose their grids: 4, or FORGER_SIMT_MULTIPROCESSORS (1 to 1024). A
// few keep launches small; what only a grid of many blocks does shows with those of a real card, such as 132.
int multiprocessors();
void set_multiprocessors(int count);

// ---- what device code asks for: valid inside a kernel ----

// (const: one answer for as long as a thread lives, so the compiler asks once a kernel.)
[[gnu::const]] Index3 thread_index();
[[gnu::const]] Index3 block_index();
[[gnu::const]] Index3 block_dim();
[[gnu::const]] Index3 grid_dim();
void* dynamic_shared();

using Where = std::source_location;

// Barrier of the whole block; the result is the vote on `predicate` of all its threads.
enum class Vote : uint8_t { none, count, all, any };
int block_barrier(Vote vote, int predicate, Where where);

// An operation of the lanes in `mask`: each brings a pointer to its own data; when the last has come, `finish` gets all
// pointers by lane (null where a lane takes no part) and writes the results into them. `name` is for reports.
void warp_operation(const char* name, unsigned mask, void* data, void (*finish)(void* const (&lanes)[32]), Where where);
void warp_barrier(unsigned mask, Where where);  // __syncwarp: the one that orders memory
// Ends the launch with a fault found by the caller (a shuffle from an absent lane, ...).
[[noreturn]] void fault(const std::string& what);
[[noreturn]] void fault_misaligned(const void* address, size_t size);

// cp.async: the copy lands when its group is waited for, not before. `source` may be null for a copy of zeros.
void copy_async(void* shared, const void* source, int bytes, Where where);
void commit_async();
void wait_async(int pending_groups);

// An access that the compiler's callbacks do not see (atomics, library calls).
enum class Access : uint8_t { read, write, atomic };
void touch(const void* address, size_t bytes, Access access);

// ---- memory ----

// Global memory. Fresh memory is filled with NaN. Null when there is none left.
void* allocate(size_t bytes);
void release(void* memory);
// From now on an allocation has so many bytes, at most those that it once had: what lies beyond is out of bounds.
void trim(void* memory, size_t bytes);
// 64 GiB at first. What lies beyond already stays.
void set_memory(size_t bytes);

// On: global memory is closed to the host except inside launches and copies, so that host code that follows a device
// pointer crashes at once. Off at first, since opening and closing costs more than a small launch.
void close_to_host(bool on);

class OpenMemory {  // scope: the host may touch global memory
 public:
  OpenMemory();
  ~OpenMemory();
  OpenMemory(const OpenMemory&) = delete;
};

// ---- figures ----

// What warps ask of memory (requests.h): requests, units of memory that they touch, and the fewest units that hold
// what they want. least/units is the share of global memory's sectors that is put to use; units/least the degree of
// shared memory's bank conflicts.
struct Requests {
  uint64_t count = 0, units = 0, least = 0;
};

struct Traffic {
  uint64_t launches = 0, blocks = 0, read_bytes = 0, written_bytes = 0;  // of global memory, as asked for by threads
  uint64_t barriers = 0;                                                 // of a block, over all blocks
  double operations = 0;                                                 // of matrix products: multiply-adds are two
  unsigned block_threads = 0;                                            // of the largest block
  size_t dynamic_shared = 0;                                             // bytes, the largest
  Requests global, shared;                                               // while profiling
  // While profiling: the sectors of global memory that a launch reads and those that it writes, each once, in bytes:
  // what goes to and from memory where a cache holds all else.
  uint64_t distinct_bytes = 0;
};
void add(Traffic& sum, const Traffic& more);
const std::map<std::string, Traffic, std::less<>>& traffic();  // by kernel, since the last reset
Traffic all_traffic();                                         // of all kernels
void reset_traffic();

// On: requests are counted, and of each launch only as many blocks run, drawn at random, as make `accesses` accesses;
// figures are scaled up to all of its blocks, distinct bytes to a whole allocation at most. So a step of any size is counted in seconds. What kernels compute is
// worthless then, unless `accesses` is without limit.
void set_profiling(bool on, uint64_t accesses = UINT64_MAX);

class Profiling {  // scope, from a fresh table on
 public:
  explicit Profiling(uint64_t accesses = UINT64_MAX) {
    set_profiling(true, accesses);
    reset_traffic();
  }
  ~Profiling() { set_profiling(false); }
  Profiling(const Profiling&) = delete;
};

}  // namespace forger::simt
