// Memory: blocks are reused, live and peak bytes are counted, cached memory can be given back.
#include "core/storage.h"

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "core/tensor.h"
#include "tests/catch.h"

using namespace forger;

// A sanitizer ends the program at a request that is too big, unless told to refuse it as malloc does.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

TEST_CASE("live bytes count what storages asked for") {
  const size_t before = memory_stats().live_bytes;
  {
    const Storage a(Device::cpu, 1000);
    CHECK(a.bytes() == 1000);
    CHECK(a.device() == Device::cpu);
    CHECK(memory_stats().live_bytes == before + 1000);
    const Storage b(Device::cpu, 24);
    CHECK(memory_stats().live_bytes == before + 1024);
    CHECK(a.data() != b.data());
  }
  CHECK(memory_stats().live_bytes == before);
}

TEST_CASE("handles to one memory are counted once") {
  const size_t before = memory_stats().live_bytes;
  Tensor a = zeros({10, 10});
  Tensor b = a, c = a.detach();
  CHECK(memory_stats().live_bytes == before + 400);
  CHECK(b.data<float>() == a.data<float>());
  a = Tensor();
  b = Tensor();
  CHECK(memory_stats().live_bytes == before + 400);
  c = Tensor();
  CHECK(memory_stats().live_bytes == before);
}

TEST_CASE("the peak is the highest count since the reset") {
  reset_peak_memory();
  const size_t before = memory_stats().peak_bytes;
  CHECK(before == memory_stats().live_bytes);
  {
    const Storage a(Device::cpu, 5000);
    { const Storage b(Device::cpu, 7000); }
    const Storage c(Device::cpu, 100);
  }
  CHECK(memory_stats().peak_bytes == before + 12000);
  CHECK(memory_stats().live_bytes == before);
  reset_peak_memory();
  CHECK(memory_stats().peak_bytes == before);
}

TEST_CASE("storage is aligned to a cache line and writable to its last byte") {
  for (size_t bytes : {1, 63, 64, 65, 1000, 4097, 1 << 20}) {
    const Storage storage(Device::cpu, bytes);
    CHECK(reinterpret_cast<uintptr_t>(storage.data()) % 64 == 0);
    std::memset(storage.data(), 7, bytes);
  }
}

TEST_CASE("an empty storage is allowed") {
  const size_t before = memory_stats().live_bytes;
  const Tensor empty = zeros({0, 3});
  CHECK(empty.numel() == 0);
  CHECK(empty.to_vector().empty());
  CHECK(memory_stats().live_bytes == before);
}

// Under AddressSanitizer nothing is kept, so that a stray access to freed memory is seen.
TEST_CASE("a freed block serves the next request of its size") {
  release_cached_memory();
  constexpr size_t bytes = 300'000;
  { const Storage first(Device::cpu, bytes); }
  const size_t kept = memory_stats().cached_bytes;
  if (kept == 0) return;
  CHECK(kept >= bytes);
  void* place = nullptr;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const Storage again(Device::cpu, bytes);
    CHECK(memory_stats().cached_bytes == 0);
    if (place) CHECK(again.data() == place);
    place = again.data();
  }
  {
    const Storage small(Device::cpu, 1000);  // must not take, and so waste, the big block
    CHECK(memory_stats().cached_bytes == kept);
  }
  release_cached_memory();
  CHECK(memory_stats().cached_bytes == 0);
}

TEST_CASE("memory that cannot be had is an error, and the counters stay right") {
  const size_t before = memory_stats().live_bytes;
  CHECK_THROWS_AS(Storage(Device::cpu, size_t{1} << 60), Error);
  CHECK(memory_stats().live_bytes == before);
  const Storage still_works(Device::cpu, 100);
  CHECK(memory_stats().live_bytes == before + 100);
}

TEST_CASE("threads may allocate at once") {
  const size_t before = memory_stats().live_bytes;
  std::vector<std::thread> workers;
  for (int t = 0; t < 4; ++t) {
    workers.emplace_back([t] {
      std::vector<std::unique_ptr<Storage>> held;
      for (size_t i = 0; i < 200; ++i) {
        held.push_back(std::make_unique<Storage>(Device::cpu, 100 + i * 10));
        std::memset(held.back()->data(), t, held.back()->bytes());
        if (i % 3 == 0) held.erase(held.begin());
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(memory_stats().live_bytes == before);
}
