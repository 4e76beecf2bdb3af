// What breaks a cycle: noise over a message that is hidden, and noise over what can be seen.
#include "metrics/steganography.h"

#include "core/ops.h"
#include "gan/data/images.h"
#include "tests/catch.h"
#include "tests/message_of.h"
#include "tests/metrics/bars.h"

using namespace forger;
using namespace forger::metrics;
using test::bars;
using test::message_of;

namespace {

// The rows of bars as a.image; b.image is nothing that is asked for.
class DomainA : public gan::DataSet {
 public:
  explicit DomainA(gan::DataSetPtr images) : images_(std::move(images)), columns_{images_->columns().front()} {
    columns_.front().name = "a.image";
  }
  int64_t count() const override { return images_->count(); }
  const gan::Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    void* into[] = {cells[0], nullptr};
    images_->read_row(i, into);
  }
  std::string name() const override { return "a"; }
  std::string hash() const override { return images_->hash(); }

 private:
  gan::DataSetPtr images_;
  gan::Columns columns_;
};

// Translators that are written down. `visible`: the negative and back. Otherwise the picture in between is grey all
// over but for a hundredth of what it was, which the way back enlarges again.
class Written : public gan::Recipe {
 public:
  explicit Written(double contrast, bool has_back = true)
      : Recipe(gan::common_settings()), contrast_(contrast), has_back_(has_back) {}
  gan::Readings step(const gan::NextBatch& /*next*/) override { return {}; }
  std::vector<gan::View> views() override {
    const auto times = [](const std::string& from, const std::string& into, double by) {
      return gan::View{
          .name = from + "-to-" + into,
          .given = {from + ".image"},
          .make =
              [=](const gan::Batch& batch) { return gan::Batch().add(into + ".image", by * batch[from + ".image"]); },
          .like = into + ".image"};
    };
    std::vector<gan::View> all{times("a", "b", -contrast_)};
    if (has_back_) all.push_back(times("b", "a", -1 / contrast_));
    return all;
  }

 private:
  double contrast_;
  bool has_back_;
};

}  // namespace

TEST_CASE("steganography: none where all can be seen, much where it is hidden") {
  const DomainA held_out(bars(70, 1));
  Written visible(1);
  const std::vector<CycleCurve> open = cycle_under_noise(visible, held_out, 70, /*seed=*/3);
  REQUIRE(open.size() == 1);  // b-to-a is not: the data has no b.image
  const CycleCurve& seen = open.front();
  CHECK(seen.view == "a-to-b");
  CHECK(seen.between.front() == 0);
  for (size_t i = 1; i < seen.sigma.size(); i++) {
    CHECK(seen.between[i] == Approx(0.798 * seen.sigma[i]).epsilon(0.02));  // E |n|
    CHECK(seen.before[i] == Approx(seen.between[i]).epsilon(1e-5));
  }
  CHECK(std::abs(seen.broken() - seen.broken_visibly()) < 1e-6);

  Written hiding(0.01);
  const CycleCurve hidden = cycle_under_noise(hiding, held_out, 70, 3).front();
  CHECK(hidden.broken_visibly() == Approx(seen.broken()).epsilon(1e-3));
  CHECK(hidden.broken() == Approx(100 * hidden.broken_visibly()).epsilon(1e-3));
}

TEST_CASE("steganography: the same for a seed, over a choice of the rows; drawn, and told in numbers") {
  const DomainA held_out(bars(100, 1));
  Written system(0.1);
  const auto curves = cycle_under_noise(system, held_out, 30, 1);
  CHECK(cycle_under_noise(system, held_out, 30, 1).front().between == curves.front().between);
  CHECK(cycle_under_noise(system, held_out, 30, 2).front().between != curves.front().between);
  int64_t last = -1, all = 0;
  cycle_under_noise(system, held_out, 1000, 1, [&](const std::string&, int64_t done, int64_t total) {
    CHECK(done > last);
    last = done, all = total;
  });
  CHECK(last < all);
  CHECK(all == 100 * std::ssize(curves.front().sigma));

  const gan::Plot plot = plot_of(curves);
  CHECK(plot.curves.size() == 2);
  CHECK(csv_of(plot).find("noise between\",0.3,") != std::string::npos);
  const gan::Scalars numbers = numbers_of(curves);
  REQUIRE(numbers.size() == 2);
  CHECK(numbers[0].name == "a-to-b.broken");
  CHECK(numbers[0].value > 5 * numbers[1].value);
  CHECK(line_of(curves.front()).starts_with("a-to-b: noise of 0.1 between moves what comes back by "));
}

TEST_CASE("steganography: only where there is a way back") {
  const DomainA held_out(bars(20, 1));
  Written one_way(1, /*has_back=*/false);
  CHECK(message_of<UsageError>([&] { cycle_under_noise(one_way, held_out, 20, 1); }).find("this system has: a-to-b") !=
        std::string::npos);
  // A view that makes what it is given (a reconstruction) is no way back from itself or from its like.
  const gan::View copy{.name = "copy", .given = {"image"}, .like = "image"},
      other{.name = "reconstruct", .given = {"image"}, .like = "image"};
  CHECK(way_back({copy, other}, copy) == nullptr);
}
