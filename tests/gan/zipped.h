// A zip archive of named entries, stored as they are: what torch.save writes, and what it never would.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace forger::test {

inline std::string zipped(const std::vector<std::pair<std::string, std::string>>& entries) {
  const auto number = [](std::string& out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) out += static_cast<char>(value >> (8 * i) & 255);
  };
  std::string archive, directory;
  for (const auto& entry : entries) {
    const std::string &name = entry.first, &bytes = entry.second;
    const uint64_t sum = crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
    const uint64_t begin = archive.size();
    const auto header = [&](std::string& out) {  // what the entry and the directory have in common
      for (const auto& [value, size] : {std::pair<uint64_t, int>{20, 2}, {0, 2}, {0, 2}, {0, 4}, {sum, 4}})
        number(out, value, size);
      number(out, bytes.size(), 4), number(out, bytes.size(), 4), number(out, name.size(), 2), number(out, 0, 2);
    };
    archive += "PK\3\4";
    header(archive);
    archive += name + bytes;
    directory += "PK\1\2";
    number(directory, 20, 2);
    header(directory);
    number(directory, 0, 6), number(directory, 0, 4), number(directory, begin, 4);
    directory += name;
  }
  const uint64_t begin = archive.size();
  archive += directory + "PK\5\6";
  number(archive, 0, 4), number(archive, entries.size(), 2), number(archive, entries.size(), 2);
  number(archive, directory.size(), 4), number(archive, begin, 4), number(archive, 0, 2);
  return archive;
}

}  // namespace forger::test
