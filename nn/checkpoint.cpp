// The safetensors format (github.com/huggingface/safetensors), all of it:
//
//   8 bytes    N, little-endian
//   N bytes    {"__metadata__": {"key": "text", ...},
//               "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}, padded with spaces
//   the rest   the tensors' elements, row-major, little-endian; offsets count from here and cover it without gap or
//              overlap
//
// A file may come from anywhere, so the reader trusts nothing: the header is read by a state machine over JSON events
// that admits this grammar only (no tree is built, nesting has no depth to exhaust, duplicate keys are seen), and every
// size is checked against the file before it is used. What it allocates is bounded by the file's size.
#include "nn/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>

#include "core/file.h"

namespace forger::nn {

namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "elements are written as they lie in memory");

constexpr uint64_t length_bytes = 8;
constexpr uint64_t alignment = 8;                 // of the data; the header is padded to it
constexpr uint64_t longest_header = 100'000'000;  // the reference implementation's limit
constexpr const char* metadata_key = "__metadata__";
constexpr const char* layout_key = "layout";
constexpr const char* layout = "images NHWC, convolution weights (out, kh, kw, in), transposed ones (in, kh, kw, out)";

struct DTypeName {
  DType dtype;
  const char* name;
};
constexpr DTypeName dtype_names[] = {{DType::f32, "F32"}, {DType::f64, "F64"}, {DType::i64, "I64"}};

const char* format_name(DType dtype) {
  return std::find_if(std::begin(dtype_names), std::end(dtype_names), [&](const auto& d) { return d.dtype == dtype; })
      ->name;
}

std::span<std::byte> bytes_of(const Tensor& t) {
  return {static_cast<std::byte*>(t.storage()->data()), static_cast<size_t>(t.numel()) * size_of(t.dtype())};
}

// ---- reading the header ----

struct Entry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<int64_t>> shape;
  std::optional<std::vector<uint64_t>> offsets;  // [begin, end)
  uint64_t begin() const { return (*offsets)[0]; }
  uint64_t end() const { return (*offsets)[1]; }
};

struct Header {
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
  uint64_t bytes = 0;  // where the data begins
};

// Receives the JSON's events in order; `state_` is where in the grammar above the next one falls.
class HeaderReader : public json::json_sax_t {
 public:
  explicit HeaderReader(const std::string& origin) : origin_(origin) {}
  Header take() { return std::move(header_); }

  bool start_object(size_t) override {
    switch (state_) {
      case State::start:
        return move_to(State::top);
      case State::metadata:
        return move_to(State::metadata_name);
      case State::entry:
        return move_to(State::entry_key);
      default:
        reject("an object");
    }
  }

  bool end_object() override {
    if (state_ == State::metadata_name) return move_to(State::top);
    if (state_ == State::top) return move_to(State::done);
    const Entry& entry = header_.entries.back();
    require(entry.dtype && entry.shape && entry.offsets, "has not all of dtype, shape and data_offsets");
    return move_to(State::top);
  }

  bool key(std::string& name) override {
    switch (state_) {
      case State::top:
        return top_key(name);
      case State::metadata_name:
        key_ = name;
        require(!header_.metadata.contains(name), "appears twice in the metadata");
        return move_to(State::metadata_value);
      default:
        return entry_key(name);
    }
  }

  bool string(std::string& value) override {
    if (state_ == State::metadata_value) {
      header_.metadata.emplace(key_, value);
      return move_to(State::metadata_name);
    }
    if (state_ != State::dtype) reject("a string");
    for (const DTypeName& known : dtype_names)
      if (value == known.name) header_.entries.back().dtype = known.dtype;
    require(header_.entries.back().dtype.has_value(),
            "has the dtype " + value.substr(0, 16) + "; F32, F64 and I64 are supported");
    return move_to(State::entry_key);
  }

  bool start_array(size_t) override {
    if (state_ == State::shape) return move_to(State::shape_value);
    if (state_ == State::offsets) return move_to(State::offsets_value);
    reject("an array");
  }

  bool end_array() override {
    if (state_ == State::offsets_value)
      require(header_.entries.back().offsets->size() == 2, "does not have two data_offsets");
    return move_to(State::entry_key);
  }

  bool number_unsigned(uint64_t value) override {
    Entry* entry = header_.entries.empty() ? nullptr : &header_.entries.back();
    if (state_ == State::shape_value) {
      require(entry->shape->size() < kernels::max_rank, "has more than " + std::to_string(kernels::max_rank) + " axes");
      require(value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()), "has a size that is too large");
      entry->shape->push_back(static_cast<int64_t>(value));
    } else if (state_ == State::offsets_value) {
      require(entry->offsets->size() < 2, "does not have two data_offsets");
      entry->offsets->push_back(value);
    } else {
      reject("a number");
    }
    return true;
  }

  bool number_integer(int64_t) override { reject("a negative number"); }
  bool number_float(double, const std::string&) override { reject("a number that is no integer, or too large"); }
  bool boolean(bool) override { reject("true or false"); }
  bool null() override { reject("null"); }
  bool binary(binary_t&) override { reject("binary data"); }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    constexpr size_t longest = 200;  // the message quotes the input
    throw DataError(text(origin_, ": the header is not JSON, at byte ", position, ": ",
                         std::string(error.what()).substr(0, longest)));
  }

 private:
  enum class State : uint8_t {
    start,
    top,  // between entries: a name or the end
    metadata,
    metadata_name,
    metadata_value,
    entry,
    entry_key,
    dtype,
    shape,
    shape_value,
    offsets,
    offsets_value,
    done
  };

  bool move_to(State state) {
    state_ = state;
    return true;
  }

  bool top_key(const std::string& name) {
    key_ = name;
    require(names_.insert(name).second, "appears twice");
    if (name == metadata_key) return move_to(State::metadata);
    header_.entries.emplace_back().name = name;
    return move_to(State::entry);
  }

  bool entry_key(const std::string& name) {
    Entry& entry = header_.entries.back();
    const bool known = name == "dtype" || name == "shape" || name == "data_offsets";
    require(known, "has the unknown field \"" + name.substr(0, 64) + "\"");
    require(!(name == "dtype"   ? entry.dtype.has_value()
              : name == "shape" ? entry.shape.has_value()
                                : entry.offsets.has_value()),
            "has two fields \"" + name + "\"");
    if (name == "dtype") return move_to(State::dtype);
    if (name == "shape") {
      entry.shape.emplace();
      return move_to(State::shape);
    }
    entry.offsets.emplace();
    return move_to(State::offsets);
  }

  void require(bool ok, const std::string& what) const {
    if (!ok) throw DataError(text(origin_, ": \"", key_.substr(0, 200), "\" ", what));
  }

  [[noreturn]] void reject(const char* what) const {
    throw DataError(text(origin_, ": the header has ", what, " where none belongs",
                         key_.empty() ? "" : text(", at \"", key_.substr(0, 200), "\"")));
  }

  const std::string& origin_;
  Header header_;
  State state_ = State::start;
  std::set<std::string> names_;
  std::string key_;  // the entry or metadata key being read, for messages
};

// ---- checking it against the data ----

// Elements times their size against the byte range, without trusting either to fit in 64 bits.
void check_size(const Entry& entry, uint64_t data_bytes, const std::string& origin) {
  check<DataError>(entry.begin() <= entry.end() && entry.end() <= data_bytes, origin, ": \"", entry.name,
                   "\" lies at bytes ", entry.begin(), " to ", entry.end(), " of ", data_bytes, " bytes of data");
  uint64_t bytes = size_of(*entry.dtype);
  bool fits = true;
  for (const int64_t size : *entry.shape) {
    // An empty axis does not excuse sizes that overflow beside it.
    fits = fits && !__builtin_mul_overflow(bytes, static_cast<uint64_t>(std::max<int64_t>(size, 1)), &bytes) &&
           bytes <= uint64_t{1} << 56;
  }
  if (std::count(entry.shape->begin(), entry.shape->end(), 0) > 0) bytes = 0;
  check<DataError>(fits && bytes == entry.end() - entry.begin(), origin, ": \"", entry.name, "\" has ",
                   entry.end() - entry.begin(), " bytes of data, its shape asks for ",
                   fits ? std::to_string(bytes) : "more than there can be");
}

// The byte ranges must follow each other from the first byte of the data to the last.
void check_coverage(const std::vector<Entry>& entries, uint64_t data_bytes, const std::string& origin) {
  std::vector<const Entry*> sorted;
  for (const Entry& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) {
    return std::pair(a->begin(), a->end()) < std::pair(b->begin(), b->end());
  });
  uint64_t covered = 0;
  for (const Entry* entry : sorted) {
    check<DataError>(entry->begin() == covered, origin, ": \"", entry->name, "\" begins at byte ", entry->begin(),
                     entry->begin() < covered ? " and overlaps the tensor before it, which ends at "
                                              : " and leaves a gap after the tensor before it, which ends at ",
                     covered);
    covered = entry->end();
  }
  check<DataError>(covered == data_bytes, origin, ": the tensors end at byte ", covered, " of ", data_bytes,
                   " bytes of data");
}

Header parse_header(std::string_view header, uint64_t data_bytes, const std::string& origin) {
  check<DataError>(header.starts_with('{'), origin, ": the header does not start with '{': not a safetensors file");
  // The JSON library takes a zero byte for the end of its input and would not look at what follows.
  check<DataError>(header.find('\0') == std::string_view::npos, origin, ": the header contains a zero byte");
  HeaderReader reader(origin);
  json::sax_parse(header.begin(), header.end(), &reader);
  Header result = reader.take();
  for (const Entry& entry : result.entries) check_size(entry, data_bytes, origin);
  check_coverage(result.entries, data_bytes, origin);
  return result;
}

// Reads bytes [offset, offset + into.size()), which exist.
using ReadAt = std::function<void(uint64_t offset, std::span<std::byte> into)>;

Header read_header(uint64_t size, const ReadAt& read_at, const std::string& origin) {
  check<DataError>(size >= length_bytes, origin, ": ", size, " bytes are too few for a safetensors file");
  uint64_t header_bytes = 0;
  read_at(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
  check<DataError>(header_bytes <= size - length_bytes && header_bytes <= longest_header, origin,
                   ": the header should have ", header_bytes, " bytes, the file has ", size,
                   ": truncated, or not a safetensors file");
  std::string text_of_header(header_bytes, '\0');
  read_at(length_bytes, std::as_writable_bytes(std::span(text_of_header)));

  Header header = parse_header(text_of_header, size - length_bytes - header_bytes, origin);
  header.bytes = length_bytes + header_bytes;
  return header;
}

Checkpoint read_checkpoint(uint64_t size, const ReadAt& read_at, const std::string& origin) {
  Header header = read_header(size, read_at, origin);
  Checkpoint checkpoint;
  checkpoint.metadata = std::move(header.metadata);
  for (const Entry& entry : header.entries) {
    const Tensor tensor(Shape(std::span<const int64_t>(*entry.shape)), *entry.dtype);
    read_at(header.bytes + entry.begin(), bytes_of(tensor));
    checkpoint.tensors.push_back({entry.name, tensor});
  }
  return checkpoint;
}

// ---- writing the header ----

std::string escaped(const std::string& s, const std::string& path) try {
  return json(s).dump();
} catch (const json::exception&) {
  throw DataError(text("cannot write ", path, ": \"", s, "\" is not valid UTF-8"));
}

std::string make_header(const Checkpoint& checkpoint, const std::string& path) {
  std::map<std::string, std::string> metadata = checkpoint.metadata;
  metadata.try_emplace(layout_key, layout);
  std::string header = "{" + json(metadata_key).dump() + ":{";
  const char* comma = "";
  for (const auto& [key, value] : metadata) {
    header += comma + escaped(key, path) + ":" + escaped(value, path);
    comma = ",";
  }
  header += "}";
  std::set<std::string> names{metadata_key};
  uint64_t offset = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    check<DataError>(tensor.defined(), "cannot write ", path, ": \"", name, "\" is undefined");
    check<DataError>(names.insert(name).second, "cannot write ", path, ": two tensors are named \"", name, "\"");
    const std::vector<int64_t> shape(tensor.shape().begin(), tensor.shape().end());
    const uint64_t end = offset + bytes_of(tensor).size();
    const json entry = {{"dtype", format_name(tensor.dtype())}, {"shape", shape}, {"data_offsets", {offset, end}}};
    header += "," + escaped(name, path) + ":" + entry.dump();
    offset = end;
  }
  header += "}";
  header.resize((header.size() + alignment - 1) / alignment * alignment, ' ');
  return header;
}

}  // namespace

// ---- Checkpoint ----

const Tensor* Checkpoint::find(const std::string& name) const {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const Named& named) { return named.name == name; });
  return found == tensors.end() ? nullptr : &found->tensor;
}

NamedTensors Checkpoint::under(const std::string& prefix) const {
  const std::string start = prefix + ".";
  NamedTensors out;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(start)) out.push_back({name.substr(start.size()), tensor});
  return out;
}

void Checkpoint::add(const std::string& prefix, const NamedTensors& named) {
  for (const auto& [name, tensor] : named) tensors.push_back({prefix + "." + name, tensor});
}

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  const std::string header = make_header(checkpoint, path);
  const uint64_t header_bytes = header.size();
  Chunks chunks{std::as_bytes(std::span(&header_bytes, 1)), std::as_bytes(std::span(header))};
  std::vector<Tensor> on_host;  // kept while their bytes are written
  for (const auto& [name, tensor] : checkpoint.tensors) {
    on_host.push_back(to(tensor, Device::cpu));
    chunks.push_back(bytes_of(on_host.back()));
  }
  write_file(path, chunks);
}

Checkpoint load_checkpoint(const std::string& path) {
  const InputFile file(path);
  return read_checkpoint(
      file.size(), [&](uint64_t at, std::span<std::byte> into) { file.read_at(at, into); }, path);
}

std::map<std::string, std::string> load_metadata(const std::string& path) {
  const InputFile file(path);
  return read_header(
             file.size(), [&](uint64_t at, std::span<std::byte> into) { file.read_at(at, into); }, path)
      .metadata;
}

Checkpoint parse_checkpoint(std::span<const std::byte> bytes, const std::string& origin) {
  const ReadAt read_at = [&](uint64_t offset, std::span<std::byte> into) {
    if (!into.empty()) std::memcpy(into.data(), bytes.data() + offset, into.size());
  };
  return read_checkpoint(bytes.size(), read_at, origin);
}

}  // namespace forger::nn
