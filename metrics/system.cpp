#include "metrics/system.h"

#include <algorithm>

#include "core/ops.h"
#include "gan/words.h"
#include "metrics/extractor.h"
#include "metrics/mode_coverage.h"

namespace forger::metrics {
namespace {

// Whether the samples of a view are of classes that it draws.
bool draws_classes(const gan::View& view) {
  Random random(0);
  return view.draw && view.draw(1, random).has("label");
}

bool is_of_points(const gan::View& view, const gan::DataSet& data) {
  const gan::Column* column = gan::find_column(data.columns(), view.like);
  return column != nullptr && column->sample.rank() == 1;
}

}  // namespace

std::vector<gan::View> scored_views(gan::Recipe& recipe) {
  std::vector<gan::View> views = recipe.views();
  std::erase_if(views, [](const gan::View& view) { return view.like.empty(); });
  return views;
}

SystemEvaluation::SystemEvaluation(gan::Recipe& recipe, const gan::DataSetPtr& train, gan::DataSetPtr test,
                                   const Request& request, const std::string& only, const Announcer& announce)
    : recipe_(recipe), test_(std::move(test)) {
  check_request(request);
  const std::vector<gan::View> views = scored_views(recipe);
  check<UsageError>(only.empty() || gan::find_view(views, only) != nullptr, "no view '", only,
                    "' of this system can be scored; there are: ", views.empty() ? "none" : gan::names_of(views));
  for (const gan::View& view : views) {
    if (!only.empty() && view.name != only) continue;
    const std::string prefix = &view == &views.front() ? "" : view.name;
    if (gan::find_words(train->columns(), view.like) != nullptr) {
      take_words(view, *train, request, prefix);
      continue;
    }
    if (is_of_points(view, *train)) {
      take_points(view, *train, request, prefix);
      continue;
    }
    try {
      const gan::DataSetPtr reals = gan::images_of(train, view.like);
      Scored scored{.view = view, .prefix = prefix, .request = request, .evaluation = {}};
      scored.request.asked = draws_classes(view);
      if (request.metrics.empty()) scored.request.metrics = usual_metrics(*reals, scored.request);
      for (const Scored& other : scored_)
        if (other.view.like == view.like && other.request.metrics == scored.request.metrics &&
            other.request.asked == scored.request.asked)
          scored.evaluation = other.evaluation;
      if (!scored.evaluation)
        scored.evaluation =
            std::make_shared<Evaluation>(reals, gan::images_of(test_, view.like), scored.request, announce);
      scored_.push_back(std::move(scored));
    } catch (const UsageError& error) {
      if (!request.metrics.empty() || !only.empty()) throw;
      left_out_.push_back(text("the view ", view.name, " is not scored: ", error.what()));
    }
  }
}

void SystemEvaluation::take_words(const gan::View& view, const gan::DataSet& train, const Request& request,
                                  const std::string& prefix) {
  const bool asked = std::ranges::all_of(request.metrics, [](const std::string& name) { return name == "words"; });
  check<UsageError>(asked, train.name(), " holds words, which only the metric 'words' scores");
  words_.push_back(
      {view, prefix, std::make_shared<WordComparison>(train, *test_, view.like), request.count, request.seed});
}

void SystemEvaluation::take_points(const gan::View& view, const gan::DataSet& train, const Request& request,
                                   const std::string& prefix) {
  const auto mixture = train.mixture();
  const bool known = mixture && view.draw && view.given.empty();
  const bool asked = std::ranges::all_of(request.metrics, [](const std::string& name) { return name == "mixture"; });
  if (known && asked) {
    points_.push_back({view, prefix, *mixture, request.count, request.seed});
    return;
  }
  const std::string why = known ? text(train.name(), " holds points, which only the metric 'mixture' scores")
                                : text(train.name(), " holds points of no known mixture, which no metric scores");
  check<UsageError>(request.metrics.empty(), why);
  left_out_.push_back(text("the view ", view.name, " is not scored: ", why));
}

std::vector<gan::Score> SystemEvaluation::scores(const std::string& name) {
  std::vector<gan::Score> all;
  for (const PointView& points : points_) {
    Random random(points.seed, judged_stream);
    std::vector<Tensor> parts;
    make_in_parts(recipe_, points.view, points.view.draw(points.count, random),
                  [&](const gan::Batch&, const gan::Batch& made) {
                    parts.push_back(to(made.tensors.front().tensor, Device::cpu));
                  });
    all.push_back(mixture_score(concat(parts, 0), points.mixture));
    all.back().view = points.prefix;
  }
  for (const WordView& of : words_) {
    Random random(of.seed, judged_stream);
    std::vector<Word> made;
    const gan::Batch from = of.view.draw(of.count, random);
    make_in_parts(recipe_, of.view, from, [&](const gan::Batch&, const gan::Batch& each) {
      for (Word& word : words_of(each.tensors.front().tensor)) made.push_back(std::move(word));
    });
    all.push_back(of.words->score(made));
    all.back().view = of.prefix;
  }
  for (const Scored& scored : scored_) {
    const std::string of = scored.prefix.empty() ? name : text(name, " (", scored.prefix, ")");
    for (gan::Score& score : scored.evaluation->scores(recipe_, scored.view, *test_, of)) {
      score.view = scored.prefix;
      all.push_back(std::move(score));
    }
  }
  return all;
}

std::vector<gan::Score> SystemEvaluation::baselines() const {
  std::vector<gan::Score> all;
  for (const WordView& of : words_)
    for (gan::Score& score : of.words->baselines(of.count, of.seed)) {
      score.view = of.prefix;
      all.push_back(std::move(score));
    }
  return all;
}

void SystemEvaluation::prepare() {
  for (const Scored& scored : scored_) scored.evaluation->prepare();
}

std::vector<std::string> SystemEvaluation::networks() const {
  std::vector<std::string> lines;
  for (const Scored& scored : scored_)
    for (const std::string& line : scored.evaluation->networks())
      if (std::ranges::find(lines, line) == lines.end()) lines.push_back(line);
  return lines;
}

}  // namespace forger::metrics
