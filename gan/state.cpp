#include "gan/state.h"

#include <algorithm>
#include <set>

namespace forger::gan {
namespace {

constexpr const char* found_out = "found out by the trainer";  // the heading in config.toml

uint64_t read_counter(const nn::Checkpoint& checkpoint, const std::string& key, const std::string& path) {
  const auto found = checkpoint.metadata.find(key);
  int64_t count = -1;
  const bool number = found != checkpoint.metadata.end() && read_number(found->second, count) && count >= 0;
  check<DataError>(number, "'", path, "' is not a checkpoint of a run: its metadata has no counter '", key, "'");
  return static_cast<uint64_t>(count);
}

const std::string& recipe_of(const std::map<std::string, std::string>& metadata, const std::string& path) {
  const auto found = metadata.find("recipe");
  check<DataError>(found != metadata.end(), "'", path, "' is not a checkpoint of a run: it names no recipe");
  return found->second;
}

// Without what says where, how often and how fast: runs that give the same result have the same checkpoints.
Settings of_the_result(const Settings& settings) {
  const std::set<std::string> elsewhere{"machine", "files", "evaluation"};
  std::vector<Setting> kept;
  for (Setting setting : settings.table()) {
    if (elsewhere.contains(setting.group) || setting.key == "data_path") continue;
    setting.help.clear();
    kept.push_back(setting);
  }
  return Settings(kept);
}

// With what defines the result among the settings, so that a checkpoint is enough to sample from.
std::map<std::string, std::string> metadata_of(const Settings& settings, uint64_t step) {
  return {{"format", "forger"},
          {"layout", "NHWC; convolution weights (O, KH, KW, C)"},
          {"recipe", settings.text("recipe")},
          {"settings", to_toml(of_the_result(settings))},
          {"step", std::to_string(step)}};
}

// Averages that begin with a network's weights.
void begin_average(const nn::Ema& average, const nn::Module& network) {
  const nn::NamedTensors weights = network.state();
  for (const nn::Named& tensor : average.state())
    for (const nn::Named& weight : weights)
      if (weight.name == tensor.name) copy_into(tensor.tensor, weight.tensor, "an average");
}

}  // namespace

State::State(const Settings& settings, const Columns& columns)
    : name_(settings.text("recipe")), recipe_(find_recipe(name_).make(settings, columns)) {
  for (const auto& network : recipe_->networks())
    averages_.push_back(network.averaged ? std::make_unique<nn::Ema>(*network.module, settings.number("ema"))
                                         : nullptr);
}

void State::update_averages() {
  for (const auto& average : averages_)
    if (average) average->update();
}

void State::swap_averages() {
  for (const auto& average : averages_)
    if (average) average->swap();
}

nn::Checkpoint State::handles() const {
  nn::Checkpoint result;
  const auto& networks = recipe_->networks();
  for (size_t i = 0; i < networks.size(); i++) {
    result.add(networks[i].name, networks[i].module->state());
    if (averages_[i]) result.add(networks[i].name + "_average", averages_[i]->state());
  }
  for (const auto& player : recipe_->players()) result.add(player->name() + "_optimizer", player->optimizer().state());
  result.add("memory", recipe_->memories());
  return result;
}

Counters State::load(const nn::Checkpoint& checkpoint, const std::string& path) {
  const std::string& recipe = recipe_of(checkpoint.metadata, path);
  check<DataError>(recipe == name_, "'", path, "' is a checkpoint of '", recipe, "', this run trains '", name_, "'");
  try {
    nn::load_state(handles().tensors, checkpoint.tensors);
  } catch (const DataError& error) {
    throw DataError(text("'", path, "' does not fit this run: ", error.what()));
  }
  const Counters counters{read_counter(checkpoint, "step", path), read_counter(checkpoint, "random_block", path),
                          read_counter(checkpoint, "samples_drawn", path)};
  recipe_->random().block = counters.random_block;
  return counters;
}

void State::save(const Counters& counters, const Settings& settings, const std::string& path) const {
  nn::Checkpoint checkpoint = handles();
  checkpoint.metadata = metadata_of(settings, counters.step);
  checkpoint.metadata["random_block"] = std::to_string(counters.random_block);
  checkpoint.metadata["samples_drawn"] = std::to_string(counters.drawn);
  nn::save_checkpoint(path, checkpoint);
}

uint64_t State::load_weights(const nn::Checkpoint& checkpoint, const std::string& path,
                             std::vector<std::string>& fresh) {
  const uint64_t step = read_counter(checkpoint, "step", path);
  const auto& networks = recipe_->networks();
  nn::Checkpoint into;
  for (size_t i = 0; i < networks.size(); i++) {
    const nn::NamedTensors state = networks[i].module->state();
    if (checkpoint.under(networks[i].name).empty()) {
      fresh.push_back(networks[i].name);
    } else {
      into.add(networks[i].name, state);
    }
  }
  try {
    nn::load_state(into.tensors, checkpoint.tensors);
  } catch (const DataError& error) {
    throw DataError(text("'", path, "' does not fit this run: ", error.what()));
  }
  for (size_t i = 0; i < networks.size(); i++)
    if (averages_[i]) begin_average(*averages_[i], *networks[i].module);
  return step;
}

nn::Checkpoint weights_alone(const Recipe& recipe, const Settings& settings, int64_t step) {
  nn::Checkpoint checkpoint;
  const auto& networks = recipe.networks();
  const bool any = std::ranges::any_of(networks, &Recipe::Network::averaged);
  for (const Recipe::Network& network : networks)
    if (network.averaged || !any) checkpoint.add(network.name, network.module->state());
  checkpoint.metadata = metadata_of(settings, static_cast<uint64_t>(step));
  return checkpoint;
}

bool is_weights_alone(const nn::Checkpoint& checkpoint) { return !checkpoint.metadata.contains("random_block"); }

std::string State::begin_with(const nn::Checkpoint& checkpoint, const std::string& path) {
  std::vector<std::string> left;
  int64_t taken = 0, wanted = 0;
  const auto take = [&](const nn::Named& into, const std::string& name) {
    const Tensor* from = checkpoint.find(name);
    const bool fits = from != nullptr && from->shape() == into.tensor.shape() && from->dtype() != DType::i64;
    if (fits) copy_into(into.tensor, cast(*from, into.tensor.dtype()), "init-from");
    return fits;
  };
  const auto& networks = recipe_->networks();
  for (size_t i = 0; i < networks.size(); i++) {
    const std::string& part = networks[i].name;
    for (const nn::Named& tensor : networks[i].module->state()) {
      const std::string name = part + "." + tensor.name;
      wanted++;
      if (take(tensor, name)) {
        taken++;
      } else {
        const Tensor* there = checkpoint.find(name);
        left.push_back(there ? text(name, " (", there->shape(), " there, ", tensor.tensor.shape(), " here)") : name);
      }
    }
    if (!averages_[i]) continue;
    begin_average(*averages_[i], *networks[i].module);  // where there is none to begin with
    for (const nn::Named& tensor : averages_[i]->state()) take(tensor, part + "_average." + tensor.name);
  }
  check<UsageError>(taken > 0, "--init-from: no tensor of '", path, "' has the name and shape of one of this run");
  constexpr size_t named = 4;
  std::string fresh;
  for (size_t i = 0; i < std::min(named, left.size()); i++) fresh += (i > 0 ? ", " : "") + left[i];
  if (left.size() > named) fresh += text(" and ", left.size() - named, " more");
  return text("begins with ", taken, " of ", wanted, " tensors of ", path, fresh.empty() ? "" : "; fresh: " + fresh);
}

// ---- what a run folder or a file holds ----

Found newest_checkpoint(const RunFolder& folder, std::vector<std::string>& notes) {
  const std::vector<int64_t> steps = folder.checkpoint_steps();
  Found found;
  std::vector<std::string> reasons;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const std::string path = folder.checkpoint(*step);
    try {
      found.checkpoint = nn::load_checkpoint(path);
      found.path = path;
      for (const std::string& reason : reasons) notes.push_back(text(reason, "; using ", path, " instead"));
      return found;
    } catch (const DataError& error) {
      reasons.push_back(error.what());
      found.damaged.push_back(path);
    }
  }
  check<DataError>(reasons.empty(), reasons.empty() ? "" : reasons.front(), "; '", folder.path().string(),
                   "' holds no checkpoint that is whole: copy one back, or train again with --force");
  return found;
}

Settings settings_in(const std::map<std::string, std::string>& metadata, const std::string& path) {
  Settings settings = run_settings(find_recipe(recipe_of(metadata, path)));
  const auto found = metadata.find("settings");
  check<DataError>(found != metadata.end(), "'", path,
                   "' holds no settings, and lies in no run folder whose config.toml has them");
  parse_toml(settings, found->second, path);
  return settings;
}

Settings run_settings(const RecipeEntry& recipe) {
  Settings settings = settings_for(recipe);
  settings.add({.key = "version", .value = "", .help = "the Forger that started this run", .group = found_out});
  settings.add({.key = "data_path", .value = "", .help = "where the data lay when it began", .group = found_out});
  settings.add({.key = "data_about", .value = "", .help = "what was in it", .group = found_out});
  settings.add(
      {.key = "data_left_out", .value = "", .help = "of it: unreadable files, // between", .group = found_out});
  settings.add({.key = "data_hash", .value = "", .help = "hash of the data set", .group = found_out});
  settings.add({.key = "columns", .value = "", .help = "what a row of the data holds", .group = found_out});
  return settings;
}

Settings read_config(const RunFolder& folder) {
  folder.require_run();
  const std::string recipe = recipe_in_toml(folder.config());
  check<DataError>(
      folder.holds_run(), "'", folder.config(),
      "' is not that of a run, or only a part of it: put it back; until then --init-from, and forger sample "
      "of a copy elsewhere, take its checkpoints");
  Settings settings = run_settings(find_recipe(recipe));
  read_toml(settings, folder.config());
  return settings;
}

}  // namespace forger::gan
