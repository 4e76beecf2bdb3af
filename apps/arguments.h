// What holds for the arguments of every program: integers are decimal, and a value is there when one is wanted.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "core/error.h"
#include "gan/settings.h"

namespace forger::apps {

// `--out $DIR` with DIR not set names nothing, and `--steps --out x` does not mean that steps is "--out".
inline std::string wanted_value(std::string& value) {
  if (value.empty()) return "the value is empty (a variable that is not set?)";
  return value.starts_with("--") ? "a value is missing before " + value : "";
}

// CLI11 takes "010" for eight and a number that is too large for the largest there is.
inline std::string decimal_integer(std::string& value) {
  int64_t number = 0;
  if (!gan::read_number(value, number)) return "must be an integer, got '" + value + "'";
  value = std::to_string(number);
  return "";
}

// To be called when all options and sub-commands are there. Both checks come before an option's own.
inline void read_strictly(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();  // "INT:INT in [1 - 8]" where a range was asked for
    if (option->get_type_size() == 0) continue;        // a flag
    if (type.starts_with("INT") || type.starts_with("UINT")) option->transform(CLI::Validator(decimal_integer, ""));
    option->transform(CLI::Validator(wanted_value, ""));
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) read_strictly(*command);
}

}  // namespace forger::apps
