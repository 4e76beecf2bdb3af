// A recipe is a system's algorithm box, runnable: its networks, what one training step does, which numbers it reports.
// The trainer owns all the rest: the loop, checkpoints, previews, averages, data order, failure watch.
//
// A recipe is one file in gan/recipes/: a class and one `static const RegisterRecipe` line.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gan/data.h"
#include "gan/settings.h"
#include "nn/optim.h"

namespace forger::gan {

struct Reading {
  const char* name;  // a column of metrics.csv: "loss_d", "loss_g", "grad_norm_d", ...
  Tensor value;      // a scalar on the device, not yet looked at
};
using Readings = std::vector<Reading>;  // always the same names in the same order for one recipe

struct Scalar {  // the same, looked at
  const char* name;
  double value;
};
using Scalars = std::vector<Scalar>;
Scalars look_at(const Readings& readings);  // waits for the device

class Recipe {
 public:
  virtual ~Recipe() = default;

  // One training step: draws as many batches as it needs, always the same number. It reads nothing from the device and
  // decides nothing by values, so that it can be recorded and replayed.
  virtual Readings step(const std::function<Loader::Batch()>& next_batch) = 0;
  virtual Tensor latent(int64_t n, Random& random) = 0;  // (n, ...): what `generate` takes
  // Samples for latents: (n, H, W, C) in [-1, 1], or (n, 2). Evaluation mode, nothing recorded.
  virtual Tensor generate(const Tensor& latent) = 0;
  // What the discriminator says of samples: (n), the higher the more it takes them for real. Undefined where a recipe
  // has none. Evaluation mode, nothing recorded.
  virtual Tensor discriminate(const Tensor& samples);

  // Networks and optimisers by name, in a fixed order: what is averaged, checkpointed and resumed.
  struct Part {
    std::string name;  // "g", "d"
    std::shared_ptr<nn::Module> module;
    std::shared_ptr<nn::Optimizer> optimizer;  // null for a network that is not trained
    bool averaged = false;                     // keeps an exponential moving average (generators)
  };
  virtual std::vector<Part> parts() const = 0;

  Random& random() { return random_; }  // all randomness of training; its counter is checkpointed

 protected:
  explicit Recipe(const Settings& settings);
  Random random_;
  Device device_;  // networks live there, latents and batches come from there
};

struct RecipeEntry {
  std::string name;               // "dcgan"
  std::string title;              // "Deep convolutional GAN"
  std::string citation;           // "Radford, Metz, Chintala 2016, arXiv:1511.06434"
  std::string data;               // what it takes: "images of 32 or 64 pixels"
  std::vector<Setting> settings;  // its own, and its defaults for common ones
  // sample: shape of one sample of the data set. UsageError when the recipe cannot take it.
  std::function<std::unique_ptr<Recipe>(const Settings& settings, const Shape& sample)> make;
};
struct RegisterRecipe {
  explicit RegisterRecipe(RecipeEntry entry);
};
const std::vector<RecipeEntry>& recipes();                // sorted by name
const RecipeEntry& find_recipe(const std::string& name);  // UsageError lists them
Settings settings_for(const RecipeEntry& recipe);         // common ones with the recipe's over them

}  // namespace forger::gan
