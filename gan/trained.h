// A trained system, to sample from and to judge: from a run folder or a checkpoint alone, on this machine, whichever
// machine trained it.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gan/data.h"
#include "gan/recipe.h"

namespace forger::gan {

// What may differ from where a run was trained. Empty and 0: as it was there, as far as that is to be had here.
struct Place {
  std::string device;
  int64_t threads = 0;
  std::string data;
};

struct Trained {
  Settings settings;
  std::unique_ptr<Recipe> recipe;
  int64_t step = 0;
  std::vector<std::string> notes;  // what a person should know: another device, a damaged checkpoint
};
// path: a run folder, whose newest checkpoint it is, a .safetensors file, which need not lie in one, or pretrained:NAME
// (gan/pretrained.h). Averaged
// weights in place when `averaged`. Without a device of its own here, a run computes on the CPU. UsageError when there
// is no run, DataError when there is no checkpoint or it does not fit. Sets the process's threads and kernels.
Trained load_trained(const std::string& path, const Place& place = {}, bool averaged = true);

// Whether load_trained takes a path: a run folder, or a file that is a run's checkpoint wherever it lies.
bool is_trained(const std::string& path);

// The data that a run was trained on: where its settings say, else where it lay when the run began. DataError when
// neither is there, or has changed since.
DataSetPtr data_of(const Settings& settings, Subset subset = Subset::train);
// From now on the data is there and nowhere else.
void move_data(Settings& settings, const std::string& spec);

// Whether a path is `folder` or lies in it; links followed.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

// Whether pictures written there (a file, or a folder of them) would become part of a run's data: they lie in its
// folder of pictures, and in no run's folder within that, which is left out. The run could not be resumed then.
bool would_join_data(const std::string& path, const Settings& settings);

// Devices, kernels and threads as the settings say. A thread count of 0 becomes a number, because results are
// reproducible for a given one.
void apply_machine_settings(Settings& settings);

}  // namespace forger::gan
