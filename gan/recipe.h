// A recipe is a system's algorithm box, runnable: its networks, what one training step does, which numbers it reports,
// what can be looked at. The trainer owns all the rest: the loop, checkpoints, previews, averages, data order, failure
// watch.
//
// A recipe is one file in gan/recipes/: a class and one `static const RegisterRecipe` line.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gan/adversary.h"
#include "gan/batch.h"
#include "gan/player.h"
#include "gan/settings.h"

namespace forger::gan {

using NextBatch = std::function<Batch()>;  // on the recipe's device, of its type

// Something that a trained system makes: samples from noise, pictures from pictures, a verdict on them.
struct View {
  std::string name;                     // "sample", "translate", "reconstruct", "judge"
  std::vector<std::string> given = {};  // columns of the data that it starts from
  // Its noise and codes, n rows; null where it has none.
  std::function<Batch(int64_t n, Random& random)> draw = {};
  // From what was drawn and what was given, on the recipe's device. What stands first in the result is what it makes.
  std::function<Batch(const Batch& from)> make = {};
  // Its first result should be distributed as this column of the data: what scores compare. Empty: nothing is scored.
  std::string like = {};
  // A column that is shown beside what was made, where the data has it: the truth.
  std::string beside = {};
};

class Recipe {
 public:
  virtual ~Recipe() = default;

  // One training step: draws as many batches as it needs, always the same number, and gives the same readings in the
  // same order. It reads nothing from the device and decides nothing by values, so that it can be recorded and
  // replayed.
  virtual Readings step(const NextBatch& next) = 0;
  // What is between two steps and is not recorded with them, after step number `step` (from 1).
  virtual void after_step(int64_t /*step*/) {}
  // The first one that draws and is given nothing is what `forger sample` shows.
  virtual std::vector<View> views() = 0;
  // The numbers that show that this system works, each beside its baseline, of a batch that it was not trained on: "l1"
  // and "l1_identity". Means over the batch; called in evaluation mode, nothing recorded. None where scores of the
  // views say it all.
  virtual Readings test(const Batch& /*held_out*/) { return {}; }

  // What a view makes of a batch, in float32, and what `test` says of one, which may lie anywhere and be of any type:
  // in evaluation mode, nothing recorded.
  Batch make(const View& view, const Batch& from);
  Readings measure(const Batch& held_out);
  // (n): the length of the gradient of what a view makes first, one number a row, towards the row that it is given: of
  // a critic, its slope there. In evaluation mode, in float32.
  Tensor slopes(const View& view, const Tensor& given);

  // What was registered, in that order: what is checkpointed, resumed, moved and averaged.
  struct Network {
    std::string name;  // "g", "d"
    std::shared_ptr<nn::Module> module;
    bool averaged = false;  // keeps an exponential moving average (generators)
  };
  const std::vector<Network>& networks() const { return networks_; }
  const std::vector<std::shared_ptr<Player>>& players() const { return players_; }
  const nn::NamedTensors& memories() const { return memories_; }

  Random& random() { return random_; }  // all randomness of training; its counter is checkpointed
  Device device() const { return device_; }
  DType dtype() const { return dtype_; }
  Batch here(const Batch& batch) const { return cast(to(batch, device_), dtype_); }  // as a step takes it
  // How many steps the run has done: said before each one, not recorded with it.
  void set_steps_done(int64_t steps);

 protected:
  explicit Recipe(const Settings& settings);

  // Networks are built on the CPU in float32, so that their first weights are the same for every device and type, and
  // moved from there.
  template <class M>
  std::shared_ptr<M> network(const std::string& name, std::shared_ptr<M> module, bool averaged = false) {
    module->to(dtype_);
    module->to(device_);
    networks_.push_back({name, module, averaged});
    return module;
  }
  // An optimiser over the parameters of these networks, by the settings optimizer, lr_NAME, beta1, beta2 and clip_grad;
  // `rate` names another lr.
  std::shared_ptr<Player> player(const std::string& name, const std::vector<std::string>& of, const Settings& settings,
                                 const std::string& rate = "");
  // z ~ N(0, I) and ~ U(0, 1): (n, size), there.
  Tensor noise(int64_t n, int64_t size, Random& random) const {
    return random.normal({n, size}, 0, 1, dtype_, device_);
  }
  Tensor uniform(int64_t n, int64_t size, Random& random) const {
    return random.uniform({n, size}, 0, 1, dtype_, device_);
  }
  // i64 (n): numbers below `count`, such as classes, in the host's memory.
  static Tensor numbers(int64_t n, int64_t count, Random& random);
  Tensor eye(int64_t n) const { return to(cast(one_hot_rows(n), dtype_), device_); }  // (n, n), there
  // State besides weights: replay pools, old copies. Written in place.
  Tensor memory(const std::string& name, const Tensor& value);
  // What an Adversary of that name keeps, by game_settings, for samples of that shape: past fakes, in whole batches, and
  // the strength of augmentation. `alone`: D judges a sample by nothing else; where it is judged beside a source or a
  // condition, past fakes would need theirs, and pictures alone would be moved. UsageError for what cannot be had then.
  enum class Judged : uint8_t { alone, with_label, beside_picture };
  Craft craft(const std::string& name, const Settings& settings, const Shape& sample, Judged judged = Judged::alone);

  Random random_;
  Device device_;  // networks live there, batches come from there
  DType dtype_;    // of both

 private:
  std::vector<Network> networks_;
  std::vector<std::shared_ptr<Player>> players_;
  nn::NamedTensors memories_;
  Tensor steps_done_;  // (), there; undefined where nothing depends on it
};

// Scope: evaluation mode, whatever happens in it. Gradients go through networks all the same.
class Evaluating {
 public:
  explicit Evaluating(const Recipe& recipe);
  ~Evaluating();
  Evaluating(const Evaluating&) = delete;
  Evaluating& operator=(const Evaluating&) = delete;

 private:
  const Recipe& recipe_;
};

// What a view makes of each 64 rows in turn, so that memory stays bounded for any number of them.
void make_in_parts(Recipe& recipe, const View& view, const Batch& from,
                   const std::function<void(const Batch& rows, const Batch& made)>& take);
// All of the first result together, on the recipe's device.
Tensor make_all(Recipe& recipe, const View& view, const Batch& from);
// The columns of the data that a view is given, and the one beside.
std::vector<std::string> columns_of(const View& view);
// What a picture of it holds, side by side: what it was given, what it made, what stands beside.
Batch shown(const View& view, const Batch& from, const Batch& made);
std::string names_of(const std::vector<View>& views);  // "sample, reconstruct"
// The view of that name; null when there is none.
const View* find_view(const std::vector<View>& views, const std::string& name);
View view_of(Recipe& recipe, const std::string& name);  // UsageError lists those there are
// The first one that draws and needs nothing else. UsageError when the recipe has none.
View sampling_view(Recipe& recipe);

// Settings that belong together, under a name (--preset).
struct Preset {
  std::string name;  // "lucic"
  std::string help;
  std::vector<std::pair<std::string, std::string>> values;  // by key, as they are typed
};

struct RecipeEntry {
  std::string name;                // "dcgan"
  std::string title;               // "Deep convolutional GAN"
  std::string citation;            // "Radford, Metz, Chintala 2016, arXiv:1511.06434"
  std::string data;                // what it takes: "images of 32 or 64 pixels"
  std::vector<std::string> needs;  // the columns that it learns from; with several sets of them, separated by "or"
  std::vector<Setting> settings;   // its own, and its defaults for common ones
  std::vector<Preset> presets = {};
  double minutes = 0;  // of a run with these settings, on two cores with AVX2; 0: not said
  // UsageError when the recipe cannot take rows of these columns.
  std::function<std::unique_ptr<Recipe>(const Settings& settings, const Columns& columns)> make;
};
struct RegisterRecipe {
  explicit RegisterRecipe(RecipeEntry entry);
};
const std::vector<RecipeEntry>& recipes();                // sorted by name
const RecipeEntry& find_recipe(const std::string& name);  // UsageError lists them
Settings settings_for(const RecipeEntry& recipe);         // common ones with the recipe's over them
const Preset& find_preset(const RecipeEntry& recipe, const std::string& name);  // UsageError lists them

// A RecipeEntry's `make` for a class R(settings, columns).
template <class R>
std::unique_ptr<Recipe> make_recipe(const Settings& settings, const Columns& columns) {
  return std::make_unique<R>(settings, columns);
}
// UsageError that says which data would do, unless rows of these columns are enough for the recipe.
void require_fit(const RecipeEntry& recipe, const std::string& data, const Columns& columns);
// The sources whose rows are, "fashion-mnist, folder, ...".
std::string data_for(const RecipeEntry& recipe);
// The column that a recipe needs; UsageError "sngan needs image; ring8 has point and label" when there is none.
const Column& need_column(const Settings& settings, const Columns& columns, const std::string& name);

}  // namespace forger::gan
