// TensorBoard's event files (--log tensorboard): records of one protobuf message each, in TensorFlow's record format.
//
//   length u64 | masked CRC-32C of it | Event | masked CRC-32C of that        little endian
#pragma once
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "gan/image.h"

namespace forger::gan {

class EventFile {
 public:
  // Begins a file, or goes on with it. What other files of the folder say of steps after `step` is void from now on: a
  // resumed run goes through them again. DataError when it cannot be written.
  EventFile(const std::string& path, int64_t step);
  void append(int64_t step, const std::vector<std::pair<std::string, double>>& scalars);
  void append(int64_t step, const std::string& name, const Image& picture);

 private:
  void write(const std::string& event);
  std::string path_;
  std::ofstream out_;
};

}  // namespace forger::gan
