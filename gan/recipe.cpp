#include "gan/recipe.h"

#include <algorithm>

#include "core/autograd.h"
#include "core/device.h"
#include "core/ranks.h"
#include "gan/data.h"
#include "gan/named.h"
#include "gan/networks/shapes.h"

namespace forger::gan {
namespace {

std::vector<RecipeEntry>& registry() {
  static std::vector<RecipeEntry> entries;
  return entries;
}

DType find_dtype(const std::string& name) {
  for (const DType dtype : {DType::f32, DType::f64})
    if (name == name_of(dtype)) return dtype;
  throw UsageError(text("--dtype '", name, "' is not known; there are: float32, float64"));
}

}  // namespace

Recipe::Recipe(const Settings& settings)
    : random_(static_cast<uint64_t>(settings.integer("seed"))),
      device_(find_device(settings.text("device"))),
      dtype_(find_dtype(settings.text("dtype"))) {}

void Recipe::set_steps_done(int64_t steps) {
  if (steps_done_.defined()) copy_into(steps_done_, full({}, static_cast<double>(steps), dtype_), "steps");
}

namespace {
void set_training(const Recipe& recipe, bool on) {
  for (const Recipe::Network& network : recipe.networks()) network.module->train(on);
}
}  // namespace

Evaluating::Evaluating(const Recipe& recipe) : recipe_(recipe) { set_training(recipe_, false); }
Evaluating::~Evaluating() { set_training(recipe_, true); }

Batch Recipe::make(const View& view, const Batch& from) {
  const Evaluating evaluating(*this);
  const NoGrad no_grad;
  return cast(view.make(here(from)), DType::f32);
}

Readings Recipe::measure(const Batch& held_out) {
  const Evaluating evaluating(*this);
  const NoGrad no_grad;
  return test(here(held_out));
}

Tensor Recipe::slopes(const View& view, const Tensor& given) {
  const Evaluating evaluating(*this);
  const std::string& column = view.given.front();
  Tensor x = here(Batch().add(column, given))[column].detach();
  x.set_requires_grad();
  const Tensor made = view.make(Batch().add(column, x)).tensors.front().tensor;
  return cast(norm(flatten(grad(made, x)), {1}), DType::f32);
}

std::shared_ptr<Player> Recipe::player(const std::string& name, const std::vector<std::string>& of,
                                       const Settings& settings, const std::string& rate) {
  nn::NamedTensors parameters;
  for (const Network& network : networks_) {
    if (std::ranges::find(of, network.name) == of.end()) continue;
    const nn::NamedTensors own = network.module->parameters();
    for (const nn::Named& p : own)
      parameters.push_back({of.size() > 1 ? network.name + "." + p.name : p.name, p.tensor});
  }
  const double lr = settings.number(rate.empty() ? "lr_" + name : rate);
  const std::string& kind = settings.choice("optimizer", {"adam", "rmsprop"});
  std::shared_ptr<nn::Optimizer> optimizer;
  if (kind == "adam") {
    const kernels::AdamSettings adam{.lr = lr, .beta1 = settings.number("beta1"), .beta2 = settings.number("beta2")};
    optimizer = std::make_shared<nn::Adam>(parameters, adam);
  } else {
    optimizer = std::make_shared<nn::RmsProp>(parameters, lr);
  }
  players_.push_back(std::make_shared<Player>(name, std::move(optimizer), settings.number("clip_grad")));
  return players_.back();
}

Tensor Recipe::numbers(int64_t n, int64_t count, Random& random) {
  std::vector<int64_t> drawn(static_cast<size_t>(random.drawn_for(n)));
  for (int64_t& number : drawn) number = static_cast<int64_t>(random.below(static_cast<uint64_t>(count)));
  return from_indices(std::span(drawn).subspan(static_cast<size_t>(random.first_kept(n)), static_cast<size_t>(n)));
}

Tensor Recipe::memory(const std::string& name, const Tensor& value) {
  memories_.push_back({name, to(cast(value, dtype_), device_)});
  return memories_.back().tensor;
}

Craft Recipe::craft(const std::string& name, const Settings& settings, const Shape& sample, Judged judged) {
  const std::string& who = settings.text("recipe");
  Craft craft;
  if (settings.number("instance_noise") > 0) {
    if (!steps_done_.defined()) steps_done_ = zeros({}, dtype_, device_);
    craft.steps = steps_done_;
  }
  const int64_t batch = settings.integer("batch"), rounds = (settings.integer("replay") + batch - 1) / batch;
  check<UsageError>(rounds == 0 || judged == Judged::alone, "--replay keeps samples without what they were ",
                    "made from, by which the discriminator of ", who, " judges them: leave it at 0");
  if (rounds > 0) {
    std::vector<int64_t> pool{rounds, batch};
    pool.insert(pool.end(), sample.begin(), sample.end());
    check<UsageError>(Ranks::count() == 1, "--replay: past fakes are kept by one process alone, not by ",
                      Ranks::count());
    craft.replay = {memory(name + "_replay", zeros(Shape(pool))), memory(name + "_replay_rounds", zeros({}))};
  }
  const auto strength = Augment::first_strength(settings);
  if (!strength) return craft;
  check<UsageError>(sample.rank() == 3, "--augment is for pictures alone; the discriminator of ", who, " sees ", sample,
                    " numbers here");
  check<UsageError>(judged != Judged::beside_picture, "--augment: the discriminator of ", who,
                    " sees a sample beside what it was made from, which would have to move with it; leave it at none");
  craft.augment = {settings, memory(name + "_augment", full({}, *strength)), extent_of(sample)};
  return craft;
}

void make_in_parts(Recipe& recipe, const View& view, const Batch& from,
                   const std::function<void(const Batch& rows, const Batch& made)>& take) {
  constexpr int64_t at_once = 64;
  for (int64_t i = 0; i < from.rows(); i += at_once) {
    const Batch rows = rows_of(from, i, std::min(i + at_once, from.rows()));
    take(rows, recipe.make(view, rows));
  }
}

Tensor make_all(Recipe& recipe, const View& view, const Batch& from) {
  std::vector<Tensor> parts;
  make_in_parts(recipe, view, from, [&](const Batch&, const Batch& made) {
    parts.push_back(made.tensors.front().tensor);
    check<UsageError>(parts.back().dtype() != DType::i64, "this run makes words, which forger sample writes, and ",
                      "nothing that has a place in a picture");
  });
  return concat(parts, 0);
}

std::vector<std::string> columns_of(const View& view) {
  std::vector<std::string> columns = view.given;
  if (!view.beside.empty()) columns.push_back(view.beside);
  return columns;
}

Batch shown(const View& view, const Batch& from, const Batch& made) {
  Batch all;
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    if (tensor.dtype() != DType::i64) all.add(name, tensor);
  };
  for (const std::string& given : view.given) add(given, from[given]);
  for (const auto& [name, tensor] : made.tensors) add("made " + name, tensor);
  if (from.has(view.beside)) add("beside", from[view.beside]);
  return all;
}

const View* find_view(const std::vector<View>& views, const std::string& name) {
  const auto found = std::ranges::find(views, name, &View::name);
  return found == views.end() ? nullptr : &*found;
}

std::string names_of(const std::vector<View>& views) {
  std::string names;
  for (const View& view : views) names += (names.empty() ? "" : ", ") + view.name;
  return names;
}

View view_of(Recipe& recipe, const std::string& name) {
  const std::vector<View> views = recipe.views();
  const View* view = find_view(views, name);
  check<UsageError>(view != nullptr, "this system has no view '", name, "'; there are: ", names_of(views));
  return *view;
}

View sampling_view(Recipe& recipe) {
  const std::vector<View> views = recipe.views();
  for (const View& view : views)
    if (view.draw && view.given.empty()) return view;
  throw UsageError("this system makes nothing from noise alone; forger show has its views: " + names_of(views));
}

namespace {

// Whether one of the sets that `needs` lists, with "or" between, is among the columns.
bool fits(const std::vector<std::string>& needs, const std::vector<std::string>& columns) {
  bool all = true;
  for (const std::string& need : needs) {
    if (need == "or" && all) return true;
    all = need == "or" || (all && std::ranges::find(columns, need) != columns.end());
  }
  return all;
}

}  // namespace

std::string data_for(const RecipeEntry& recipe) {
  std::string names;
  for (const DataSource& source : data_sources())
    if (fits(recipe.needs, source.gives)) names += (names.empty() ? "" : ", ") + source.name;
  return names;
}

void require_fit(const RecipeEntry& recipe, const std::string& data, const Columns& columns) {
  std::vector<std::string> names;
  std::string needs;
  for (const Column& column : columns) names.push_back(column.name);
  bool apart = false;  // the last one was a column, from which the next one stands apart
  for (const std::string& need : recipe.needs) {
    needs += (apart && need != "or" ? ", " : " ") + need;
    apart = need != "or";
  }
  check<UsageError>(fits(recipe.needs, names), recipe.name, " needs", needs, "; ", data, " has ", names_of(columns),
                    "; what would do: --data ", data_for(recipe));
}

const Column& need_column(const Settings& settings, const Columns& columns, const std::string& name) {
  const Column* column = find_column(columns, name);
  check<UsageError>(column != nullptr, settings.text("recipe"), " needs ", name, "; ", settings.text("data"), " has ",
                    names_of(columns));
  return *column;
}

RegisterRecipe::RegisterRecipe(RecipeEntry entry) {
  auto& entries = registry();
  entries.push_back(std::move(entry));
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
}

const std::vector<RecipeEntry>& recipes() { return registry(); }

const RecipeEntry& find_recipe(const std::string& name) { return find_named(registry(), name, "recipe"); }

const Preset& find_preset(const RecipeEntry& recipe, const std::string& name) {
  check<UsageError>(!recipe.presets.empty(), "--preset ", name, ": ", recipe.name, " has none");
  return find_named(recipe.presets, name, "--preset");
}

Settings settings_for(const RecipeEntry& recipe) {
  Settings settings = common_settings();
  settings.add({"recipe", recipe.name, "the system that is trained"});
  for (const Setting& setting : recipe.settings) settings.add(setting);
  return settings;
}

}  // namespace forger::gan
