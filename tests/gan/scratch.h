// A folder for the files of one test, and the words of an error.
#pragma once
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/nn/support.h"

namespace forger::test {

class Scratch : public TemporaryFolder {
 public:
  // Writes a file, with the folders that lead to it; returns its path.
  std::string write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(file(name)).parent_path());
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }
};

inline std::string contents(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

// The message of the E that f throws; "" when it throws none. Anything else that is thrown goes on.
template <class E, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

}  // namespace forger::test
