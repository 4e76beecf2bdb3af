// A folder of pictures, searched with all its sub-folders, in the order of their names.
//
//   DIR/cats/a.png DIR/cats/b.jpg DIR/dogs/c.png     two classes, "cats" and "dogs"
//   DIR/train/... DIR/test/...                       the two subsets, where both are there (test may be called val,
//                                                    valid or validation); otherwise either subset is everything
#include "gan/data/picture_set.h"

namespace forger::gan {
namespace {

DataSetPtr open(const std::string& spec, const std::string& folder, const DataOptions& options, Subset subset,
                int64_t channels) {
  std::string extra;
  const std::filesystem::path part = part_of(folder, subset, extra);
  return std::make_shared<PictureSet>(part, spec, options, channels, extra);
}

// "folder:DIR", or the path of a folder that is not the name of another data set.
bool accepts(const std::string& spec) {
  return spec.starts_with("folder:") || (!is_data_name(spec) && is_folder(spec));
}

// A path alone may hold colons.
std::string map_paths(const std::string& spec, const DataSource::OnPath& f) {
  return spec.starts_with("folder:") ? prefixed_path(spec, f) : f(spec);
}

std::string path_in(const std::string& spec) {
  std::string folder;
  map_paths(spec, [&](const std::string& path) { return folder = path; });
  return folder;
}

const RegisterDataSource colour{{
    .name = "folder",
    .help = "folder:DIR, or just a path: PNG, JPEG, WebP, GIF and BMP pictures, sub-folders are classes",
    .gives = {"image", "label"},
    .accepts = accepts,
    .open = [](const std::string& spec, const DataOptions& options,
               Subset subset) { return open(spec, path_in(spec), options, subset, 3); },
    .map_paths = map_paths,
}};

const RegisterDataSource grey{{
    .name = "folder-gray",
    .help = "folder-gray:DIR: the same, turned grey",
    .gives = {"image", "label"},
    .accepts = [](const std::string& spec) { return spec.starts_with("folder-gray:"); },
    .open = [](const std::string& spec, const DataOptions& options,
               Subset subset) { return open(spec, spec.substr(spec.find(':') + 1), options, subset, 1); },
    .map_paths = prefixed_path,
}};

}  // namespace
}  // namespace forger::gan
