// Checkpoints in the safetensors format (an 8-byte little-endian header length, a JSON header, raw data): readable by
// the Python package of that name. Tensors keep Forger's layouts (conv weights (O, KH, KW, C)); the header's
// __metadata__ says so.
#pragma once
#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "nn/module.h"

namespace forger::nn {

struct Checkpoint {
  NamedTensors tensors;                               // written in this order; names unique
  std::map<std::string, std::string> metadata;        // counters, settings: text. The writer adds "layout"
  const Tensor* find(const std::string& name) const;  // null when there is none
  // The tensors under "prefix.", with the prefix removed.
  NamedTensors under(const std::string& prefix) const;
  void add(const std::string& prefix, const NamedTensors& named);  // as "prefix.name"
};

// The same tensors and metadata give the same bytes. Written by core/file.h's write_file: never half there. DataError
// on failure (a full disk, a folder that is not writable).
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

// Checks everything before it allocates tensors: header length against the file's size, JSON, dtypes, shapes against
// byte ranges, overlap and gaps. DataError says what is wrong and where. Tensors come in the order of the header.
Checkpoint load_checkpoint(const std::string& path);
Checkpoint parse_checkpoint(std::span<const std::byte> bytes, const std::string& origin);
// The metadata alone, after the same checks of the header.
std::map<std::string, std::string> load_metadata(const std::string& path);

}  // namespace forger::nn
