// The loader: an order that is a pure function of (seed, epoch), whatever the prefetch, the batch or the restart.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <set>
#include <thread>

#include "core/error.h"
#include "gan/data.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

// Sample i is (i, 2i) with label i % 3; sample `broken` cannot be read.
class Counting : public DataSet {
 public:
  explicit Counting(int64_t count, int64_t broken = -1, int64_t classes = 3)
      : count_(count), broken_(broken), columns_{{.name = "point", .sample = {2}}} {
    if (classes > 0) columns_.push_back({"label", {}, DType::i64, std::vector<std::string>(3, "class")});
  }
  int64_t count() const override { return count_; }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    reads++;
    check<DataError>(i != broken_, "sample ", i, " is broken");
    auto* const point = static_cast<float*>(cells[0]);
    point[0] = static_cast<float>(i);
    point[1] = static_cast<float>(2 * i);
    if (cells.size() > 1) *static_cast<int64_t*>(cells[1]) = i % 3;
  }
  std::string name() const override { return "counting"; }
  std::string hash() const override { return ""; }
  mutable std::atomic<int64_t> reads = 0;

 private:
  int64_t count_, broken_;
  Columns columns_;
};

// Two of them side by side.
class Beside : public DataSet {
 public:
  Beside(int64_t a, int64_t b) : a_(std::make_shared<Counting>(a)), b_(std::make_shared<Counting>(b)) {}
  int64_t count() const override { return std::max(a_->count(), b_->count()); }
  const Columns& columns() const override { return a_->columns(); }
  void read_row(int64_t i, std::span<void* const> cells) const override { a_->read_row(i, cells); }
  std::string name() const override { return "beside"; }
  std::string hash() const override { return ""; }
  std::vector<Domain> domains() const override { return {{"a", a_}, {"b", b_}}; }

 private:
  DataSetPtr a_, b_;
};

std::vector<int64_t> indices(const Batch& batch, const std::string& domain = "") {
  std::vector<int64_t> result;
  const float* x = batch[domain + "point"].data<float>();
  for (int64_t i = 0; i < batch.rows(); i++) {
    REQUIRE(x[2 * i + 1] == 2 * x[2 * i]);
    REQUIRE(batch[domain + "label"].data<int64_t>()[i] == static_cast<int64_t>(x[2 * i]) % 3);
    result.push_back(static_cast<int64_t>(x[2 * i]));
  }
  return result;
}

std::vector<int64_t> draw(Loader& loader, int batches) {
  std::vector<int64_t> result;
  for (int i = 0; i < batches; i++) {
    const std::vector<int64_t> batch = indices(loader.next());
    result.insert(result.end(), batch.begin(), batch.end());
  }
  return result;
}

std::vector<int64_t> draw(int64_t count, int64_t batch, uint64_t seed, int batches, uint64_t drawn = 0,
                          int prefetch = 4) {
  Loader loader(std::make_shared<Counting>(count), batch, seed, drawn, prefetch);
  return draw(loader, batches);
}

}  // namespace

TEST_CASE("loader: domains are drawn side by side, each in an order of its own") {
  Loader loader(std::make_shared<Beside>(10, 7), 5, 1);
  std::vector<int64_t> a, b;
  for (int i = 0; i < 14; i++) {
    const Batch batch = loader.next();
    CHECK(batch.tensors.size() == 4);
    for (const int64_t row : indices(batch, "a.")) a.push_back(row);
    for (const int64_t row : indices(batch, "b.")) b.push_back(row);
  }
  CHECK(a == draw(10, 5, 1, 14));  // the first as if it were alone
  CHECK(loader.drawn() == 70);
  for (size_t epoch = 0; epoch < 10; epoch++) {  // each goes through its rows once per epoch of its own
    const auto of_b = b.begin() + static_cast<ptrdiff_t>(7 * epoch);
    CHECK(std::set<int64_t>(of_b, of_b + 7).size() == 7);
  }
  // Sets of one size do not move in step.
  Loader equal(std::make_shared<Beside>(1000, 1000), 1000, 1);
  const Batch batch = equal.next();
  const auto left = indices(batch, "a."), right = indices(batch, "b.");
  int64_t same = 0;
  for (size_t i = 0; i < left.size(); i++) same += left[i] == right[i];
  CHECK(same < 10);  // one on average
  Loader resumed(std::make_shared<Beside>(10, 7), 5, 1, 65);
  CHECK(indices(resumed.next(), "b.") == std::vector<int64_t>(b.end() - 5, b.end()));
  CHECK(error_of<UsageError>([] { Loader(std::make_shared<Beside>(10, 7), 8, 1); }).find("has 7") != std::string::npos);
}

TEST_CASE("loader: batches and their shapes") {
  Loader loader(std::make_shared<Counting>(10), 4, 1);
  const Batch batch = loader.next();
  CHECK(batch["point"].shape() == Shape{4, 2});
  CHECK(batch["point"].dtype() == DType::f32);
  CHECK(batch["label"].shape() == Shape{4});
  CHECK(batch["label"].dtype() == DType::i64);
  CHECK_THROWS_AS(batch["image"], Error);
  CHECK(loader.drawn() == 4);
  Loader unlabelled(std::make_shared<Counting>(10, -1, 0), 4, 1);
  CHECK_FALSE(unlabelled.next().has("label"));
  CHECK(unlabelled.data().count() == 10);
}

TEST_CASE("loader: every epoch is another permutation, across the borders of batches") {
  constexpr int64_t count = 30;
  const std::vector<int64_t> order = draw(count, 7, 3, 30);  // 210 samples: 7 epochs
  std::set<std::vector<int64_t>> epochs;
  for (auto first = order.begin(); first != order.end(); first += count) {
    std::vector<int64_t> epoch(first, first + count);
    epochs.insert(epoch);
    std::sort(epoch.begin(), epoch.end());
    std::vector<int64_t> all(count);
    std::iota(all.begin(), all.end(), 0);
    CHECK(epoch == all);
  }
  CHECK(epochs.size() == 7);
}

TEST_CASE("loader: the order depends on the seed alone") {
  const std::vector<int64_t> order = draw(101, 10, 5, 30);
  CHECK(draw(101, 10, 5, 30) == order);
  CHECK(draw(101, 10, 6, 30) != order);
  for (const int prefetch : {1, 2, 9}) CHECK(draw(101, 10, 5, 30, 0, prefetch) == order);
  CHECK(draw(101, 100, 5, 3) == order);  // another batch size cuts the same order
}

TEST_CASE("loader: restarted anywhere, it goes on as if it had not stopped") {
  const std::vector<int64_t> order = draw(29, 8, 5, 40);
  for (const int before : {0, 1, 3, 4, 20}) {
    Loader first(std::make_shared<Counting>(29), 8, 5);
    const std::vector<int64_t> start = draw(first, before);
    CHECK(first.drawn() == static_cast<uint64_t>(8 * before));
    std::vector<int64_t> both = start;
    const std::vector<int64_t> rest = draw(29, 8, 5, 40 - before, first.drawn());
    both.insert(both.end(), rest.begin(), rest.end());
    CHECK(both == order);
  }
}

TEST_CASE("loader: it reads ahead, and no further than told") {
  const auto data = std::make_shared<Counting>(1000);
  Loader loader(data, 10, 1, 0, 3);
  loader.next();
  for (int i = 0; i < 500 && data->reads < 40; i++) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(data->reads == 40);  // one batch handed out, three waiting
  CHECK(loader.drawn() == 10);
}

TEST_CASE("loader: a whole data set in a batch, but not more") {
  CHECK(draw(5, 5, 1, 4).size() == 20);
  CHECK(error_of<UsageError>([] { Loader(std::make_shared<Counting>(5), 6, 1); }) ==
        "--batch 6 needs at least as many samples, counting has 5");
  CHECK_THROWS_AS(Loader(std::make_shared<Counting>(5), 0, 1), UsageError);
  CHECK_THROWS_AS(Loader(std::make_shared<Counting>(5), 2, 1, 0, 0), UsageError);
}

TEST_CASE("loader: an error of the reading thread comes out of next, in its turn and for good") {
  const std::vector<int64_t> order = draw(40, 4, 2, 10);
  const int64_t broken = order[22];  // in the sixth batch
  Loader loader(std::make_shared<Counting>(40, broken), 4, 2);
  draw(loader, 5);
  const std::string expected = text("sample ", broken, " is broken");
  CHECK(error_of<DataError>([&] { loader.next(); }) == expected);
  CHECK(error_of<DataError>([&] { loader.next(); }) == expected);
  CHECK(loader.drawn() == 20);
}

TEST_CASE("loader: it can go at any moment, and leaves nobody reading") {
  const auto left_alone = [](const std::shared_ptr<Counting>& data) {
    const auto reads = data->reads.load();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return data.use_count() == 1 && data->reads == reads;
  };
  for (int i = 0; i < 50; i++) {
    const auto data = std::make_shared<Counting>(100);
    {
      Loader loader(data, 10, 1, 0, 1 + i % 4);
      if (i % 3 != 0) loader.next();
    }
    CHECK(left_alone(data));
  }
  const auto broken = std::make_shared<Counting>(10, 3);
  { Loader failed(broken, 10, 1); }  // goes with its error unread
  CHECK(left_alone(broken));
}

TEST_CASE("loader: real images", "[fashion-mnist]") {
  Loader loader(open_data("fashion-mnist", 32), 64, 0);
  for (int i = 0; i < 3; i++) {
    const Batch batch = loader.next();
    CHECK(batch["image"].shape() == Shape{64, 32, 32, 1});
    const std::vector<double> values = batch["image"].to_vector();
    CHECK(*std::min_element(values.begin(), values.end()) == -1);
    CHECK(*std::max_element(values.begin(), values.end()) > 0.5);
    for (const double label : batch["label"].to_vector()) CHECK((label >= 0 && label < 10));
  }
}
