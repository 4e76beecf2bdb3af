// Optimiser updates on the software device against the CPU's, which optim_test.cpp holds against the formulas.
#include <array>

#include "tests/kernels/seeds.h"

using namespace forger;
using namespace forger::kernels;

namespace {

// Lengths around a pack, a chunk and several; more tensors than one launch takes; starts off a pack's alignment.
std::vector<int64_t> few() { return {1, 0, 33, 20001, 4096, 31, 4097, 8192, 7}; }
std::vector<int64_t> many() {
  std::vector<int64_t> sizes(400);
  for (size_t i = 0; i < sizes.size(); i++) sizes[i] = static_cast<int64_t>(i * 7 % 50);
  return sizes;
}

// Four arrays per tensor (parameter, gradient, two of state), each in one piece of memory, tensor k `gap` elements
// behind the one before.
template <class T>
struct Network {
  std::vector<int64_t> sizes, starts;
  std::array<std::vector<T>, 4> arrays;

  Network(std::vector<int64_t> lengths, int64_t gap) : sizes(std::move(lengths)) {
    int64_t end = gap;
    for (const int64_t n : sizes) {
      starts.push_back(end);
      end += gap > 0 ? n + gap : ceil_up(n);
    }
    for (unsigned k = 0; k < 4; k++) arrays[k] = values<T>(end, k == 3 ? 0.1 : -1, 1, k + 1);
  }
  static int64_t ceil_up(int64_t n) { return (n + 15) / 16 * 16; }

  // slice(param, grad, m, v, n) for each tensor.
  template <class F>
  auto list(const std::array<T*, 4>& at, const F& slice) const {
    std::vector<decltype(slice(at[0], at[1], at[2], at[3], int64_t{}))> out;
    for (size_t k = 0; k < sizes.size(); k++) {
      const int64_t s = starts[k];
      out.push_back(slice(at[0] + s, at[1] + s, at[2] + s, at[3] + s, sizes[k]));
    }
    return out;
  }
};

// Runs update(Backend{}, network, pointers, scalars) on both and compares all four arrays, gaps between tensors too.
// scalars: {step, lr, norm} in the device's memory.
template <class T, class F>
void check(const F& update, const std::array<double, 3>& scalars = {3, 0.01, 8}) {
  for (const auto& [sizes, gap] : {std::pair(few(), 0), std::pair(few(), 1), std::pair(many(), 0)}) {
    INFO(sizes.size() << " tensors, gap " << gap);
    Network<T> expected(sizes, gap);
    const Network<T> start = expected;
    update(Cpu<T>{}, expected,
           std::array{expected.arrays[0].data(), expected.arrays[1].data(), expected.arrays[2].data(),
                      expected.arrays[3].data()},
           scalars.data());
    std::array<std::vector<T>, 4> first;
    for (uint64_t seed : {1u, 2u}) {
      simt::set_seed(seed);
      const OnDevice<T> p(start.arrays[0]), g(start.arrays[1]), m(start.arrays[2]), v(start.arrays[3]);
      const OnDevice<double> cells(std::vector<double>(scalars.begin(), scalars.end()));
      update(Gpu<T>{}, start, std::array{p.data(), g.data(), m.data(), v.data()}, cells.data());
      const std::array actual = {p.host(), g.host(), m.host(), v.host()};
      for (size_t k = 0; k < 4; k++) {
        if (seed == 1) {
          require_close(actual[k], widened(expected.arrays[k]), 4 * epsilon<T>);
        } else {
          CHECK(same_bits(actual[k], first[k]));
        }
      }
      first = actual;
    }
  }
}

}  // namespace

GPU_TEST_CASE("adam agrees with the CPU, and counts the steps of every tensor") {
  for_scalars([]<class T>(T) {
    check<T>([]<template <class> class Backend>(Backend<T>, const Network<T>& net, const auto& at,
                                                const double* cells) {
      const size_t count = net.sizes.size();
      const OnDevice<double> steps(std::vector<double>(count, 2),
                                   std::is_same_v<Backend<T>, Cpu<T>> ? Device::cpu : gpu);
      auto list = net.list(at, [](T* p, T* g, T* m, T* v, int64_t n) { return AdamSlice<T>{p, g, m, v, n, nullptr}; });
      for (size_t k = 0; k < count; k++) list[k].step = steps.data() + k;
      Backend<T>::adam(list, {0.5, 0.5, 0.99, 1e-3, 0.1}, cells + 1);
      CHECK(steps.host() == std::vector<double>(count, 3));
    });
  });
}

GPU_TEST_CASE("rmsprop agrees with the CPU") {
  for_scalars([]<class T>(T) {
    check<T>(
        []<template <class> class Backend>(Backend<T>, const Network<T>& net, const auto& at, const double* cells) {
          const auto list = net.list(at, [](T* p, T* g, T*, T* v, int64_t n) { return RmsPropSlice<T>{p, g, v, n}; });
          Backend<T>::rmsprop(list, cells + 1, 0.9, 1e-3);
        });
  });
}

GPU_TEST_CASE("sgd agrees with the CPU, with and without momentum") {
  for_scalars([]<class T>(T) {
    for (bool momentum : {false, true}) {
      check<T>(
          [=]<template <class> class Backend>(Backend<T>, const Network<T>& net, const auto& at, const double* cells) {
            const auto list = net.list(at, [=](T* p, T* g, T* velocity, T*, int64_t n) {
              return SgdSlice<T>{p, g, momentum ? velocity : nullptr, n};
            });
            Backend<T>::sgd(list, cells + 1, momentum ? 0.9 : 0, 0.01);
          });
    }
  });
}

GPU_TEST_CASE("lerp agrees with the CPU") {
  for_scalars([]<class T>(T) {
    check<T>([]<template <class> class Backend>(Backend<T>, const Network<T>& net, const auto& at, const double*) {
      const auto list = net.list(at, [](T* p, T* g, T*, T*, int64_t n) { return LerpSlice<T>{p, g, n}; });
      Backend<T>::lerp(list, 0.25);
    });
  });
}

GPU_TEST_CASE("accumulate agrees with the CPU") {
  for_scalars([]<class T>(T) {
    check<T>([]<template <class> class Backend>(Backend<T>, const Network<T>& net, const auto& at, const double*) {
      Backend<T>::accumulate(net.list(at, [](T* p, T* g, T*, T*, int64_t n) { return SumSlice<T>{p, g, n}; }));
    });
  });
}

GPU_TEST_CASE("clipping agrees with the CPU and leaves alone what need not be clipped") {
  for_scalars([]<class T>(T) {
    for (double norm : {8.0, 2.0, 1.0, static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
      check<T>(
          []<template <class> class Backend>(Backend<T>, const Network<T>& net, const auto& at, const double* cells) {
            const auto list = net.list(at, [](T* p, T*, T*, T*, int64_t n) { return ClipSlice<T>{p, n}; });
            Backend<T>::clip_norm(list, cells + 2, 2);
          },
          {1, 1, norm});
    }
  });
}

GPU_TEST_CASE("the global norm agrees with the CPU, call after call, in any order of threads") {
  for_scalars([]<class T>(T) {
    const OnDevice<double> norm(1);
    for (const auto& [sizes, gap] :
         {std::pair(few(), 0), std::pair(few(), 1), std::pair(many(), 0), std::pair(std::vector<int64_t>{}, 0),
          std::pair(std::vector<int64_t>{0}, 0), std::pair(std::vector<int64_t>{200000}, 0)}) {
      Network<T> net(sizes, gap);
      const auto slice = [](T* p, T*, T*, T*, int64_t n) { return NormSlice<T>{p, n}; };
      double expected = -1;
      T* const host = net.arrays[0].data();
      Cpu<T>::global_norm(net.list({host, host, host, host}, slice), &expected);
      const OnDevice<T> x(net.arrays[0]);
      std::vector<double> first;
      for (uint64_t seed : {1u, 2u, 3u}) {
        simt::set_seed(seed);
        Gpu<T>::global_norm(net.list({x.data(), x.data(), x.data(), x.data()}, slice), norm.data());
        const auto actual = norm.host();
        CHECK(actual[0] == Approx(expected).epsilon(1e-13));
        if (first.empty()) first = actual;
        CHECK(same_bits(actual, first));
      }
    }
    const OnDevice<T> broken(std::vector<T>{1, std::numeric_limits<T>::quiet_NaN(), 2});
    const NormSlice<T> slice = {broken.data(), 3};
    Gpu<T>::global_norm({&slice, 1}, norm.data());
    CHECK(std::isnan(norm.host()[0]));
  });
}

GPU_TEST_CASE("a recorded update counts its steps and takes the rate it finds when it is replayed") {
  const auto start = values<float>(100), grads = values<float>(100, -1, 1, 2);
  std::vector<float> p = start, m(100), v(100);
  const OnDevice<float> dp(start), dg(grads), dm(m), dv(v);
  const OnDevice<double> step(std::vector<double>{0}), lr(1), norm(1);
  double t = 0;
  const AdamSlice<float> on_cpu = {p.data(), grads.data(), m.data(), v.data(), 100, &t};
  const AdamSlice<float> on_gpu = {dp.data(), dg.data(), dm.data(), dv.data(), 100, step.data()};
  const NormSlice<float> gradient = {dg.data(), 100};
  Gpu<float>::global_norm({&gradient, 1}, norm.data());  // makes room for its sums, as a first step does
  DeviceRuntime& device = runtime(gpu);
  device.begin_recording();
  Gpu<float>::global_norm({&gradient, 1}, norm.data());
  Gpu<float>::adam({&on_gpu, 1}, {}, lr.data());
  const auto graph = device.end_recording();
  CHECK(same_bits(dp.host(), start));
  for (const double rate : {0.1, 0.05, 0.03}) {
    device.copy(lr.data(), &rate, sizeof rate);
    graph->replay();
    Cpu<float>::adam({&on_cpu, 1}, {}, &rate);
    require_close(dp.host(), widened(p), 8 * epsilon<float>);
    CHECK(step.host()[0] == t);
  }
}

GPU_TEST_CASE("the global norm adds up more blocks than a block has threads") {
  const int64_t n = 4096 * 300;  // 300 blocks where there are multiprocessors enough
  const OnDevice<float> ones(std::vector<float>(static_cast<size_t>(n), 1));
  const OnDevice<double> norm(1);
  const NormSlice<float> slice = {ones.data(), n};
  Gpu<float>::global_norm({&slice, 1}, norm.data());
  CHECK(norm.host()[0] == Approx(std::sqrt(static_cast<double>(n))));
}
