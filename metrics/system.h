// Scores of a whole system: of each of its views (gan/recipe.h) that should be distributed as a column of the data.
// Points of a known mixture have one of their own, "mixture", and so have sequences of letters, "words".
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "metrics/evaluate.h"
#include "metrics/words.h"

namespace forger::metrics {

// Those views; the first one is what the system is for.
std::vector<gan::View> scored_views(gan::Recipe& recipe);

class SystemEvaluation {
 public:
  // `train` and `test` hold the rows that the system was trained on and others. `view`: score that one alone. Without
  // metrics in the request each view is scored by the usual ones of its images, and one that has none is left out, with
  // a line in `left_out`. UsageError for a metric or a view that was asked for by name and cannot be had, DataError for
  // weights that cannot be read: before any work. The recipe must outlive it.
  SystemEvaluation(gan::Recipe& recipe, const gan::DataSetPtr& train, gan::DataSetPtr test, const Request& request,
                   const std::string& view = "", const Announcer& announce = {});

  std::vector<gan::Score> scores(const std::string& name);
  // What stands beside the scores of words (metrics/words.h).
  std::vector<gan::Score> baselines() const;
  void prepare();  // what has to be learnt is learnt now

  const std::vector<std::string>& left_out() const { return left_out_; }
  // A line for people about each network whose features were taken so far.
  std::vector<std::string> networks() const;
  // Of the first view that is scored; null when none is.
  Evaluation* first() { return scored_.empty() ? nullptr : scored_.front().evaluation.get(); }

 private:
  struct Scored {
    gan::View view;
    std::string prefix;  // of its scores' names; none for the first view
    Request request;
    std::shared_ptr<Evaluation> evaluation;  // views that are like one column and asked the same share it
  };
  struct PointView {
    gan::View view;
    std::string prefix;
    gan::Mixture mixture;
    int64_t count;
    uint64_t seed;
  };
  struct WordView {
    gan::View view;
    std::string prefix;
    std::shared_ptr<const WordComparison> words;
    int64_t count;
    uint64_t seed;
  };
  void take_words(const gan::View& view, const gan::DataSet& train, const Request& request, const std::string& prefix);
  void take_points(const gan::View& view, const gan::DataSet& train, const Request& request, const std::string& prefix);

  gan::Recipe& recipe_;
  gan::DataSetPtr test_;
  std::vector<PointView> points_;
  std::vector<WordView> words_;
  std::vector<Scored> scored_;
  std::vector<std::string> left_out_;
};

}  // namespace forger::metrics
