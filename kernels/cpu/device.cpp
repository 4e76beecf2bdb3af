// What the CPU backend knows about its machine: threads, vector width, memory.
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/devices.h"
#include "kernels/poison.h"

namespace forger::kernels {
namespace {

constexpr size_t cache_line = 64;
constexpr size_t huge_page = size_t{2} << 20;

std::atomic<int> thread_count{0};  // 0: not yet set

// From two megabytes on, memory begins on a huge page and asks for such pages: one TLB entry then covers what 512 did.
void* aligned_memory(size_t bytes) {
  const size_t alignment = bytes >= huge_page ? huge_page : cache_line;
  if (bytes > PTRDIFF_MAX) throw std::bad_alloc();  // larger than any object
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, std::max<size_t>(bytes, 1)) != 0) throw std::bad_alloc();
  if (alignment == huge_page) madvise(memory, bytes, MADV_HUGEPAGE);  // a hint: its failure costs only speed
  return memory;
}

int initial_simd_bytes() {
  const char* wish = std::getenv("FORGER_SIMD");
  const std::string_view name = wish ? wish : "";
  return std::min(native_bytes, name == "portable" ? 16 : name == "avx2" ? 32 : 64);
}

std::atomic<int>& simd_setting() {
  static std::atomic<int> bytes{initial_simd_bytes()};
  return bytes;
}

// Twelve chains of multiply-adds: enough to hide the latency of two units four deep.
constexpr int chains = 12;

// The factor is volatile because the compiler would compute with it: the chain that starts at 1 stays there, and is
// left out of the loop.
template <int Bytes>
float multiply_add_chains(int64_t rounds) {
  using V = Vec<float, Bytes>;
  const volatile float hidden = 0.999f;
  const V factor = V{} + hidden, summand = V{} + 1e-3f;
  V acc[chains];  // different from each other, or the compiler would keep only one
  for (int i = 0; i < chains; i++) acc[i] = V{} + static_cast<float>(i);
  for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; i++) acc[i] = acc[i] * factor + summand;
  }
  for (int i = 1; i < chains; i++) acc[0] += acc[i];
  return acc[0][0];
}

struct ThreadScratch {
  void* memory[scratch_slots] = {};
  size_t bytes[scratch_slots] = {};
  ~ThreadScratch() {
    for (void* piece : memory) std::free(piece);
  }
};

// Under AddressSanitizer scratch memory ends where this request does, not where the longest one did.
void end_scratch(void* memory, size_t bytes, size_t longest) {
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(memory) + bytes, longest - bytes);
}

class CpuRuntime : public DeviceRuntime {
 public:
  std::string missing() const override { return ""; }
  std::string description() const override { return std::string("this processor, ") + simd_level() + " kernels"; }
  void* allocate(size_t bytes) override { return aligned_memory(bytes); }
  void release(void* memory, size_t) override { std::free(memory); }
  void copy(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void upload(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void synchronize() override {}
  void begin_recording() override {
    throw DeviceError("the CPU records no graphs: --graph needs --device cuda or simt");
  }
  std::unique_ptr<Graph> end_recording() override { return nullptr; }
  void set_random_offset(uint64_t) override {}
};

}  // namespace

DeviceRuntime& cpu_runtime() {
  static CpuRuntime& one = *new CpuRuntime;
  return one;
}

void set_threads(int count) { thread_count = std::max(count, 1); }
int threads() {
  const int count = thread_count;
  static const int at_first = available_threads();
  return count > 0 ? count : at_first;
}

int simd_bytes() { return simd_setting(); }
void set_simd_bytes(int bytes) { simd_setting() = std::min(native_bytes, bytes >= 64 ? 64 : bytes >= 32 ? 32 : 16); }
const char* simd_level() { return simd_bytes() == 64 ? "avx512" : simd_bytes() == 32 ? "avx2" : "portable"; }

double register_multiply_adds(int64_t rounds) {
  const int count = threads();
  std::atomic<float> sum = 0;  // keeps the chains from being optimised away
  with_simd([&](auto bytes) { parallel_jobs(count, [&](int64_t) { sum += multiply_add_chains<bytes>(rounds); }); });
  const int lanes = simd_bytes() / int{sizeof(float)};
  return sum > 0 ? static_cast<double>(rounds) * chains * lanes * count : 0;
}

bool poisoning() {
#if !defined(NDEBUG) || defined(__SANITIZE_ADDRESS__)
  return true;
#else
  static const bool wanted = [] {
    const char* const wish = std::getenv("FORGER_POISON");
    return wish && std::string_view(wish) == "1";
  }();
  return wanted;
#endif
}
void poison(void* memory, size_t bytes) {
  if (bytes > 0 && poisoning()) std::memset(memory, 0xFF, bytes);
}

void* scratch(Scratch slot, size_t bytes) {
  static thread_local ThreadScratch mine;
  const auto i = static_cast<size_t>(slot);
  if (mine.bytes[i] < bytes) {
    std::free(mine.memory[i]);
    mine.memory[i] = nullptr;
    mine.bytes[i] = 0;
    mine.memory[i] = aligned_memory(bytes);
    mine.bytes[i] = bytes;
  }
  end_scratch(mine.memory[i], bytes, mine.bytes[i]);
  poison(mine.memory[i], bytes);
  return mine.memory[i];
}

}  // namespace forger::kernels
