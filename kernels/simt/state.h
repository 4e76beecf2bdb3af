// The memory side of the software device: global memory with its table of allocations, shared memory with a record of
// who touched each word and when. Internal to this folder.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/simt/requests.h"
#include "kernels/simt/runtime.h"

namespace forger::simt {

constexpr size_t max_shared_bytes = 227 * 1024;  // dynamic, of sm_90; every other architecture has less

class Machine {
 public:
  Machine();

  // ---- global memory ----
  void* allocate(size_t bytes);
  void release(void* memory);
  void trim(void* memory, size_t bytes);
  void set_memory(size_t bytes);
  void close_to_host(bool on);
  void open();
  void close();

  // ---- shared memory ----
  void* dynamic_shared() { return dynamic_begin_; }
  void mark_pending(void* shared, size_t bytes, const void* place);  // an asynchronous copy is on its way there
  void land(void* shared, size_t bytes);                             // it has come

  // ---- what the scheduler tells ----
  void begin_launch(size_t dynamic_bytes);
  void begin_block(size_t warps);
  void begin_thread(unsigned thread, uintptr_t stack_low, size_t stack_bytes);
  void pass_block_barrier();
  void pass_warp_barrier(size_t warp) { warp_epochs_[warp]++; }
  void set_profiling(bool on, uint64_t accesses);
  bool profiled_enough() const { return requests_ && requests_->accesses() >= wanted_accesses_; }
  Traffic take_traffic(uint64_t blocks);  // of so many, by what those that have run asked for

  // ---- every access of device code ----
  bool watching() const { return watching_; }
  bool watch(bool on) { return std::exchange(watching_, on); }  // returns what was
  void touch(const void* address, size_t bytes, Access access, const void* place) {
    const auto at = reinterpret_cast<uintptr_t>(address);
    if (at - stack_low_ < stack_bytes_) return;  // registers and local memory
    place_ = place;
    touch_memory(at, bytes, access);
  }

 private:
  // A 4-byte word of shared memory. Epochs count block barriers over the life of the program, so that nothing needs to
  // be cleared: a word is written in this block when its write epoch is not older than the block's first.
  struct Word {
    uint32_t write_epoch = 0, read_epoch = 0;
    uint32_t write_warp_epoch = 0, read_warp_epoch = 0;
    uint16_t writer = 0, reader = 0;
    bool atomic = false, pending = false;
  };

  void touch_memory(uintptr_t at, size_t bytes, Access access);
  void touch_global(uintptr_t address, size_t bytes, Access access);
  struct Range {
    uintptr_t begin = 0, end = 0;
  };
  Range allocation_of(uintptr_t address, size_t bytes, Access access);  // a fault when it lies in none
  void touch_shared(uintptr_t at, Word* words, size_t offset, size_t bytes, Access access);  // offset in the first
  void touch_word(Word& word, Access access);
  Word* words_at(const void* shared, size_t bytes);
  bool ordered(uint16_t thread, uint32_t epoch, uint32_t warp_epoch) const;
  [[noreturn, gnu::cold]] void fault_after_write(const Word& word, Access access) const;
  [[noreturn, gnu::cold]] static void fault_after_read(const Word& word);
  void fault_unless_constant(uintptr_t at, size_t offset, Access access) const;  // `offset` in dynamic shared memory
  void next_epoch();
  void protect(int access) const;

  // Global memory: one reserved range; `top_` is the end of what was ever handed out, which will not pass
  // `limit_`.
  uintptr_t arena_ = 0, top_ = 0, limit_ = 0;
  bool closing_ = false;
  int open_count_ = 0;
  std::map<uintptr_t, size_t> allocations_;  // begin -> bytes asked for
  std::multimap<size_t, uintptr_t> free_;    // room -> begin
  std::map<uintptr_t, size_t> rooms_;        // begin -> room
  Range recent_[8];                          // allocations looked up lately
  unsigned next_recent_ = 0;

  // The program, or a library, with device code in it: first constants, then variables. __shared__ arrays are among
  // the latter, and nothing else there is for kernels to touch.
  struct Module {
    uintptr_t constants = 0, variables = 0, end = 0;
    std::vector<Word> words;  // of the variables
    bool has_variable(uintptr_t at, size_t bytes) const { return at >= variables && at + bytes <= end; }
    Word* word(uintptr_t at) { return &words[(at - variables) / 4]; }
  };
  static std::vector<Module> modules_with_device_code();

  std::vector<Module> modules_ = modules_with_device_code();
  std::vector<Word> dynamic_words_;
  std::vector<unsigned char> dynamic_storage_;
  unsigned char* dynamic_begin_;
  size_t dynamic_bytes_ = 0;  // of this launch

  bool watching_ = false;
  unsigned thread_ = 0;
  uintptr_t stack_low_ = 0, stack_bytes_ = 0;
  uint32_t epoch_ = 1, block_epoch_ = 1;
  std::vector<uint32_t> warp_epochs_;
  const void* place_ = nullptr;  // in the program, of the access
  Traffic traffic_;
  std::unique_ptr<RequestCounter> requests_;  // while profiling
  uint64_t wanted_accesses_ = 0;
};

inline Machine& machine() {
  static Machine& one = *new Machine;  // never destroyed: tensors of static lifetime may outlive any order
  return one;
}

// Scope: the runtime's own accesses are not judged. (It shares inline functions of the standard library with device
// code, and the linker may have kept the watched copy of one.)
class Unwatched {
 public:
  Unwatched() : before_(machine().watch(false)) {}
  ~Unwatched() { machine().watch(before_); }
  Unwatched(const Unwatched&) = delete;

 private:
  bool before_;
};

}  // namespace forger::simt
