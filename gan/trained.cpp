#include "gan/trained.h"

#include <algorithm>
#include <filesystem>

#include "core/autograd.h"
#include "core/device.h"
#include "gan/pretrained.h"
#include "gan/state.h"

namespace forger::gan {
namespace {

namespace fs = std::filesystem;

bool is_file(const std::string& path) {
  std::error_code unreadable;
  return fs::is_regular_file(path, unreadable);
}

// The run that a checkpoint lies in, if it lies in one.
RunFolder run_around(const std::string& checkpoint) {
  return RunFolder(fs::absolute(checkpoint).parent_path().parent_path());
}

// The settings of the machine that trained, turned into those of this one.
void move_here(Settings& settings, const Place& place, std::vector<std::string>& notes) {
  if (!place.data.empty()) move_data(settings, place.data);
  if (!place.device.empty()) settings.set("device", Value(place.device));
  const std::string device = settings.text("device");
  const std::string missing = kernels::unavailable(device_named(device));
  if (place.device.empty() && !missing.empty()) {
    notes.push_back(text("trained on ", device, ", which is not to be had here (", missing, "): computing on the CPU"));
    settings.set("device", Value(std::string("cpu")));
  }
  settings.set("graph", Value(false));
  const int64_t here = kernels::available_threads(), there = settings.integer("threads");
  settings.set("threads", Value(place.threads > 0 ? place.threads : there > 0 ? std::min(there, here) : here));
}

}  // namespace

void apply_machine_settings(Settings& settings) {
  const Device device = find_device(settings.text("device"));
  check<UsageError>(!settings.flag("graph") || device != Device::cpu, "--graph needs --device cuda or simt");
  kernels::set_math_mode(find_math_mode(settings.text("math")));
  kernels::set_conv_method(find_conv_method(settings.text("conv")));
  if (settings.integer("threads") == 0) settings.set("threads", Value(int64_t{kernels::available_threads()}));
  kernels::set_threads(static_cast<int>(settings.integer("threads")));
  set_fused(settings.flag("fused"));
}

bool is_trained(const std::string& path) {
  if (is_pretrained(path)) return true;
  if (!is_file(path)) return RunFolder(path).holds_run();
  try {
    const auto metadata = nn::load_metadata(path);
    return metadata.contains("recipe") && metadata.contains("step");
  } catch (const DataError&) {
    return false;
  }
}

Trained load_trained(const std::string& path, const Place& place, bool averaged) {
  Trained trained;
  Found found;
  if (is_pretrained(path)) {
    found = {.checkpoint = load_pretrained(path), .path = path};
    trained.settings = settings_in(found.checkpoint.metadata, path);
  } else if (is_file(path)) {
    found = {.checkpoint = nn::load_checkpoint(path), .path = path};
    const RunFolder around = run_around(path);
    trained.settings = around.holds_run() ? read_config(around) : settings_in(found.checkpoint.metadata, path);
  } else {
    trained.settings = read_config(RunFolder(path));
    found = newest_checkpoint(RunFolder(path), trained.notes);
    check<DataError>(!found.path.empty(), "'", path, "' holds no checkpoint; train it first: forger train --resume ",
                     path);
  }
  move_here(trained.settings, place, trained.notes);
  apply_machine_settings(trained.settings);
  State state(trained.settings, read_columns(trained.settings.text("columns")));
  if (is_weights_alone(found.checkpoint)) {
    std::vector<std::string> fresh;
    trained.step = static_cast<int64_t>(state.load_weights(found.checkpoint, found.path, fresh));
    for (const std::string& network : fresh)
      trained.notes.push_back(text(path, " holds weights alone, and none of '", network, "', which is untrained here"));
  } else {
    trained.step = static_cast<int64_t>(state.load(found.checkpoint, found.path).step);
  }
  if (averaged) state.swap_averages();
  trained.recipe = state.take_recipe();
  return trained;
}

namespace {
// fs::weakly_canonical leaves a relative path relative when nothing of it is there.
fs::path real_path(const fs::path& path) { return fs::weakly_canonical(fs::absolute(path)); }
}  // namespace

bool lies_in(const fs::path& path, const fs::path& folder) {
  const fs::path way = real_path(path).lexically_relative(real_path(folder));
  return !way.empty() && *way.begin() != "..";
}

bool would_join_data(const std::string& path, const Settings& settings) {
  for (const char* key : {"data", "data_path"}) {
    const std::string& spec = settings.text(key);
    for (const std::string& data : spec.empty() ? std::vector<std::string>{} : paths_in(spec)) {
      std::error_code absent;
      if (!fs::is_directory(data, absent) || !lies_in(path, data)) continue;
      bool in_run = false;
      for (fs::path at = real_path(path); lies_in(at, data) && !in_run; at = at.parent_path()) {
        in_run = RunFolder(at).holds_run();
        if (at == at.parent_path()) break;
      }
      if (!in_run) return true;
    }
  }
  return false;
}

void move_data(Settings& settings, const std::string& spec) {
  settings.set("data", Value(spec));
  settings.set("data_path", Value(absolute_spec(spec)));
}

DataSetPtr data_of(const Settings& settings, Subset subset) {
  const std::string& spec = settings.text("data");
  const std::string& elsewhere = settings.text("data_path");
  std::vector<std::string> places{spec};
  if (!elsewhere.empty() && elsewhere != spec) places.push_back(elsewhere);
  std::string reason;
  for (const std::string& place : places) {
    try {
      const DataOptions options = data_options(settings);
      const DataSetPtr train = open_data(place, options);
      if (train->hash() == settings.text("data_hash")) {
        if (subset == Subset::train) return train;
        const DataSetPtr held_out = open_data(place, options, subset);
        require_same_words(*train, *held_out, find_recipe(settings.text("recipe")).needs);
        return held_out;
      }
      reason = text("the data '", place, "' has changed since the run began (", settings.text("data_hash"), " then, ",
                    train->hash(), " now)");
    } catch (const Error& error) {  // not there: perhaps at the other place
      if (reason.empty()) reason = error.what();
    }
  }
  throw DataError(text(reason, "; --data says where it is now"));
}

}  // namespace forger::gan
