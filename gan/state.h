// The state of a run: a recipe with the averages of its networks, and three counters. All of it is in a checkpoint, and
// nothing else of a run is needed to go on.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "gan/recipe.h"
#include "gan/run_folder.h"
#include "nn/checkpoint.h"

namespace forger::gan {

struct Counters {
  uint64_t step = 0;          // steps done
  uint64_t random_block = 0;  // of the recipe's random numbers
  uint64_t drawn = 0;         // samples taken from the loader
};

class State {
 public:
  // columns: of the data
  State(const Settings& settings, const Columns& columns);

  Recipe& recipe() const { return *recipe_; }
  std::unique_ptr<Recipe> take_recipe() { return std::move(recipe_); }
  void update_averages();
  void swap_averages();  // of networks and their averages; a second call swaps back

  // The counters of a checkpoint, all else in place. DataError when it is not one of this recipe, or does not fit.
  Counters load(const nn::Checkpoint& checkpoint, const std::string& path);
  // With what defines the result among the settings, so that a checkpoint is enough to sample from.
  void save(const Counters& counters, const Settings& settings, const std::string& path) const;

  // Of a checkpoint of weights alone, which become the averages, too: its step. `fresh` gets the names of networks that
  // it does not hold. DataError as above.
  uint64_t load_weights(const nn::Checkpoint& checkpoint, const std::string& path, std::vector<std::string>& fresh);

  // Begins with the weights of another run: every tensor of that name and shape, averages included. What optimisers
  // know is not taken over. Says what was left; UsageError when nothing fits.
  std::string begin_with(const nn::Checkpoint& checkpoint, const std::string& path);

 private:
  nn::Checkpoint handles() const;  // to everything that training writes; loading copies into them
  std::string name_;
  std::unique_ptr<Recipe> recipe_;
  std::vector<std::unique_ptr<nn::Ema>> averages_;  // one per network, null where nothing is averaged
};

// A checkpoint of weights alone: the networks that are averaged (all, where none is), which are those that make
// something, as they are now; nothing that training needs besides.
nn::Checkpoint weights_alone(const Recipe& recipe, const Settings& settings, int64_t step);
bool is_weights_alone(const nn::Checkpoint& checkpoint);

// Scope: the averages in place of the networks' own weights, whatever happens in it.
class WithAverages {
 public:
  explicit WithAverages(State& state) : state_(state) { state_.swap_averages(); }
  ~WithAverages() { state_.swap_averages(); }
  WithAverages(const WithAverages&) = delete;
  WithAverages& operator=(const WithAverages&) = delete;

 private:
  State& state_;
};

// The newest checkpoint of a run that can be read. A damaged one, half-copied or cut short by a disk, is passed over
// and described in `notes`. DataError when there are some and all are damaged; no tensors when there are none.
struct Found {
  nn::Checkpoint checkpoint;
  std::string path = {};                  // empty: there is none
  std::vector<std::string> damaged = {};  // newer ones that were passed over
};
Found newest_checkpoint(const RunFolder& folder, std::vector<std::string>& notes);

// The settings that a checkpoint holds, over the recipe's defaults. DataError when it is not one of a run.
Settings settings_in(const std::map<std::string, std::string>& metadata, const std::string& path);

// What every run's config.toml holds: the recipe's settings and what the trainer fills in.
Settings run_settings(const RecipeEntry& recipe);
Settings read_config(const RunFolder& folder);  // UsageError when the folder holds no run

}  // namespace forger::gan
