// Tables of things that have names: what a word stands for, and the line for a word that stands for nothing.
#pragma once
#include <algorithm>
#include <string>

#include "core/error.h"

namespace forger::gan {

template <class Table>
std::string names_in(const Table& table) {  // "gp, lp, dragan"
  std::string names;
  for (const auto& entry : table) names += (names.empty() ? "" : ", ") + entry.name;
  return names;
}

// UsageError "--penalty 'gb' is not known; there are: none, gp, ..."; `what` is "--penalty".
template <class Table>
const auto& find_named(const Table& table, const std::string& name, const std::string& what) {
  const auto found = std::ranges::find_if(table, [&](const auto& entry) { return entry.name == name; });
  check<UsageError>(found != table.end(), what, " '", name, "' is not known; there are: ", names_in(table));
  return *found;
}

}  // namespace forger::gan
