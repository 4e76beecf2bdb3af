// The software CUDA device: planted faults are caught and named, sound kernels pass under every order of threads.
#include "kernels/simt/runtime.h"

#include "kernels/kernels.h"
#include "tests/catch.h"
#include "tests/kernels/counted.h"
#include "tests/kernels/faults.h"
#include "tests/kernels/on_device.h"
#include "tests/message_of.h"

using namespace forger;
using namespace forger::kernels;

TEST_CASE("every planted fault is caught and named, in any order of threads", "[simt]") {
  for (const Fault& fault : faults()) {
    for (const uint64_t seed : {0, 1, 2, 3, 4}) {
      INFO(fault.name << ", seed " << seed);
      simt::set_seed(seed);
      const std::string message = test::message_of<std::exception>([&] { fault.run(true); });
      CHECK_THAT(message, Catch::Contains(fault.caught_as));
      if (fault.caught_as == "wrong result") continue;  // legal code with a wrong answer: the comparison finds it
      CHECK_THAT(message, Catch::Contains("simt: kernel ") && Catch::Contains("block (0,0,0), thread ("));
      CHECK(message.find('\n') == std::string::npos);
    }
  }
}

TEST_CASE("the same kernels without their faults pass", "[simt]") {
  for (const Fault& fault : faults()) {
    for (const uint64_t seed : {0, 1, 2, 3, 4}) {
      INFO(fault.name << ", seed " << seed);
      simt::set_seed(seed);
      CHECK_NOTHROW(fault.run(false));
    }
  }
}

TEST_CASE("the device works on after a fault", "[simt]") {
  for (int i = 0; i < 20; i++) CHECK_THROWS_AS(faults().front().run(true), DeviceError);
  CHECK_NOTHROW(faults().front().run(false));
}

TEST_CASE("fresh device memory is NaN and its contents survive being closed", "[simt]") {
  DeviceRuntime& device = runtime(Device::simt);
  void* memory = device.allocate(4);
  float value = 0;
  device.copy(&value, memory, 4);
  CHECK(std::isnan(value));
  value = 3;
  device.copy(memory, &value, 4);
  value = 0;
  device.copy(&value, memory, 4);
  CHECK(value == 3);
  device.release(memory, 4);
  CHECK_THROWS_AS(device.release(memory, 4), DeviceError);
}

TEST_CASE("traffic counts launches and bytes of global memory", "[simt]") {
  const OnDevice<float> x(size_t{1000});
  simt::reset_traffic();
  Simt<float>::fill(1000, 1.0f, x.data());
  const simt::Traffic all = simt::all_traffic();
  CHECK(all.launches == 1);
  CHECK(all.written_bytes == 4000);
  CHECK(all.read_bytes == 0);
}

namespace {

void check_requests(const simt::Requests& got, const simt::Requests& right) {
  CHECK(got.count == right.count);
  CHECK(got.units == right.units);
  CHECK(got.least == right.least);
}

}  // namespace

TEST_CASE("requests of warps, their sectors and their bank conflicts are those known by hand", "[simt]") {
  for (const Counted& kernel : counted()) {
    for (const uint64_t seed : {0, 1, 2}) {
      INFO(kernel.name << ", seed " << seed);
      simt::set_seed(seed);
      const simt::Profiling profiling;
      kernel.run();
      const simt::Traffic all = simt::all_traffic();
      CHECK(all.blocks == 1);
      CHECK(all.barriers == kernel.barriers);
      check_requests(all.global, kernel.global);
      check_requests(all.shared, kernel.shared);
      CHECK(all.distinct_bytes == 32 * kernel.sectors);
    }
  }
}

TEST_CASE("some blocks of a launch stand for all", "[simt]") {
  constexpr int64_t n = 1 << 18;
  const OnDevice<float> x(static_cast<size_t>(n)), y(static_cast<size_t>(n));
  const auto ask = [&](uint64_t accesses) {
    const simt::Profiling profiling(accesses);
    Simt<float>::copy(n, x.data(), y.data());
    Simt<float>::matmul({.m = 8, .n = 8, .k = 16}, x.data(), x.data(), y.data());
    return simt::all_traffic();
  };
  const simt::Traffic whole = ask(UINT64_MAX), sample = ask(5000);
  CHECK(sample.launches == whole.launches);
  CHECK(sample.blocks == whole.blocks);
  CHECK(sample.read_bytes == whole.read_bytes);
  CHECK(sample.written_bytes == whole.written_bytes);
  check_requests(sample.global, whole.global);
  CHECK(whole.global.units == whole.global.least);
  CHECK(whole.distinct_bytes >= 2 * sizeof(float) * n);
  CHECK(whole.distinct_bytes <= 2 * sizeof(float) * n + 4 * sizeof(float) * 8 * 16);
  CHECK(static_cast<double>(sample.distinct_bytes) == Approx(static_cast<double>(whole.distinct_bytes)).epsilon(0.01));
  CHECK(whole.operations == 2 * 8 * 8 * 16);
}

TEST_CASE("a recorded graph computes nothing until it is replayed, and refuses what cannot be replayed", "[simt]") {
  DeviceRuntime& device = runtime(Device::simt);
  const OnDevice<float> x(std::vector<float>{1, 2, 3});
  device.begin_recording();
  Simt<float>::fill(3, 7.0f, x.data());
  CHECK_THROWS_AS(x.host(), DeviceError);
  CHECK_THROWS_AS(device.synchronize(), DeviceError);
  const std::unique_ptr<Graph> graph = device.end_recording();
  CHECK(x.host() == std::vector<float>{1, 2, 3});
  graph->replay();
  CHECK(x.host() == std::vector<float>{7, 7, 7});
  Simt<float>::fill(3, 0.0f, x.data());
  graph->replay();
  CHECK(x.host() == std::vector<float>{7, 7, 7});
}

TEST_CASE("a sum over one process is what was there; others have to be there, and on a GPU", "[simt]") {
  DeviceRuntime& device = runtime(Device::simt);
  const CollectiveKey key = device.collective_key();
  const OnDevice<float> x(std::vector<float>{1, 2, 3});
  const std::unique_ptr<Collective> alone = device.join(key, 0, 1);
  alone->sum(x.data(), 3);
  alone->wait();
  CHECK(x.host() == std::vector<float>{1, 2, 3});
  CHECK_THROWS_AS(device.join(key, 0, 2), DeviceError);
  CHECK_THROWS_AS(runtime(Device::cpu).collective_key(), DeviceError);
  CHECK_THROWS_AS(runtime(Device::cpu).join(key, 0, 1), DeviceError);
}

TEST_CASE("the CPU records no graphs; every device has a name", "[simt]") {
  CHECK_THROWS_AS(runtime(Device::cpu).begin_recording(), DeviceError);
  CHECK(std::string(name_of(Device::cpu)) == "cpu");
  CHECK(std::string(name_of(Device::cuda)) == "cuda");
  CHECK(std::string(name_of(Device::simt)) == "simt");
  CHECK(runtime(Device::simt).missing().empty());
}

TEST_CASE("the runtime that is short of memory takes back what lies unused, and says so where that does not help",
          "[simt]") {
  const NormShape s{.groups = 1, .rows = 2, .channels = int64_t{1} << 20};  // wants more scratch memory than any test
  const OnDevice<float> x(std::vector<float>(static_cast<size_t>(s.rows * s.channels), 1), Device::simt);
  const OnDevice<float> mean(static_cast<size_t>(s.channels), Device::simt),
      rstd(static_cast<size_t>(s.channels), Device::simt);
  const auto run = [&] {
    Simt<float>::norm_backward(s, x.data(), x.data(), mean.data(), rstd.data(), nullptr, nullptr, Activation::none, 0,
                               x.data(), nullptr, nullptr);
  };
  DeviceRuntime& device = runtime(Device::simt);
  const auto before = device.reclaim;
  int asked = 0;
  device.reclaim = [&] { asked++; };
  simt::set_memory(0);
  CHECK_THAT(test::message_of<DeviceError>(run),
             Catch::Contains("out of memory: no ") && Catch::Contains(" bytes for intermediate results; a smaller "));
  CHECK(asked == 1);
  device.reclaim = [&] { simt::set_memory(SIZE_MAX); };
  CHECK_NOTHROW(run());
  device.reclaim = before;
}
