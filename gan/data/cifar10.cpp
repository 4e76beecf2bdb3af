// CIFAR-10 (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html), the binary version: 50,000 + 10,000 colour
// images, 32x32, ten classes. A file is a row of records:
//
//   label | 1024 red | 1024 green | 1024 blue      3073 bytes; each plane row-major, turned into (32, 32, 3) here
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "gan/data/images.h"

namespace forger::gan {
namespace {

constexpr int64_t side = 32, planes = 3, plane_bytes = side * side, record_bytes = 1 + planes * plane_bytes;

void append_records(const std::filesystem::path& path, ImageArray& array) {
  std::ifstream file(path, std::ios::binary);
  check<DataError>(file.good(), "cifar10: cannot open '", path.string(), "'");
  std::vector<char> record(record_bytes);
  for (int64_t bytes = 0;;) {
    file.read(record.data(), record_bytes);
    bytes += file.gcount();
    check<DataError>(file.gcount() == record_bytes || (file.gcount() == 0 && bytes > 0), path.string(), ": ", bytes,
                     " bytes are not a whole number of records of ", record_bytes);
    if (file.gcount() == 0) return;
    const auto label = static_cast<uint8_t>(record[0]);
    check<DataError>(label < array.class_names.size(), path.string(), ": record ", bytes / record_bytes - 1,
                     " has label ", int{label}, ", there are ", array.class_names.size(), " classes");
    array.labels.push_back(label);
    array.count++;
    for (int64_t i = 0; i < plane_bytes; i++)
      for (int64_t plane = 0; plane < planes; plane++)
        array.pixels.push_back(static_cast<uint8_t>(record[static_cast<size_t>(1 + plane * plane_bytes + i)]));
  }
}

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  const std::filesystem::path folder = spec.substr(spec.find(':') + 1);
  ImageArray array;
  array.name = "cifar10";
  array.height = array.width = side;
  array.channels = planes;
  array.class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  if (subset == Subset::test) append_records(folder / "test_batch.bin", array);
  for (int i = 1; subset == Subset::train && i <= 5; i++)
    append_records(folder / text("data_batch_", i, ".bin"), array);
  return image_set(std::move(array), options);
}

const RegisterDataSource registered{{
    .name = "cifar10",
    .help = "cifar10:DIR: the folder of the binary version's data_batch_1.bin ... test_batch.bin",
    .gives = {"image", "label"},
    .accepts = [](const std::string& spec) { return spec.starts_with("cifar10:"); },
    .open = open,
    .map_paths = prefixed_path,
}};

}  // namespace
}  // namespace forger::gan
