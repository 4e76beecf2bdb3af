#include "metrics/probe.h"

#include <algorithm>

#include "core/autograd.h"
#include "gan/networks/mlp.h"
#include "nn/optim.h"

namespace forger::metrics {
namespace {

// Codes of rows of a set, and the rows' labels.
struct Known {
  Tensor codes;  // (N, K)
  gan::Batch labels;
};

bool makes_codes(gan::Recipe& recipe, const gan::View& view, const gan::DataSet& data) {
  if (view.draw || view.given.size() != 1 || gan::find_column(data.columns(), view.given.front()) == nullptr)
    return false;
  return recipe.make(view, gan::read_rows(data, 0, 1, view.given)).tensors.front().name == "code";
}

std::vector<std::string> labels_of(const gan::DataSet& data) {
  std::vector<std::string> names;
  for (const gan::Column& column : data.columns())
    if (column.dtype == DType::i64 && column.sample == Shape{} && column.words.size() >= 2)
      names.push_back(column.name);
  return names;
}

Known known(gan::Recipe& recipe, const gan::View& view, const gan::DataSet& data, int64_t most, uint64_t seed) {
  const std::vector<int64_t> rows = some_rows(data, most, seed);
  return {made_of(recipe, view, data, rows), gan::read_rows(data, rows, labels_of(data))};
}

// Learns with numbers whose mean over the training rows is 0 and whose deviation is 1: a code may be small.
class Classifier {
 public:
  Classifier(const Tensor& codes, const Tensor& labels, int64_t classes, uint64_t seed)
      : mean_(mean(codes, {0})),
        deviation_(sqrt(variance(codes, {0}) + 1e-6)),
        random_(seed),
        network_(gan::mlp_generator(codes.size(1), hidden, {classes}, random_)) {
    const int64_t rows = codes.size(0), batch = std::min<int64_t>(batch_size, rows);
    nn::Adam adam(network_->parameters(), {.lr = rate, .beta1 = 0.9, .beta2 = 0.999});
    for (int64_t step = 0; step < steps; step++) {
      std::vector<int64_t> drawn(static_cast<size_t>(batch));
      for (int64_t& row : drawn) row = static_cast<int64_t>(random_.below(static_cast<uint64_t>(rows)));
      std::vector<int64_t> names;
      for (const int64_t row : drawn) names.push_back(labels.data<int64_t>()[row]);
      adam.zero_grad();
      backward(cross_entropy(logits(gather(codes, from_indices(drawn))), from_indices(names)));
      adam.lr = rate * nn::cosine_schedule(step, steps);
      adam.step();
    }
  }
  Tensor logits(const Tensor& codes) { return (*network_)((codes - mean_) / deviation_); }

 private:
  static constexpr int64_t hidden = 128, batch_size = 128, steps = 3000;
  static constexpr double rate = 2e-3;
  Tensor mean_, deviation_;  // (K)
  Random random_;
  nn::LayerPtr network_;
};

double share_of_the_most(const Tensor& labels, size_t classes) {
  std::vector<int64_t> counts(classes);
  for (int64_t i = 0; i < labels.numel(); i++) counts[static_cast<size_t>(labels.data<int64_t>()[i])]++;
  return static_cast<double>(std::ranges::max(counts)) / static_cast<double>(labels.numel());
}

}  // namespace

std::vector<int64_t> some_rows(const gan::DataSet& data, int64_t most, uint64_t seed) {
  std::vector<int64_t> rows = Random(seed).permutation(data.count());
  rows.resize(static_cast<size_t>(std::min(most, data.count())));
  return rows;
}

Tensor made_of(gan::Recipe& recipe, const gan::View& view, const gan::DataSet& data, std::span<const int64_t> rows) {
  std::vector<Tensor> made_parts;
  constexpr size_t at_once = 256;
  for (size_t i = 0; i < rows.size(); i += at_once) {
    const auto part = rows.subspan(i, std::min(at_once, rows.size() - i));
    made_parts.push_back(to(make_all(recipe, view, gan::read_rows(data, part, view.given)), Device::cpu));
  }
  return concat(made_parts, 0);
}

double share_of_equal(const Tensor& a, const Tensor& b) {
  const std::vector<double> of_a = a.to_vector(), of_b = b.to_vector();
  int64_t equal = 0;
  for (size_t i = 0; i < of_a.size(); i++) equal += of_a[i] == of_b[i];
  return static_cast<double>(equal) / static_cast<double>(of_a.size());
}

gan::Scalars probe(gan::Recipe& recipe, const gan::DataSet& train, const gan::DataSet& held_out, int64_t most,
                   uint64_t seed, const Announcer& announce) {
  gan::Scalars found;
  for (const gan::View& view : recipe.views()) {
    if (!makes_codes(recipe, view, train)) continue;
    const Known learnt = known(recipe, view, train, most, seed), asked = known(recipe, view, held_out, most, seed);
    int64_t done = 0;
    for (const std::string& name : labels_of(train)) {
      if (!asked.labels.has(name)) continue;
      if (announce) announce("asking the code " + view.name, done++, std::ssize(labels_of(train)));
      const size_t classes = gan::find_column(train.columns(), name)->words.size();
      Classifier classifier(learnt.codes, learnt.labels[name], static_cast<int64_t>(classes), seed);
      const NoGrad no_grad;
      const std::string key = view.name + "." + name;
      found.push_back({key, share_of_equal(argmax(classifier.logits(asked.codes)), asked.labels[name])});
      found.push_back({key + "_chance", share_of_the_most(asked.labels[name], classes)});
    }
  }
  return found;
}

}  // namespace forger::metrics
