// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747): 60,000 + 10,000 grey images of garments, 28x28, ten
// classes. The files are those of Debian's package dataset-fashion-mnist; FORGER_DATA names another folder that holds
// them.
#include <cstdlib>
#include <filesystem>

#include "core/error.h"
#include "gan/data/idx.h"

namespace forger::gan {
namespace {

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  const char* elsewhere = std::getenv("FORGER_DATA");
  const std::filesystem::path folder =
      elsewhere != nullptr && *elsewhere != '\0' ? elsewhere : "/usr/share/datasets/fashion-mnist";
  const std::string prefix = subset == Subset::train ? "train" : "t10k";
  const std::string images = prefix + "-images-idx3-ubyte.gz", labels = prefix + "-labels-idx1-ubyte.gz";
  for (const std::string& file : {images, labels}) {
    std::error_code unreadable;
    check<DataError>(std::filesystem::exists(folder / file, unreadable), spec, ": no ", file, " in ", folder.string(),
                     "; install it with: apt-get install dataset-fashion-mnist");
  }
  return image_set(read_idx_images(spec, folder / images, folder / labels,
                                   {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
                                    "Bag", "Ankle boot"}),
                   options);
}

const RegisterDataSource registered{{
    .name = "fashion-mnist",
    .help = "fashion-mnist: 70,000 grey 28x28 images of garments in 10 classes",
    .gives = {"image", "label"},
    .accepts = [](const std::string& spec) { return spec == "fashion-mnist"; },
    .open = open,
}};

}  // namespace
}  // namespace forger::gan
