// Every load and store of device code, as told by the compiler's ThreadSanitizer callbacks (whose own runtime is not
// linked), is looked up and judged here.
#include <link.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <utility>

#include "kernels/kernels.h"
#include "kernels/simt/state.h"

namespace forger::simt {
namespace {

constexpr size_t arena_bytes = size_t{64} << 30;  // reserved, not used
constexpr size_t granule = 256;                   // alignment of cudaMalloc; also the gap that no allocation fills
constexpr size_t system_page = 4096;
constexpr uint16_t several = 0xffff;  // readers

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

std::string hex(uintptr_t address) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%#zx", static_cast<size_t>(address));
  return digits;
}

}  // namespace

Machine::Machine() : dynamic_words_(max_shared_bytes / 4 + 4), dynamic_storage_(max_shared_bytes + 1024) {
  void* memory = mmap(nullptr, arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory != MAP_FAILED) arena_ = top_ = reinterpret_cast<uintptr_t>(memory);
  set_memory(arena_bytes);
  dynamic_begin_ =
      reinterpret_cast<unsigned char*>(round_up(reinterpret_cast<uintptr_t>(dynamic_storage_.data()), size_t{1024}));
}

// ---- global memory ----

void* Machine::allocate(size_t bytes) {
  const size_t room = round_up(bytes + 1, granule) + granule;
  uintptr_t begin = 0;
  if (auto it = free_.lower_bound(room); it != free_.end() && it->first <= 2 * room) {
    begin = it->second;
    free_.erase(it);
  } else {
    if (!arena_ || top_ + room > limit_) return nullptr;
    begin = top_;
    top_ = round_up(top_ + room, granule);
    rooms_[begin] = top_ - begin;
    if (open_count_ > 0) protect(PROT_READ | PROT_WRITE);  // what is open must include the new room
  }
  allocations_[begin] = bytes;
  open();
  std::memset(reinterpret_cast<void*>(begin), 0xff, bytes);  // NaN in every type
  close();
  return reinterpret_cast<void*>(begin);
}

void Machine::release(void* memory) {
  const auto found = allocations_.find(reinterpret_cast<uintptr_t>(memory));
  if (found == allocations_.end()) {
    if (!memory) return;
    throw DeviceError("simt: memory released that was not allocated");
  }
  free_.emplace(rooms_.at(found->first), found->first);
  allocations_.erase(found);
  for (Range& range : recent_) range = {};
}

void Machine::trim(void* memory, size_t bytes) {
  const auto found = allocations_.find(reinterpret_cast<uintptr_t>(memory));
  if (found == allocations_.end() || bytes + granule >= rooms_.at(found->first))
    throw DeviceError("simt: memory trimmed that was not allocated, or is smaller");
  found->second = bytes;
  for (Range& range : recent_) range = {};
}

void Machine::set_memory(size_t bytes) { limit_ = arena_ + std::min(bytes, arena_bytes); }

void Machine::protect(int access) const {
  if (top_ > arena_) mprotect(reinterpret_cast<void*>(arena_), round_up(top_ - arena_, system_page), access);
}
void Machine::close_to_host(bool on) {
  closing_ = on;
  if (open_count_ == 0) protect(on ? PROT_NONE : PROT_READ | PROT_WRITE);
}
void Machine::open() {
  if (open_count_++ == 0 && closing_) protect(PROT_READ | PROT_WRITE);
}
void Machine::close() {
  if (--open_count_ == 0 && closing_) protect(PROT_NONE);
}

void Machine::touch_global(uintptr_t address, size_t bytes, Access access) {
  (access == Access::read ? traffic_.read_bytes : traffic_.written_bytes) += bytes;
  const Range allocation = allocation_of(address, bytes, access);
  if (!requests_) return;
  using Space = RequestCounter::Space;
  const Space space = access == Access::read ? Space::global_read : Space::global_write;
  requests_->add(thread_, place_, space, address, bytes);
  requests_->touch(space, allocation.begin, allocation.end, address, bytes);
}

Machine::Range Machine::allocation_of(uintptr_t address, size_t bytes, Access access) {
  for (const Range& range : recent_)
    if (address >= range.begin && address + bytes <= range.end) return range;
  auto found = allocations_.upper_bound(address);
  if (found != allocations_.begin()) {
    --found;
    const uintptr_t end = found->first + found->second;
    if (address + bytes <= end) {
      return recent_[next_recent_++ % std::size(recent_)] = {found->first, end};
    }
  }
  std::string what = std::string(access == Access::read ? "read" : "write") + " of " + std::to_string(bytes) +
                     " bytes at " + hex(address) + ", outside every allocation";
  if (found != allocations_.end() && address >= found->first) {
    what += ": the nearest has " + std::to_string(found->second) + " bytes and begins " +
            std::to_string(address - found->first) + " below";
  }
  fault(what);
}

// ---- shared memory ----

// Of what is loaded: the program, which comes first, and whatever holds this function and with it the kernels.
std::vector<Machine::Module> Machine::modules_with_device_code() {
  std::vector<Module> all;
  const auto look = [](dl_phdr_info* loaded, size_t, void* found) {
    Module m;
    m.constants = UINTPTR_MAX;
    uintptr_t read_only_end = 0;  // of what the loader has written before it is read-only
    for (int i = 0; i < loaded->dlpi_phnum; i++) {
      const ElfW(Phdr)& part = loaded->dlpi_phdr[i];
      const uintptr_t begin = loaded->dlpi_addr + part.p_vaddr, end = begin + part.p_memsz;
      if (part.p_type == PT_GNU_RELRO) read_only_end = end;
      if (part.p_type != PT_LOAD) continue;
      m.constants = std::min(m.constants, begin);
      if ((part.p_flags & PF_W) != 0) m.variables = begin, m.end = end;
    }
    m.variables = std::max(m.variables, read_only_end) / 4 * 4;
    const auto here = reinterpret_cast<uintptr_t>(&modules_with_device_code);
    auto& modules = *static_cast<std::vector<Module>*>(found);
    if (modules.empty() || (m.constants <= here && here < m.end)) modules.push_back(std::move(m));
    return 0;
  };
  dl_iterate_phdr(look, &all);
  for (Module& m : all) m.words.resize((m.end - m.variables) / 4 + 1);
  return all;
}

void Machine::begin_launch(size_t dynamic_bytes) { dynamic_bytes_ = dynamic_bytes; }

void Machine::begin_block(size_t warps) {
  next_epoch();
  traffic_.blocks++;
  if (requests_) {
    requests_->settle();
    requests_->begin_block(warps);
  }
  block_epoch_ = epoch_;
  warp_epochs_.assign(warps, 0);
}

void Machine::begin_thread(unsigned thread, uintptr_t stack_low, size_t stack_bytes) {
  thread_ = thread;
  stack_low_ = stack_low;
  stack_bytes_ = stack_bytes;
  watching_ = true;
}

void Machine::pass_block_barrier() {
  next_epoch();
  traffic_.barriers++;
  if (requests_) requests_->settle();
}

void Machine::set_profiling(bool on, uint64_t accesses) {
  requests_ = on ? std::make_unique<RequestCounter>() : nullptr;
  wanted_accesses_ = accesses;
}

Traffic Machine::take_traffic(uint64_t blocks) {
  const double times = static_cast<double>(blocks) / static_cast<double>(std::max<uint64_t>(1, traffic_.blocks));
  if (requests_) requests_->take(traffic_, times);
  Traffic all = std::exchange(traffic_, {});
  if (blocks == all.blocks) return all;
  const auto scale = [&](uint64_t& figure) {
    figure = static_cast<uint64_t>(std::llround(static_cast<double>(figure) * times));
  };
  for (uint64_t* figure : {&all.read_bytes, &all.written_bytes, &all.barriers}) scale(*figure);
  for (Requests* requests : {&all.global, &all.shared})
    for (uint64_t* figure : {&requests->count, &requests->units, &requests->least}) scale(*figure);
  all.blocks = blocks;
  return all;
}

void Machine::next_epoch() {
  if (++epoch_ != 0) return;
  // After four billion barriers.
  for (Module& module : modules_) module.words.assign(module.words.size(), {});
  dynamic_words_.assign(dynamic_words_.size(), {});
  epoch_ = 1;
}

// Whether something that `thread` did then comes before what this thread does now.
bool Machine::ordered(uint16_t thread, uint32_t epoch, uint32_t warp_epoch) const {
  if (epoch < epoch_) return true;
  if (thread == several) return false;
  return thread == thread_ || (thread / 32 == thread_ / 32 && warp_epoch < warp_epochs_[thread_ / 32]);
}

void Machine::touch_word(Word& word, Access access) {
  const bool written = word.write_epoch >= block_epoch_;
  const bool both_atomic = access == Access::atomic && word.atomic;
  if (!written ? access != Access::write
               : word.pending || (!both_atomic && !ordered(word.writer, word.write_epoch, word.write_warp_epoch)))
    fault_after_write(word, access);
  const auto me = static_cast<uint16_t>(thread_);
  const uint32_t warp_epoch = warp_epochs_[thread_ / 32];
  if (access == Access::read) {
    const bool another = word.read_epoch == epoch_ && word.reader != me;
    word.reader = another && !ordered(word.reader, epoch_, word.read_warp_epoch) ? several : me;
    word.read_epoch = epoch_;
    word.read_warp_epoch = warp_epoch;
    return;
  }
  if (word.read_epoch >= block_epoch_ && !ordered(word.reader, word.read_epoch, word.read_warp_epoch))
    fault_after_read(word);
  word.writer = me;
  word.write_epoch = epoch_;
  word.write_warp_epoch = warp_epoch;
  word.atomic = access == Access::atomic;
  word.pending = false;  // of a block before, which did not wait for it
}

// The words of faults stand apart: what is executed at every access stays short.
void Machine::fault_after_write(const Word& word, Access access) const {
  if (word.write_epoch < block_epoch_) {
    fault(std::string(access == Access::read ? "read of" : "atomic on") +
          " shared memory that no thread of this block has written");
  }
  if (word.pending) fault("target of an asynchronous copy touched before the copy was waited for");
  fault("race: shared word " + std::string(access == Access::read ? "read" : "written") + " after a write by thread " +
        std::to_string(word.writer) + " without a barrier between");
}

void Machine::fault_after_read(const Word& word) {
  fault("race: shared word written after a read by " +
        (word.reader == several ? "other threads" : "thread " + std::to_string(word.reader)) +
        " without a barrier between");
}

void Machine::touch_shared(uintptr_t at, Word* words, size_t offset, size_t bytes, Access access) {
  if (requests_) requests_->add(thread_, place_, RequestCounter::Space::shared, at, bytes);
  for (size_t i = offset / 4; i <= (offset + bytes - 1) / 4; i++) touch_word(words[i], access);
}

Machine::Word* Machine::words_at(const void* shared, size_t bytes) {
  const auto at = reinterpret_cast<uintptr_t>(shared);
  const auto dynamic = reinterpret_cast<uintptr_t>(dynamic_begin_);
  for (Module& module : modules_)
    if (module.has_variable(at, bytes)) return module.word(at);
  if (at >= dynamic && at + bytes <= dynamic + dynamic_bytes_) return &dynamic_words_[(at - dynamic) / 4];
  fault("asynchronous copy to " + hex(at) + ", which is not shared memory of this launch");
}

void Machine::mark_pending(void* shared, size_t bytes, const void* place) {
  Word* words = words_at(shared, bytes);
  const auto at = reinterpret_cast<uintptr_t>(shared);
  if (requests_) requests_->add(thread_, place, RequestCounter::Space::shared, at, bytes);
  for (size_t i = 0; i < bytes / 4; i++) {
    touch_word(words[i], Access::write);
    words[i].pending = true;
  }
}

void Machine::land(void* shared, size_t bytes) {
  Word* words = words_at(shared, bytes);
  for (size_t i = 0; i < bytes / 4; i++) {
    words[i].pending = false;
    words[i].writer = static_cast<uint16_t>(thread_);
    words[i].write_epoch = epoch_;
    words[i].write_warp_epoch = warp_epochs_[thread_ / 32];
  }
}

// ---- every access ----

void fault_misaligned(const void* address, size_t size) {
  const Unwatched unwatched;
  fault("access of " + std::to_string(size) + " bytes at " + hex(reinterpret_cast<uintptr_t>(address)) +
        ", which is not aligned to them");
}

void Machine::touch_memory(uintptr_t at, size_t bytes, Access access) {
  if ((bytes & (bytes - 1)) == 0 && bytes <= 16 && (at & (bytes - 1)) != 0)
    fault_misaligned(reinterpret_cast<const void*>(at), bytes);
  if (at - arena_ < arena_bytes) return touch_global(at, bytes, access);
  for (Module& module : modules_)
    if (module.has_variable(at, bytes)) return touch_shared(at, module.word(at), at % 4, bytes, access);
  const size_t offset = at - reinterpret_cast<uintptr_t>(dynamic_begin_);
  if (offset + bytes <= dynamic_bytes_ && offset <= dynamic_bytes_)
    return touch_shared(at, dynamic_words_.data(), offset, bytes, access);
  fault_unless_constant(at, offset, access);
}

void Machine::fault_unless_constant(uintptr_t at, size_t offset, Access access) const {
  if (offset < max_shared_bytes) {
    fault("access at byte " + std::to_string(offset) + " of " + std::to_string(dynamic_bytes_) +
          " bytes of dynamic shared memory");
  }
  for (const Module& module : modules_)
    if (access == Access::read && at >= module.constants && at < module.variables) return;
  fault("access to host memory at " + hex(at));
}

}  // namespace forger::simt

// ---- the callbacks ----

namespace {
// Into every callback, whose return address is the place in the program.
__attribute__((always_inline)) inline void seen(const void* address, size_t bytes, forger::simt::Access access) {
  forger::simt::Machine& m = forger::simt::machine();
  if (!m.watching()) return;
  m.watch(false);
  m.touch(address, bytes, access, __builtin_return_address(0));
  m.watch(true);
}
}  // namespace

#ifndef __SANITIZE_THREAD__  // under the real ThreadSanitizer the callbacks are its own
extern "C" {
using forger::simt::Access;
void __tsan_init() {}
void __tsan_read1(void* p) { seen(p, 1, Access::read); }
void __tsan_read2(void* p) { seen(p, 2, Access::read); }
void __tsan_read4(void* p) { seen(p, 4, Access::read); }
void __tsan_read8(void* p) { seen(p, 8, Access::read); }
void __tsan_read16(void* p) { seen(p, 16, Access::read); }
void __tsan_write1(void* p) { seen(p, 1, Access::write); }
void __tsan_write2(void* p) { seen(p, 2, Access::write); }
void __tsan_write4(void* p) { seen(p, 4, Access::write); }
void __tsan_write8(void* p) { seen(p, 8, Access::write); }
void __tsan_write16(void* p) { seen(p, 16, Access::write); }
void __tsan_unaligned_read2(void* p) { seen(p, 2, Access::read); }
void __tsan_unaligned_read4(void* p) { seen(p, 4, Access::read); }
void __tsan_unaligned_read8(void* p) { seen(p, 8, Access::read); }
void __tsan_unaligned_read16(void* p) { seen(p, 16, Access::read); }
void __tsan_unaligned_write2(void* p) { seen(p, 2, Access::write); }
void __tsan_unaligned_write4(void* p) { seen(p, 4, Access::write); }
void __tsan_unaligned_write8(void* p) { seen(p, 8, Access::write); }
void __tsan_unaligned_write16(void* p) { seen(p, 16, Access::write); }
void __tsan_read_range(void* p, size_t bytes) { seen(p, bytes, Access::read); }
void __tsan_write_range(void* p, size_t bytes) { seen(p, bytes, Access::write); }
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
char __tsan_atomic8_load(const volatile char* p, int) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }  // static guards
}
#endif
