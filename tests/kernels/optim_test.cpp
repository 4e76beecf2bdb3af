// Optimiser updates over lists of unequal tensors against the papers' formulas in double.
#include <functional>

#include "tests/kernels/values.h"

using namespace forger::kernels;

namespace {

const std::vector<int64_t> sizes = {1, 0, 33, 50001, 31, 257, 7};

// The parameters of a network and their state: one vector per tensor.
template <class T>
struct Tensors {
  std::vector<std::vector<T>> list;
  Tensors(double low, double high, unsigned seed) {
    for (int64_t n : sizes) list.push_back(values<T>(n, low, high, seed++));
  }
  T* operator[](size_t i) { return list[i].data(); }
};

// update(tensor, element) in double for every element, then compares with `actual`.
template <class T>
void check_each(const Tensors<T>& actual, const std::function<double(size_t, size_t)>& right) {
  for (size_t k = 0; k < sizes.size(); k++) {
    std::vector<double> expected;
    for (size_t i = 0; i < actual.list[k].size(); i++) expected.push_back(right(k, i));
    require_close(actual.list[k], expected, 16 * epsilon<T>);
  }
}

}  // namespace

TEST_CASE("adam follows algorithm 1, with decoupled decay") {
  for_types([]<class T>(T) {
    for (double decay : {0.0, 0.1}) {
      for (double step : {1.0, 2.0, 1000.0}) {
        const double lr = 0.01;
        const AdamSettings s = {lr, 0.5, 0.99, 1e-3, decay};
        const Tensors<T> p0(-1, 1, 1), g0(-1, 1, 20), m0(-1, 1, 40), v0(0, 1, 60);
        Tensors<T> p = p0, g = g0, m = m0, v = v0;
        std::vector<double> before(sizes.size(), step - 1);
        std::vector<AdamSlice<T>> list;
        for (size_t k = 0; k < sizes.size(); k++) list.push_back({p[k], g[k], m[k], v[k], sizes[k], &before[k]});
        Cpu<T>::adam(list, s, &lr);
        CHECK(before == std::vector<double>(sizes.size(), step));
        const auto grad = [&](size_t k, size_t i) { return static_cast<double>(g0.list[k][i]); };
        const auto new_m = [&](size_t k, size_t i) { return 0.5 * m0.list[k][i] + 0.5 * grad(k, i); };
        const auto new_v = [&](size_t k, size_t i) { return 0.99 * v0.list[k][i] + 0.01 * grad(k, i) * grad(k, i); };
        check_each<T>(m, new_m);
        check_each<T>(v, new_v);
        check_each<T>(p, [&](size_t k, size_t i) {
          const double m_hat = new_m(k, i) / (1 - std::pow(0.5, step)),
                       v_hat = new_v(k, i) / (1 - std::pow(0.99, step));
          return p0.list[k][i] * (1 - 0.01 * decay) - 0.01 * m_hat / (std::sqrt(v_hat) + 1e-3);
        });
      }
    }
    const double one = 1;
    Cpu<T>::adam({}, {}, &one);
  });
}

TEST_CASE("accumulate adds in place") {
  for_types([]<class T>(T) {
    const Tensors<T> sum0(-1, 1, 1), x0(-1, 1, 20);
    Tensors<T> sum = sum0, x = x0;
    std::vector<SumSlice<T>> list;
    for (size_t k = 0; k < sizes.size(); k++) list.push_back({sum[k], x[k], sizes[k]});
    Cpu<T>::accumulate(list);
    check_each<T>(sum, [&](size_t k, size_t i) { return sum0.list[k][i] + static_cast<double>(x0.list[k][i]); });
    CHECK(x.list == x0.list);
    Cpu<T>::accumulate({});
  });
}

TEST_CASE("rmsprop divides by the root mean square") {
  for_types([]<class T>(T) {
    const Tensors<T> p0(-1, 1, 1), g0(-1, 1, 20), v0(0.1, 1, 60);
    Tensors<T> p = p0, g = g0, v = v0;
    std::vector<RmsPropSlice<T>> list;
    for (size_t k = 0; k < sizes.size(); k++) list.push_back({p[k], g[k], v[k], sizes[k]});
    const double lr = 0.01;
    Cpu<T>::rmsprop(list, &lr, 0.9, 1e-3);
    const auto new_v = [&](size_t k, size_t i) { return 0.9 * v0.list[k][i] + 0.1 * std::pow(g0.list[k][i], 2.0); };
    check_each<T>(v, new_v);
    check_each<T>(
        p, [&](size_t k, size_t i) { return p0.list[k][i] - 0.01 * g0.list[k][i] / (std::sqrt(new_v(k, i)) + 1e-3); });
  });
}

TEST_CASE("sgd with and without momentum and decay") {
  for_types([]<class T>(T) {
    for (bool momentum : {false, true}) {
      const double mu = momentum ? 0.9 : 0;
      const Tensors<T> p0(-1, 1, 1), g0(-1, 1, 20), v0(-1, 1, 60);
      Tensors<T> p = p0, g = g0, v = v0;
      std::vector<SgdSlice<T>> list;
      for (size_t k = 0; k < sizes.size(); k++) list.push_back({p[k], g[k], momentum ? v[k] : nullptr, sizes[k]});
      const double lr = 0.05;
      Cpu<T>::sgd(list, &lr, mu, 0.01);
      const auto velocity = [&](size_t k, size_t i) {
        return mu * v0.list[k][i] + g0.list[k][i] + 0.01 * p0.list[k][i];
      };
      if (momentum) check_each<T>(v, velocity);
      check_each<T>(p, [&](size_t k, size_t i) { return p0.list[k][i] - 0.05 * velocity(k, i); });
    }
  });
}

TEST_CASE("lerp moves towards the source") {
  for_types([]<class T>(T) {
    const Tensors<T> d0(-1, 1, 1);
    Tensors<T> d = d0, s(-1, 1, 20);
    std::vector<LerpSlice<T>> list;
    for (size_t k = 0; k < sizes.size(); k++) list.push_back({d[k], s[k], sizes[k]});
    Cpu<T>::lerp(list, 0.25);
    check_each<T>(d, [&](size_t k, size_t i) { return 0.75 * d0.list[k][i] + 0.25 * s.list[k][i]; });
  });
}

TEST_CASE("the global norm is that of all tensors as one vector") {
  for_types([]<class T>(T) {
    const Tensors<T> x(-1, 1, 1);
    std::vector<NormSlice<T>> list;
    double sum = 0, norm = -1;
    for (const auto& tensor : x.list) {
      list.push_back({tensor.data(), static_cast<int64_t>(tensor.size())});
      for (const T v : tensor) sum += static_cast<double>(v) * static_cast<double>(v);
    }
    Cpu<T>::global_norm(list, &norm);
    CHECK(norm == Approx(std::sqrt(sum)).epsilon(1e-13));
    Cpu<T>::global_norm({}, &norm);
    CHECK(norm == 0);
    const T broken = std::numeric_limits<T>::quiet_NaN();
    list.push_back({&broken, 1});
    Cpu<T>::global_norm(list, &norm);
    CHECK(std::isnan(norm));
  });
}

TEST_CASE("clipping scales down to the greatest norm, and only down, and only by a finite norm") {
  for_types([]<class T>(T) {
    const Tensors<T> x0(-1, 1, 1);
    const auto clipped = [&](double norm, double max_norm) {
      Tensors<T> x = x0;
      std::vector<ClipSlice<T>> list;
      for (size_t k = 0; k < sizes.size(); k++) list.push_back({x[k], sizes[k]});
      Cpu<T>::clip_norm(list, &norm, max_norm);
      return x;
    };
    check_each<T>(clipped(8, 2), [&](size_t k, size_t i) { return 0.25 * x0.list[k][i]; });
    for (double norm : {0.0, 1.0, 2.0, static_cast<double>(INFINITY), static_cast<double>(NAN)})
      CHECK(clipped(norm, 2).list == x0.list);
  });
}

TEST_CASE("updates are the same bits for every thread count") {
  const int before = threads();
  const auto run = [](int count) {
    set_threads(count);
    Tensors<float> p(-1, 1, 1), g(-1, 1, 20), m(-1, 1, 40), v(0, 1, 60);
    std::vector<double> steps(sizes.size());
    std::vector<AdamSlice<float>> list;
    for (size_t k = 0; k < sizes.size(); k++) list.push_back({p[k], g[k], m[k], v[k], sizes[k], &steps[k]});
    const double lr = 2e-4;
    Cpu<float>::adam(list, {}, &lr);
    return p.list;
  };
  CHECK(run(1) == run(2));
  const auto norm = [](int count) {
    set_threads(count);
    const auto x = values<float>(300001);
    const NormSlice<float> slice = {x.data(), 300001};
    double result = 0;
    Cpu<float>::global_norm({&slice, 1}, &result);
    return result;
  };
  CHECK(norm(1) == norm(2));
  set_threads(before);
}
