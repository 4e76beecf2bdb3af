#include "metrics/evaluate.h"

#include <algorithm>
#include <numeric>

#include "core/autograd.h"
#include "core/device.h"
#include "core/ops.h"
#include "core/utf8.h"
#include "gan/data/images.h"
#include "gan/settings.h"
#include "nn/checkpoint.h"

namespace forger::metrics {
namespace {

constexpr int64_t is_splits = 10, kid_subsets = 100, kid_size = 1000;
// Rows at the most, of metrics whose cost grows with the square, or with fakes times training images.
constexpr int64_t most_neighbours = 10'000, most_memorised = 1'000, most_validation = 1'000, most_pairs = 2'000;
constexpr int64_t least_images = 10;
constexpr int64_t most_bytes = int64_t{1} << 30;  // of a data set's pixels that are compared with
constexpr double alarm = 0.01;                    // p of the memorisation test from which on a remark is made

std::string thousands(int64_t n) {
  std::string digits = std::to_string(n);
  for (int64_t at = std::ssize(digits) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

Tensor rows(const Tensor& x, int64_t most) { return slice(x, 0, 0, std::min(most, x.size(0))); }

Gaussian gaussian_of(const Tensor& features) {
  Moments moments(features.size(1));
  moments.add(features);
  return moments.gaussian();
}

std::string rank_remark(int64_t reals, int64_t fakes, int64_t dims) {
  if (std::min(reals, fakes) > dims) return {};
  return text("fewer than ", thousands(dims + 1),
              " images: the covariance is not of full rank and the score is too high; compare at equal N only");
}

// A folder's hash is of names and sizes: two that agree there are told apart by their first image.
bool same_images(const gan::DataSet& a, const gan::DataSet& b) {
  if (a.count() != b.count() || a.hash() != b.hash() || !(a.sample() == b.sample())) return false;
  std::vector<float> x(static_cast<size_t>(a.sample().numel())), y(x.size());
  a.read(0, x.data());
  b.read(0, y.data());
  return x == y;
}

// Who looks, and what it saw in the real images.
struct Viewer {
  ExtractorPtr extractor;
  std::optional<Tensor> reals;  // features
  std::optional<Seen> fakes;    // of the call in progress
  std::optional<Gaussian> real_gaussian;
};

}  // namespace

const std::vector<MetricEntry>& metric_entries() {
  static const std::vector<MetricEntry> entries{
      {"fid", "Frechet Inception distance (Heusel et al. 2017)", true, true},
      {"is", "Inception Score (Salimans et al. 2016)", false, true},
      {"kid", "kernel Inception distance (Binkowski et al. 2018)", true, true},
      {"pr", "precision and recall (Kynkaanniemi et al. 2019)", false, false},
      {"dc", "density and coverage (Naeem et al. 2020)", false, false},
      {"fcd", "Frechet distance in the built-in judge's features", true, false, true},
      {"cs", "Inception Score's formula on the built-in judge's logits", false, false, true},
      {"kcd", "kernel distance in the built-in judge's features", true, false, true},
      {"parzen", "log-likelihood of real images under a Parzen window, in nats", false, false},
      {"memorisation", "p-value: are samples nearer to training than to held-out images?", false, false},
      {"modes", "classes that never come, by the built-in judge; class histogram, confidence", true, false, true},
      {"asked", "share of samples in which the built-in judge finds the class that was asked for", false, false, true,
       true},
      {"collapse", "pairwise distance of samples over that of real images; support by birthday paradox", false, false},
  };
  return entries;
}

const MetricEntry& find_metric(const std::string& name) {
  std::vector<std::string> names;
  for (const MetricEntry& entry : metric_entries()) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  throw UsageError(text("there is no metric '", name, "'; did you mean '", gan::nearest(name, names), "'?"));
}

std::vector<std::string> parse_metrics(const std::string& names) {
  std::vector<std::string> metrics;
  std::istringstream in(names);
  for (std::string name; std::getline(in, name, ',');) {
    if (name.empty() || std::find(metrics.begin(), metrics.end(), name) != metrics.end()) continue;
    metrics.push_back(find_metric(name).name);
  }
  if (!metrics.empty()) return metrics;
  std::string known;
  for (const MetricEntry& entry : metric_entries()) known += (known.empty() ? "" : ", ") + entry.name;
  throw UsageError("no metric is named; there are: " + known);
}

std::vector<std::string> usual_metrics(const gan::DataSet& images, const Request& request) {
  if (!request.inception.empty()) return parse_metrics("fid,is,kid,pr,dc");
  if (images.classes() < 2) return parse_metrics("parzen,collapse");
  return parse_metrics(request.asked ? "fcd,cs,kcd,pr,dc,modes,asked,collapse" : "fcd,cs,kcd,pr,dc,modes,collapse");
}

void check_request(const Request& request) {
  check<UsageError>(!request.conventions.empty(), "no convention is named");
  check<UsageError>(request.count >= least_images, "scores need at least ", least_images, " samples, got ",
                    request.count);
}

// ---- an evaluation --------------------------------------------------------------------------------------------------

struct Evaluation::Impl {
  Request request;
  Announcer announce;
  gan::DataSetPtr train, test;
  Pictures reals;  // of the split
  std::shared_ptr<const Judge> judge_;
  std::map<std::string, Viewer> viewers;     // by convention; "judge"
  std::shared_ptr<const Inception> network;  // where there is a file of weights
  std::optional<Tensor> train_images, held_out_images, train_features, held_out_features;
  std::optional<Pictures> fakes;  // of the call in progress

  Impl(gan::DataSetPtr training, gan::DataSetPtr held_out, Request r, Announcer a)
      : request(std::move(r)), announce(std::move(a)), train(std::move(training)), test(std::move(held_out)) {
    const std::string data = train->name();
    check<UsageError>(train->sample().rank() == 3, data, " holds points: these metrics judge images");
    const bool has_split = !same_images(*train, *test);
    for (const std::string& metric : request.metrics) {
      const MetricEntry& entry = find_metric(metric);
      check<UsageError>(!entry.needs_inception || !request.inception.empty(), "the metric '", metric,
                        "' needs Inception's weights: --inception FILE (made by metrics/convert_inception.py); ",
                        "without them 'fcd', 'cs' and 'kcd' take the built-in judge");
      check<UsageError>(!entry.needs_labels || train->classes() > 1, "the metric '", metric,
                        "' needs the built-in judge, and ", data, " has no labels for it to learn");
      check<UsageError>(!entry.needs_asked || request.asked, "the metric '", metric,
                        "' needs a system that is told which class to make: cgan");
      check<UsageError>((metric != "pr" && metric != "dc") || can_see(), "the metric '", metric,
                        "' needs features: ", data,
                        " has no labels for the built-in judge to learn; give --inception FILE");
      check<UsageError>(metric != "memorisation" || has_split, "the metric 'memorisation' needs images that training ",
                        "has not seen, and ", data, " has no test set: a folder needs train/ and test/");
    }
    check_request(request);
    if (!request.inception.empty()) network = std::make_shared<const Inception>(request.inception);
    const bool use_train = request.split == gan::Subset::train || !has_split;
    if (use_train) request.split = gan::Subset::train;
    const gan::DataSetPtr& split = use_train ? train : test;
    reals = pictures_of(split, text(data, " (", split_name(), ")"))
                .some(std::min(request.count, split->count()), request.seed);
  }

  void prepare() {
    for (const std::string& metric : request.metrics) {
      const bool features = metric == "pr" || metric == "dc" || metric == "collapse";
      const bool by_judge = find_metric(metric).needs_labels || (features && request.inception.empty() && can_see()) ||
                            (metric == "memorisation" && train->classes() > 1);
      if (by_judge) judge();
    }
  }

  const char* split_name() const { return request.split == gan::Subset::train ? "train" : "test"; }
  bool can_see() const { return !request.inception.empty() || train->classes() > 1; }
  Ticker ticker(const std::string& what) const {
    if (!announce) return {};
    return [this, what](int64_t done, int64_t total) { announce(what, done, total); };
  }

  std::shared_ptr<const Judge> judge() {
    if (!judge_) {
      constexpr uint64_t seed = 0;
      judge_ = Judge::of(train, test, seed, request.cache, ticker("training the built-in judge"));
    }
    return judge_;
  }

  Viewer& viewer(const std::string& convention) {
    Viewer& viewer = viewers[convention];
    if (viewer.extractor) return viewer;
    viewer.extractor =
        convention == "judge" ? ExtractorPtr(judge()) : inception_extractor(network, find_convention(convention));
    return viewer;
  }
  // The one for features as such: Inception's first convention where there is one.
  Viewer& best_viewer() { return viewer(request.inception.empty() ? "judge" : name_of(request.conventions.front())); }
  const Tensor& seen_reals(Viewer& v) {
    if (!v.reals) v.reals = features_of(v, reals);
    return *v.reals;
  }
  Tensor features_of(const Viewer& v, const Pictures& pictures) const {
    return look_at(*v.extractor, pictures, ticker("looking at " + pictures.name)).features;
  }
  const Seen& seen_fakes(Viewer& v) {
    if (!v.fakes) v.fakes = look_at(*v.extractor, *fakes, ticker("looking at " + fakes->name));
    return *v.fakes;
  }
  // All images of a set, or as many as `most_bytes` of floats hold.
  Pictures comparable(const gan::DataSetPtr& data) const {
    const int64_t most = std::max<int64_t>(1, most_bytes / (data->sample().numel() * int64_t{sizeof(float)}));
    return pictures_of(data, data->name()).some(std::min(most, data->count()), request.seed);
  }

  Random random(uint64_t stream) const { return Random(request.seed, stream); }

  Score score(const std::string& metric, const Viewer* v, int64_t n_reals, int64_t n_fakes) const {
    Score s{.metric = metric, .values = {}, .reals = n_reals, .fakes = n_fakes};
    s.convention = !v ? "pixels" : v->extractor->name() == "judge" ? "judge" : v->extractor->convention();
    if (v) s.weights = v->extractor->hash();
    s.split = split_name();
    return s;
  }

  Score frechet(const std::string& metric, Viewer& v) {
    const Tensor &real = seen_reals(v), &fake = seen_fakes(v).features;
    if (!v.real_gaussian) v.real_gaussian = gaussian_of(real);
    Score s = score(metric, &v, real.size(0), fake.size(0));
    s.values = {{metric, frechet_distance(*v.real_gaussian, gaussian_of(fake))}};
    s.remark = rank_remark(s.reals, s.fakes, real.size(1));
    return s;
  }

  Score kernel(const std::string& metric, Viewer& v) {
    const Tensor &real = seen_reals(v), &fake = seen_fakes(v).features;
    const int64_t size = std::min({kid_size, real.size(0), fake.size(0)});
    Random draws = random(0x6b6964);
    const Spread mmd = kernel_distance(real, fake, draw_subsets(real.size(0), fake.size(0), kid_subsets, size, draws));
    Score s = score(metric, &v, real.size(0), fake.size(0));
    s.values = {{metric, mmd.value}};
    s.spread = mmd.spread;
    if (size < kid_size) s.remark = text("subsets of ", size, " for want of images");
    return s;
  }

  Score entropy(const std::string& metric, Viewer& v) {
    const Tensor& logits = seen_fakes(v).logits;
    Score s = score(metric, &v, 0, logits.size(0));
    const Spread is =
        inception_score(logits, random(0x6973).permutation(logits.size(0)), std::min(is_splits, logits.size(0)));
    s.values = {{metric, is.value}};
    s.spread = is.spread;
    s.split.clear();
    return s;
  }

  Score neighbours(const std::string& metric, Viewer& v) {
    const Tensor real = rows(seen_reals(v), most_neighbours);
    const Tensor fake = rows(seen_fakes(v).features, most_neighbours);
    Score s = score(metric, &v, real.size(0), fake.size(0));
    if (metric == "pr") {
      const PrecisionRecall pr = precision_recall(real, fake);
      s.values = {{"precision", pr.precision}, {"recall", pr.recall}};
    } else {
      const DensityCoverage dc = density_coverage(real, fake);
      s.values = {{"density", dc.density}, {"coverage", dc.coverage}};
    }
    return s;
  }

  Score likelihood() {
    const Tensor samples = as_tensor(*fakes, 0, fakes->count);
    // Bandwidth and likelihood on real images that are not the same, nor any that a generator may have copied.
    const int64_t validated = std::min(most_validation, reals.count / 4);
    const Tensor validation = as_tensor(reals, 0, validated), real = as_tensor(reals, validated, reals.count);
    const Parzen window = parzen(samples, validation, real, {}, ticker("Parzen windows"));
    Score s = score("parzen", nullptr, real.size(0), samples.size(0));
    s.values = {{"parzen", window.log_likelihood}, {"sigma", window.sigma}};
    s.spread = window.standard_error;
    s.remark = window.sigma_at_edge ? "the bandwidth lies at the edge of the range that was tried"
                                    : "likelihood rewards copies and punishes sharp pictures: never to be read alone";
    return s;
  }

  Score memory() {
    const Tensor samples = as_tensor(*fakes, 0, std::min(most_memorised, fakes->count));
    const Pictures seen = comparable(train), unseen = comparable(test);
    if (!train_images)
      train_images = as_tensor(seen, 0, seen.count), held_out_images = as_tensor(unseen, 0, unseen.count);
    const Memorisation pixels =
        memorisation_of_images(samples, *train_images, *held_out_images, 3, ticker("nearest neighbours of samples"));
    Score s = score("memorisation", nullptr, held_out_images->size(0), samples.size(0));
    const auto share = [](const Memorisation& m) {
      return static_cast<double>(m.in_train) / static_cast<double>(m.count);
    };
    s.values = {{"p", pixels.p},
                {"in_train", share(pixels)},
                {"expected", pixels.expected},
                {"median_ratio", pixels.median_ratio}};
    double least = pixels.p;
    if (can_see()) {
      Viewer& v = train->classes() > 1 ? viewer("judge") : best_viewer();
      if (!train_features) train_features = features_of(v, seen), held_out_features = features_of(v, unseen);
      const Memorisation features =
          memorisation(rows(seen_fakes(v).features, samples.size(0)), *train_features, *held_out_features);
      s.values.insert(s.values.end(), {{"p_features", features.p}, {"in_train_features", share(features)}});
      s.weights = v.extractor->hash();
      least = std::min(least, features.p);
    }
    s.split = "train and test";
    s.reals = seen.count + unseen.count;
    s.remark = least < alarm ? "samples lie nearer to training images than chance allows: look at `forger neighbours`"
                             : "no sign of memorised training images";
    return s;
  }

  Score modes() {
    Viewer& v = viewer("judge");
    const ClassHistogram histogram = class_histogram(seen_fakes(v).logits);
    const int64_t classes = judge()->classes();
    Score s = score("modes", &v, 0, fakes->count);
    s.split.clear();
    s.values = {{"missing", static_cast<double>(classes - histogram.found())}, {"confidence", histogram.confidence}};
    std::string missing;
    for (int64_t c = 0; c < classes; c++) {
      const int64_t n = histogram.counts[static_cast<size_t>(c)];
      const std::string& name = judge()->class_names()[static_cast<size_t>(c)];
      s.classes.emplace_back(name, static_cast<double>(n) / static_cast<double>(fakes->count));
      if (n == 0) missing += (missing.empty() ? "" : ", ") + name;
    }
    s.remark = missing.empty() ? text("all ", classes, " classes come") : "missing: " + missing;
    return s;
  }

  Score asked() {
    check<UsageError>(static_cast<bool>(fakes->label), fakes->name, ": no class was asked for");
    const Viewer& v = viewer("judge");
    const std::vector<double> found = argmax(seen_fakes(viewer("judge")).logits).to_vector();
    int64_t right = 0;
    for (int64_t i = 0; i < fakes->count; i++)
      right += static_cast<int64_t>(found[static_cast<size_t>(i)]) == fakes->label(i);
    Score s = score("asked", &v, 0, fakes->count);
    s.values = {{"asked", static_cast<double>(right) / static_cast<double>(fakes->count)},
                {"real", judge()->accuracy()}};
    s.remark = "beside the share of real test images that the judge names rightly";
    return s;
  }

  Score variety() {
    const bool pixels = !can_see();
    const int64_t n = std::min({most_pairs, reals.count, fakes->count});
    const Tensor real = pixels ? as_tensor(reals, 0, n) : rows(seen_reals(best_viewer()), n);
    const Tensor fake = pixels ? as_tensor(*fakes, 0, n) : rows(seen_fakes(best_viewer()).features, n);
    const Collapse found = collapse(real, fake);
    Score s = score("collapse", pixels ? nullptr : &best_viewer(), n, n);
    s.values = {{"diversity", found.diversity},
                {"duplicates", static_cast<double>(found.duplicates)},
                {"support", found.support}};
    s.remark = text("the generator has ", found.support_is_bound ? "more than " : "about ",
                    thousands(static_cast<int64_t>(found.support)), " different samples");
    return s;
  }

  std::vector<Score> scores() {
    std::vector<Score> all;
    for (const std::string& metric : request.metrics) {
      if (find_metric(metric).needs_inception) {
        for (const Convention convention : request.conventions) {
          Viewer& v = viewer(name_of(convention));
          all.push_back(metric == "fid"   ? frechet(metric, v)
                        : metric == "kid" ? kernel(metric, v)
                                          : entropy(metric, v));
        }
        continue;
      }
      if (metric == "fcd") all.push_back(frechet(metric, viewer("judge")));
      if (metric == "kcd") all.push_back(kernel(metric, viewer("judge")));
      if (metric == "cs") all.push_back(entropy(metric, viewer("judge")));
      if (metric == "pr" || metric == "dc") all.push_back(neighbours(metric, best_viewer()));
      if (metric == "parzen") all.push_back(likelihood());
      if (metric == "memorisation") all.push_back(memory());
      if (metric == "modes") all.push_back(modes());
      if (metric == "asked") all.push_back(asked());
      if (metric == "collapse") all.push_back(variety());
    }
    return all;
  }
};

Evaluation::Evaluation(gan::DataSetPtr train, gan::DataSetPtr test, Request request, Announcer announce)
    : impl_(std::make_unique<Impl>(std::move(train), std::move(test), std::move(request), std::move(announce))) {}
Evaluation::~Evaluation() = default;
Evaluation::Evaluation(Evaluation&&) noexcept = default;

const Judge& Evaluation::judge() { return *impl_->judge(); }

const gan::DataSetPtr& Evaluation::train() const { return impl_->train; }
const gan::DataSetPtr& Evaluation::test() const { return impl_->test; }

void Evaluation::prepare() { impl_->prepare(); }

std::vector<std::string> Evaluation::lookers() const {
  std::vector<std::string> lines;
  for (const auto& [convention, viewer] : impl_->viewers) lines.push_back(viewer.extractor->about());
  return lines;
}

std::vector<Score> Evaluation::scores(const Pictures& fakes) {
  impl_->fakes = fakes;
  for (auto& [convention, viewer] : impl_->viewers) viewer.fakes.reset();
  return impl_->scores();
}

std::vector<Score> Evaluation::scores(gan::Recipe& recipe, const gan::View& view, const gan::DataSet& held_out,
                                      const std::string& name) {
  const int64_t count = view.given.empty() ? impl_->request.count : std::min(impl_->request.count, held_out.count());
  return scores(pictures_of(recipe, view, held_out, count, impl_->request.seed,
                            text(thousands(count), " samples of ", name), impl_->ticker("sampling " + name)));
}

Tensor Evaluation::extreme_reals(gan::Recipe& recipe, int64_t count) {
  constexpr int64_t at_once = 64;
  const Pictures& reals = impl_->reals;
  const std::vector<gan::View> views = recipe.views();
  const gan::View* judge = gan::find_view(views, "judge");
  if (judge == nullptr || 2 * count > reals.count) return {};
  std::vector<double> verdicts;
  for (int64_t begin = 0; begin < reals.count; begin += at_once) {
    const Tensor images = as_tensor(reals, begin, std::min(begin + at_once, reals.count));
    const Tensor verdict = recipe.make(*judge, gan::Batch().add(judge->given.front(), images))["verdict"];
    for (const double v : verdict.to_vector()) verdicts.push_back(v);
  }
  std::vector<int64_t> order(verdicts.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return verdicts[a] < verdicts[b]; });
  order.erase(order.begin() + count, order.end() - count);
  return as_tensor(reals.at(std::move(order)), 0, 2 * count);
}

std::string line_of(const Score& score) {
  std::ostringstream line;
  line.precision(5);
  const bool named = score.values.size() > 1;
  for (size_t i = 0; i < score.values.size(); i++) {
    const auto& [name, value] = score.values[i];
    line << (i > 0 ? ", " : "") << (named && name != score.metric ? name + " " : "") << value;
    if (i == 0 && score.spread) line << " +- " << *score.spread;
  }
  line << "  (" << score.convention;
  if (score.reals > 0) line << ", " << thousands(score.reals) << " real";
  line << ", " << thousands(score.fakes) << " fake";
  if (!score.split.empty()) line << ", " << score.split;
  if (!score.weights.empty()) line << ", weights " << score.weights;
  line << ")";
  return line.str();
}

// ---- two sets of images ---------------------------------------------------------------------------------------------

Statistics statistics_of(const Extractor& extractor, const Pictures& pictures, const Ticker& ticker) {
  check<DataError>(pictures.count >= 2, pictures.name, ": a distance needs at least 2 images, there ",
                   pictures.count == 1 ? "is 1" : "are none");
  const NoGrad no_grad;
  std::optional<Moments> moments;
  look_at(
      extractor, pictures,
      [&](const Seen& seen) {
        if (!moments) moments.emplace(seen.features.size(1));
        moments->add(seen.features);
      },
      ticker);
  return {moments->gaussian(), pictures.name, extractor.name(), extractor.convention(), extractor.hash()};
}

namespace {
constexpr const char* statistics_format = "forger statistics";

Tensor tensor_of(const std::vector<double>& values, const Shape& shape) {
  const Tensor t(shape, DType::f64);
  std::copy(values.begin(), values.end(), t.data<double>());
  return t;
}
}  // namespace

void save_statistics(const std::string& path, const Statistics& s) {
  const int64_t d = s.gaussian.dims();
  nn::Checkpoint file;
  file.tensors = {{"mean", tensor_of(s.gaussian.mean, {d})}, {"covariance", tensor_of(s.gaussian.covariance, {d, d})}};
  file.metadata = {{"format", statistics_format},
                   {"name", to_utf8(s.name)},
                   {"count", std::to_string(s.gaussian.count)},
                   {"extractor", s.extractor},
                   {"convention", s.convention},
                   {"weights", s.weights},
                   {"split", s.split}};
  nn::save_checkpoint(path, file);
}

Statistics load_statistics(const std::string& path) {
  const nn::Checkpoint file = nn::load_checkpoint(path);
  const auto field = [&](const char* key) {
    const auto found = file.metadata.find(key);
    check<DataError>(found != file.metadata.end(), "'", path, "' holds no statistics: its metadata has no '", key,
                     "' (forger stats makes such files)");
    return found->second;
  };
  check<DataError>(field("format") == statistics_format, "'", path,
                   "' holds no statistics (forger stats makes such files)");
  const Tensor *mean = file.find("mean"), *covariance = file.find("covariance");
  const int64_t d = mean ? mean->numel() : 0;
  check<DataError>(mean && covariance && mean->rank() == 1 && covariance->shape() == Shape({d, d}) &&
                       mean->dtype() == DType::f64 && covariance->dtype() == DType::f64,
                   "'", path, "' holds no statistics: it needs float64 tensors mean (D) and covariance (D, D)");
  char* end = nullptr;
  const std::string digits = field("count");
  const int64_t count = std::strtoll(digits.c_str(), &end, 10);
  check<DataError>(!digits.empty() && !*end && count > 1, "'", path, "': its count is '", digits, "'");
  return {{count, mean->to_vector(), covariance->to_vector()},
          field("name"),
          field("extractor"),
          field("convention"),
          field("weights"),
          field("split")};
}

Score frechet_score(const Statistics& a, const Statistics& b) {
  const auto viewer = [](const Statistics& s) {
    return text(s.extractor, ", ", s.convention, ", weights ", s.weights);
  };
  check<DataError>(viewer(a) == viewer(b), a.name, " was seen by ", viewer(a), " and ", b.name, " by ", viewer(b),
                   ": only one network's features with one convention can be compared");
  Score s{.metric = a.extractor == "judge" ? "fcd" : "fid", .values = {}};
  s.values = {{s.metric, frechet_distance(a.gaussian, b.gaussian)}};
  s.reals = a.gaussian.count, s.fakes = b.gaussian.count;
  s.convention = a.extractor == "judge" ? "judge" : a.convention;
  s.weights = a.weights;
  s.split = a.split == b.split ? a.split : a.split + (a.split.empty() || b.split.empty() ? "" : " and ") + b.split;
  s.remark = rank_remark(s.reals, s.fakes, a.gaussian.dims());
  return s;
}

}  // namespace forger::metrics
