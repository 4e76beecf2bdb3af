// What a fresh classifier finds in a code: of codes whose content is known.
#include "metrics/probe.h"

#include <map>

#include "core/ops.h"
#include "tests/catch.h"

using namespace forger;
using namespace forger::metrics;

namespace {

// Rows i of a number, its remainder by 3 and whether it is large.
class Numbers : public gan::DataSet {
 public:
  explicit Numbers(int64_t first) : first_(first) {}
  int64_t count() const override { return 300; }
  const gan::Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    const int64_t n = (first_ + i) % 10;
    if (cells[0] != nullptr) *static_cast<float*>(cells[0]) = static_cast<float>(n);
    if (cells[1] != nullptr) *static_cast<int64_t*>(cells[1]) = n % 3;
    if (cells[2] != nullptr) *static_cast<int64_t*>(cells[2]) = n >= 8 ? 1 : 0;
  }
  std::string name() const override { return "numbers"; }
  std::string hash() const override { return "numbers"; }

 private:
  int64_t first_;
  gan::Columns columns_{{.name = "x", .sample = {1}},
                        {"remainder", {}, DType::i64, {"0", "1", "2"}},
                        {"large", {}, DType::i64, {"no", "yes"}}};
};

class Coder : public gan::Recipe {
 public:
  explicit Coder(std::function<Tensor(const Tensor& x)> code, std::string made = "code")
      : Recipe(gan::common_settings()), code_(std::move(code)), made_(std::move(made)) {}
  gan::Readings step(const gan::NextBatch& /*next*/) override { return {}; }
  std::vector<gan::View> views() override {
    return {{.name = "content", .given = {"x"}, .make = [this](const gan::Batch& from) {
               return gan::Batch().add(made_, code_(from["x"]));
             }}};
  }

 private:
  std::function<Tensor(const Tensor&)> code_;
  std::string made_;
};

std::map<std::string, double> probed(Coder coder) {
  std::map<std::string, double> found;
  for (const auto& [name, value] : probe(coder, Numbers(0), Numbers(5), 1000, 1)) found[name] = value;
  return found;
}

}  // namespace

TEST_CASE("probe: all labels are found in a code that holds them, on any scale; none in one that says nothing") {
  auto found = probed(Coder([](const Tensor& x) { return 1e-3 * x + 5; }));
  CHECK(found.size() == 4);
  CHECK(found.at("content.remainder") > 0.95);
  CHECK(found.at("content.remainder_chance") == Approx(0.4));
  CHECK(found.at("content.large") > 0.95);
  CHECK(found.at("content.large_chance") == Approx(0.8));

  found = probed(Coder([](const Tensor& x) { return 0 * x; }));
  CHECK(found.at("content.remainder") < 0.45);
  CHECK(found.at("content.large") == Approx(0.8));

  found = probed(Coder([](const Tensor& x) { return greater(x, full(x.shape(), 7.5)); }));
  CHECK(found.at("content.large") == 1);
  CHECK(found.at("content.remainder") < 0.6);
}

TEST_CASE("probe: what makes no codes is not asked") {
  CHECK(probed(Coder([](const Tensor& x) { return x; }, "image")).empty());
}
