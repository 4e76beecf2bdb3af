// How much of the machine a container leaves to this process.
#pragma once
#include <optional>
#include <string>

namespace forger::kernels {

// The first of a list of numbers ("4", "4,2"), as OMP_NUM_THREADS holds one; nothing where it is no number from 1 on.
std::optional<int> first_number(const std::string& list);

// The cores' worth of time that Linux's control groups grant to this process, rounded up; nothing where they set no
// limit. `root` is put before the paths of the files that say so.
std::optional<int> cpu_quota(const std::string& root = "");

}  // namespace forger::kernels
