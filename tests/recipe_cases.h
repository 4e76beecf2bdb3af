// The table of recipes: one row per recipe, and per variant whose step is another. Every row steps, names what a NaN
// spoils and makes its views (tests/gan/recipes_test.cpp), equals PyTorch (tests/gan/golden_test.cpp: a new row needs
// its function in tests/golden/make_golden.py, which writes its file), survives kills (tests/apps/recipes_test.cpp) and
// trains on the CUDA kernels, replayed or not (tests/apps/simt_test.cpp). A recipe without a row fails the suite.
#pragma once
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "gan/captions.h"
#include "gan/recipe.h"

namespace forger::test {

struct RecipeCase {
  std::string name;      // the recipe's, then what is special
  std::string recipe;    // "cgan"
  gan::Columns columns;  // of what it is given here
  std::string data;      // and on the command line: a spec in which IMAGES stands for that of a set with classes
  std::vector<std::pair<std::string, std::string>> settings = {};  // what is special
  bool simt = true;  // false: a step takes seconds there; its ops are compared one by one (tests/op_cases.h)
};

constexpr int64_t case_rows = 5;  // of a batch

inline const std::vector<RecipeCase>& recipe_cases() {
  const auto image = [](const char* name, int64_t channels = 1, int64_t width = 16) {
    return gan::Column{.name = name, .sample = {16, width, channels}};
  };
  const gan::Column label{"label", {}, DType::i64, {"coat", "bag", "shoe"}}, point{.name = "point", .sample = {2}};
  const gan::Columns grey{image("image")}, classes{image("image"), label}, pairs{image("source"), image("target", 3)},
      domains{image("a.image"), image("b.image")};
  const gan::Column a_label{"a.label", {}, DType::i64, label.words}, b_label{"b.label", {}, DType::i64, label.words};
  const gan::Columns with_classes{image("a.image"), a_label, image("b.image", 3), b_label};
  const gan::Columns captions{image("image"),
                              label,
                              {"caption",
                               {4},
                               DType::i64,
                               {"", "a", "dark", "bright", "narrow", "wide", "coat", "bag", "shoe"},
                               {"a dark wide coat", "a bright bag", "shoe"}}};
  const gan::Columns letters{{"tokens", {4}, DType::i64, {" ", "a", "b", "c", "d"}}};
  const std::string words = std::string("words:") + GOLDEN_DIR + "/words.txt";
  const auto sampled = [](const char* relax) {
    return std::vector<std::pair<std::string, std::string>>{{"relax", relax},  {"loss", "non-saturating"},
                                                            {"penalty", "r1"}, {"lambda", "1"},
                                                            {"n_critic", "1"}, {"blocks", "1"},
                                                            {"tau", "1"},      {"tau_end", "0.5"}};
  };
  static const std::vector<RecipeCase> table{
      {"dcgan", "dcgan", {image("image", 3, 24)}, "IMAGES"},
      {"wgan-gp", "wgan-gp", grey, "IMAGES", {{"n_critic", "2"}}},
      {"wgan-gp-resnet", "wgan-gp", grey, "IMAGES", {{"n_critic", "2"}, {"arch", "resnet"}}, false},
      {"sngan", "sngan", grey, "IMAGES"},
      {"sngan-resnet", "sngan", grey, "IMAGES", {{"arch", "resnet"}}, false},
      {"stylegan", "stylegan", grey, "IMAGES"},
      {"gan", "gan", grey, "IMAGES", {{"width", "8"}}},
      {"gan-points", "gan", {point}, "ring8", {{"width", "8"}, {"replay", "10"}}},
      {"dcgan-relativistic", "dcgan", grey, "IMAGES", {{"loss", "ra-gan"}}, false},
      {"dcgan-lp", "dcgan", grey, "IMAGES", {{"d_norm", "none"}, {"penalty", "lp"}}, false},
      {"dcgan-lp-linear", "dcgan", grey, "IMAGES", {{"d_norm", "none"}, {"penalty", "lp-linear"}}, false},
      {"dcgan-r2", "dcgan", grey, "IMAGES", {{"d_norm", "none"}, {"penalty", "r2"}}, false},
      {"dcgan-craft",
       "dcgan",
       grey,
       "IMAGES",
       {{"d_norm", "layer"},
        {"penalty", "r1"},
        {"lambda", "3"},
        {"label_smoothing", "0.1"},
        {"label_smoothing_fake", "0.05"},
        {"label_noise", "0.3"},
        {"instance_noise", "0.2"},
        {"g_dropout", "0.4"},
        {"clip_grad", "0.5"}}},
      {"dcgan-msg", "dcgan", grey, "IMAGES", {{"arch", "msg"}}, false},
      {"gan-mixture", "gan", {point}, "ring8", {{"width", "8"}, {"generators", "2"}}},
      {"gan-past", "gan", {point}, "ring8", {{"width", "8"}, {"past", "2"}}},
      {"lsgan", "lsgan", grey, "IMAGES"},
      {"wgan", "wgan", grey, "IMAGES", {{"n_critic", "2"}, {"optimizer", "adam"}, {"clip", "0.05"}}},
      {"dragan", "dragan", grey, "IMAGES"},
      {"fgan", "fgan", grey, "IMAGES"},
      {"fgan-stated", "fgan", grey, "IMAGES", {{"loss", "fgan-neyman"}, {"g_form", "stated"}}, false},
      {"ebgan", "ebgan", grey, "IMAGES"},
      {"ebgan-pretrained", "ebgan", grey, "IMAGES", {{"pretrain", "1"}}},
      {"cgan", "cgan", classes, "IMAGES"},
      {"cgan-concat", "cgan", classes, "IMAGES", {{"condition", "concat"}}},
      {"cgan-acgan", "cgan", classes, "IMAGES", {{"condition", "acgan"}, {"class_weight", "0.5"}}},
      {"cgan-two-scores", "cgan", classes, "IMAGES", {{"scores", "two"}}},
      {"cgan-concat-two-scores", "cgan", classes, "IMAGES", {{"condition", "concat"}, {"scores", "two"}}},
      {"pix2pix", "pix2pix", pairs, "edges:IMAGES"},
      {"pix2pix-gan", "pix2pix", pairs, "edges:IMAGES", {{"mode", "gan"}, {"field", "1"}}},
      {"pix2pix-close", "pix2pix", pairs, "edges:IMAGES", {{"mode", "close"}}},
      {"cyclegan",
       "cyclegan",
       domains,
       "unpaired:negative:IMAGES",
       {{"arch", "unet"}, {"replay", "10"}, {"lambda_identity", "5"}, {"field", "16"}}},
      {"cyclegan-resnet",
       "cyclegan",
       domains,
       "unpaired:negative:IMAGES",
       {{"blocks", "1"}, {"replay", "0"}, {"lambda_identity", "5"}, {"field", "16"}},
       false},
      {"cyclegan-honest",
       "cyclegan",
       domains,
       "unpaired:negative:IMAGES",
       {{"arch", "unet"}, {"replay", "0"}, {"lambda_identity", "5"}, {"field", "16"}, {"cycle_noise", "0.1"}}},
      {"dualgan",
       "dualgan",
       domains,
       "unpaired:negative:IMAGES",
       {{"n_critic", "2"}, {"optimizer", "adam"}, {"clip", "0.05"}, {"field", "16"}}},
      {"discogan", "discogan", domains, "unpaired:negative:IMAGES"},
      {"stargan", "stargan", classes, "domains:plain,negative:IMAGES", {{"blocks", "1"}, {"n_critic", "2"}}},
      {"combogan",
       "combogan",
       {image("a.image"), image("b.image"), image("c.image")},
       "unpaired:domains:plain,negative,blur:IMAGES",
       {{"blocks", "2"}, {"replay", "0"}, {"lambda_identity", "5"}, {"field", "16"}},
       false},
      {"combogan-two",
       "combogan",
       domains,
       "unpaired:negative:IMAGES",
       {{"blocks", "0"}, {"field", "0"}, {"replay", "10"}}},
      {"infogan", "infogan", grey, "IMAGES", {{"categories", "3"}}},
      {"vae", "vae", grey, "IMAGES"},
      {"vae-gan", "vae-gan", grey, "IMAGES"},
      {"bigan", "bigan", grey, "IMAGES"},
      {"flow", "flow", grey, "IMAGES", {{"couplings", "2"}, {"alpha", "0.05"}, {"batch", "8"}}},
      {"flow-points", "flow", {point}, "moons", {{"couplings", "3"}, {"width", "8"}}},
      {"seqgan",
       "seqgan",
       letters,
       words,
       {{"relax", "softmax"},
        {"loss", "wasserstein"},
        {"penalty", "gp"},
        {"lambda", "10"},
        {"n_critic", "2"},
        {"blocks", "1"}}},
      {"seqgan-gumbel", "seqgan", letters, words, sampled("gumbel")},
      {"seqgan-gumbel-soft", "seqgan", letters, words, sampled("gumbel-soft")},
      {"cogan", "cogan", domains, "unpaired:negative:IMAGES"},
      {"unit", "unit", domains, "unpaired:negative:IMAGES", {{"blocks", "0"}, {"field", "16"}}},
      {"dann", "dann", with_classes, "unpaired:tint:IMAGES", {{"code", "6"}, {"lambda", "0.7"}}},
      {"dann-alternating",
       "dann",
       with_classes,
       "unpaired:tint:IMAGES",
       {{"code", "6"}, {"lambda", "0.7"}, {"mode", "alternating"}}},
      {"dtn", "dtn", {image("a.image"), a_label, image("b.image", 3)}, "unpaired:tint:IMAGES", {{"code", "6"}}},
      {"disentangle",
       "disentangle",
       {image("image"), label, {"class", {}, DType::i64, {"old", "new"}}},
       "domains:plain,negative,blur:IMAGES",
       {{"code", "6"}, {"style_code", "4"}, {"lambda", "0.3"}, {"n_critic", "2"}}},
      {"triple-gan",
       "triple-gan",
       {image("a.image"), a_label, image("b.image")},
       "few-labels:32:IMAGES",
       {{"alpha_made", "0.4"}, {"confidence", "0.3"}}},
      {"xgan", "xgan", domains, "unpaired:negative:IMAGES", {{"code", "6"}, {"field", "16"}}},
      {"gan-cls", "gan-cls", captions, "captions:IMAGES", {{"code", "4"}, {"embedding", "3"}}},
      {"gan-cls-two-scores",
       "gan-cls",
       captions,
       "captions:IMAGES",
       {{"code", "4"}, {"embedding", "3"}, {"scores", "two"}},
       false},
      {"gan-cls-projection",
       "gan-cls",
       captions,
       "captions:IMAGES",
       {{"code", "4"}, {"embedding", "3"}, {"condition", "projection"}},
       false},
      {"stackgan",
       "stackgan",
       captions,
       "captions:IMAGES",
       {{"code", "4"}, {"embedding", "3"}, {"augmented", "3"}, {"blocks", "1"}}},
  };
  return table;
}

// Every row; of several parts that run side by side, those of one.
template <class F>
void for_each_recipe(const F& check, size_t part = 0, size_t parts = 1) {
  for (size_t i = part; i < recipe_cases().size(); i += parts) check(recipe_cases()[i]);
}

// A row's settings, as small as they can be: tests/golden/recorder.py has the same numbers.
inline gan::Settings settings_of(const RecipeCase& row) {
  gan::Settings settings = gan::settings_for(gan::find_recipe(row.recipe));
  for (const auto& [key, value] : {std::pair{"width", "2"}, {"latent", "6"}, {"n_critic", "1"}})
    if (settings.has(key)) settings.set(key, value);  // not every one has n_critic
  settings.set("batch", gan::Value(case_rows));
  for (const auto& [key, value] : row.settings) settings.set(key, value);
  return settings;
}

inline std::unique_ptr<gan::Recipe> make(const RecipeCase& row, const gan::Settings& settings) {
  return gan::find_recipe(row.recipe).make(settings, row.columns);
}

// Random rows of these columns.
inline gan::Batch batch_of(const gan::Columns& columns, Random& random) {
  gan::Batch batch;
  for (const gan::Column& column : columns) {
    const Tensor tensor = gan::empty_rows(column, case_rows);
    for (int64_t i = 0; i < tensor.numel() && column.dtype == DType::i64; i++)
      tensor.data<int64_t>()[i] = i % std::ssize(column.words);
    batch.add(column.name, column.dtype == DType::i64 ? tensor : random.uniform(tensor.shape(), -1, 1));
  }
  return batch;
}

}  // namespace forger::test
