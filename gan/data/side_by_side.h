// Sets as domains: several that stand side by side, each drawn in an order of its own, and one whose columns have other
// names, such as held-out rows of which all that belongs together is known.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "gan/data/images.h"

namespace forger::gan {

std::string domain_name(size_t domain);  // "a", "b", ...

// Columns of sets under "a.", "b.", ... Row i is a row of each.
DataSetPtr side_by_side(const std::string& name, std::vector<DataSetPtr> sets);

// A set's columns under other names, some under several; those without a name are left out.
using Names = std::vector<std::pair<std::string, std::string>>;  // new and old
DataSetPtr renamed(const std::string& name, const DataSetPtr& data, const Names& names);

}  // namespace forger::gan
