// What tests of commands begin with, and how they end when a command is refused.
#pragma once
#include <string>

#include "tests/apps/program.h"
#include "tests/catch.h"

namespace program {

// A run of tiny_training, in a folder of the recipe's name.
inline std::string trained(const Scratch& scratch, const std::string& recipe, const std::string& data,
                           const Words& more = {}) {
  const std::string run = scratch / recipe;
  const Result result = forger(tiny_training(recipe, data, run, more));
  INFO(result.err);
  REQUIRE(result.code == 0);
  return run;
}

// With one line, that holds `message`.
inline void check_refused(const Words& words, const std::string& message) {
  const Result result = forger(words);
  INFO(result.err);
  CHECK(result.code == 2);
  CHECK(errors(result).size() == 1);
  CHECK(result.err.find(message) != std::string::npos);
}

}  // namespace program
