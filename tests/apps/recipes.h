// Rows of tests/recipe_cases.h on the command line.
#pragma once
#include "tests/apps/program.h"
#include "tests/recipe_cases.h"

namespace program {

// tiny_training of a row, on images with classes (tiny_classes), without its --out.
inline Words training(const ::forger::test::RecipeCase& row, const std::string& images, const Words& more) {
  const std::string word = "IMAGES";
  std::string data = row.data;
  for (size_t at = 0; (at = data.find(word, at)) != data.npos; at += images.size())
    data.replace(at, word.size(), images);
  Words all{"--width", "2", "--batch", "4"};
  if (::forger::test::settings_of(row).has("n_critic")) all.insert(all.end(), {"--n-critic", "1"});
  for (auto [key, value] : row.settings) {
    std::ranges::replace(key, '_', '-');
    all.insert(all.end(), {"--" + key, value});
  }
  all.insert(all.end(), more.begin(), more.end());
  Words words = tiny_training(row.recipe, data, "", all);
  words.resize(words.size() - 2);
  return words;
}

}  // namespace program
