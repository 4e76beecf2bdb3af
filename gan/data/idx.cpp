// idx:IMAGES[,LABELS]: any pair of files in the format of MNIST.
#include "gan/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "core/error.h"

namespace forger::gan {
namespace {

struct Header {
  std::vector<int64_t> sizes;
  size_t bytes = 0;       // of the header
  size_t file_bytes = 0;  // of header and elements
};

constexpr size_t fixed_bytes = 4;

// None when more bytes are needed to tell.
std::optional<Header> parse_header(std::span<const std::byte> bytes, const std::string& origin) {
  if (bytes.size() < fixed_bytes) return std::nullopt;
  const auto byte = [&](size_t i) { return std::to_integer<uint32_t>(bytes[i]); };
  check<DataError>(byte(0) == 0 && byte(1) == 0, origin, ": not an IDX file, it should begin with two zero bytes, not ",
                   byte(0), " and ", byte(1));
  check<DataError>(byte(2) == 0x08, origin, ": IDX elements should be unsigned bytes (type 8), the type is ", byte(2));
  const uint32_t rank = byte(3);
  check<DataError>(rank >= 1 && rank <= 4, origin, ": IDX with 1 to 4 axes expected, it says ", rank);

  Header header;
  header.bytes = fixed_bytes + 4 * rank;
  if (bytes.size() < header.bytes) return std::nullopt;
  constexpr size_t most = size_t{1} << 40;
  size_t elements = 1;
  for (size_t at = fixed_bytes; at < header.bytes; at += 4) {
    const uint32_t size = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
    check<DataError>(size > 0, origin, ": IDX axis ", header.sizes.size(), " has size 0");
    check<DataError>(!__builtin_mul_overflow(elements, size, &elements) && elements <= most, origin,
                     ": the IDX header promises more than ", most, " elements");
    header.sizes.push_back(size);
  }
  header.file_bytes = header.bytes + elements;
  return header;
}

struct CloseGz {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

// Appends up to `limit` bytes; fewer only at the end of the file.
void read_some(gzFile file, size_t limit, std::vector<std::byte>& bytes, const std::string& path) {
  constexpr size_t piece = size_t{1} << 20;
  while (limit > 0) {
    const size_t before = bytes.size(), wanted = std::min(limit, piece);
    bytes.resize(before + wanted);
    const int got = gzread(file, bytes.data() + before, static_cast<unsigned>(wanted));
    bytes.resize(before + static_cast<size_t>(std::max(got, 0)));
    int code = Z_OK;
    const char* problem = gzerror(file, &code);
    check<DataError>(got >= 0 && (code == Z_OK || code == Z_STREAM_END), path, ": ",
                     code == Z_BUF_ERROR ? "truncated gzip file" : problem, ", after ", bytes.size(), " bytes of data");
    if (got == 0) return;
    limit -= static_cast<size_t>(got);
  }
}

}  // namespace

Idx parse_idx(std::span<const std::byte> bytes, const std::string& origin) {
  const std::optional<Header> header = parse_header(bytes, origin);
  check<DataError>(header.has_value(), origin, ": truncated IDX header, the file has ", bytes.size(), " bytes");
  check<DataError>(bytes.size() >= header->file_bytes, origin, ": the IDX header promises ", header->file_bytes,
                   " bytes, the file has ", bytes.size());
  check<DataError>(bytes.size() == header->file_bytes, origin, ": the IDX header promises ", header->file_bytes,
                   " bytes, more follow");
  const auto* values = reinterpret_cast<const uint8_t*>(bytes.data());
  return {header->sizes, {values + header->bytes, values + bytes.size()}};
}

Idx read_idx(const std::string& path) {
  const std::unique_ptr<gzFile_s, CloseGz> file(gzopen(path.c_str(), "rb"));
  check<DataError>(file != nullptr, "cannot open '", path, "'");
  std::vector<std::byte> bytes;
  read_some(file.get(), fixed_bytes + 4 * 4, bytes, path);
  if (const std::optional<Header> header = parse_header(bytes, path)) {
    // One byte more than promised shows what follows, and makes gzip compare its checksum.
    if (header->file_bytes >= bytes.size()) read_some(file.get(), header->file_bytes + 1 - bytes.size(), bytes, path);
  }
  return parse_idx(bytes, path);
}

ImageArray read_idx_images(const std::string& name, const std::string& images_path, const std::string& labels_path,
                           std::vector<std::string> class_names) {
  Idx images = read_idx(images_path);
  check<DataError>(images.sizes.size() == 3, images_path, ": images have 3 axes (count, height, width), this file has ",
                   images.sizes.size());
  ImageArray array;
  array.name = name;
  array.count = images.sizes[0];
  array.height = images.sizes[1];
  array.width = images.sizes[2];
  array.channels = 1;
  array.pixels = std::move(images.values);
  if (labels_path.empty()) return array;

  Idx labels = read_idx(labels_path);
  check<DataError>(labels.sizes.size() == 1, labels_path, ": labels have 1 axis, this file has ", labels.sizes.size());
  check<DataError>(labels.sizes[0] == array.count, labels_path, ": ", labels.sizes[0], " labels for the ", array.count,
                   " images of ", images_path);
  array.labels = std::move(labels.values);
  const int highest = *std::max_element(array.labels.begin(), array.labels.end());
  if (class_names.empty())
    for (int c = 0; c <= highest; c++) class_names.push_back(std::to_string(c));
  check<DataError>(highest < std::ssize(class_names), labels_path, ": label ", highest, ", but there are only ",
                   class_names.size(), " classes");
  array.class_names = std::move(class_names);
  return array;
}

namespace {

struct Paths {
  std::string images, labels;  // "" where there are none
};

// IMAGES[,LABELS], whose names may hold commas: the whole text where there is such a file, else the comma that has a
// file on either side, else the first one.
Paths paths_of(const std::string& spec) {
  const auto is_there = [](const std::string& path) {
    std::error_code unreadable;
    return std::filesystem::exists(path, unreadable);
  };
  const std::string all = spec.substr(spec.find(':') + 1);
  check<UsageError>(!all.empty() && all.front() != ',', "idx:IMAGES[,LABELS] needs the file of the images");
  if (is_there(all)) return {all, ""};
  const size_t first = all.find(',');
  for (size_t comma = first; comma != all.npos; comma = all.find(',', comma + 1))
    if (is_there(all.substr(0, comma)) && is_there(all.substr(comma + 1)))
      return {all.substr(0, comma), all.substr(comma + 1)};
  return {all.substr(0, first), first == all.npos ? "" : all.substr(first + 1)};
}

std::string map_paths(const std::string& spec, const DataSource::OnPath& f) {
  const auto [images, labels] = paths_of(spec);
  const std::string mapped = "idx:" + f(images);
  return labels.empty() ? mapped : mapped + "," + f(labels);
}

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset) {
  const auto [images, labels] = paths_of(spec);
  return image_set(read_idx_images(spec, images, labels), options);
}

const RegisterDataSource registered{{
    .name = "idx",
    .help = "idx:IMAGES[,LABELS]: files in MNIST's format, plain or gzip; the same ones for training and testing",
    .gives = {"image", "label"},
    .accepts = [](const std::string& spec) { return spec.starts_with("idx:"); },
    .open = open,
    .map_paths = map_paths,
}};

}  // namespace
}  // namespace forger::gan
