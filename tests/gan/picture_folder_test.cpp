// Folders of pictures as people have them: hidden folders, links, splits, runs among them, broken files. What is left
// out is said, and every shape is fitted as asked.
#include "gan/data/picture_folder.h"

#include <unistd.h>

#include <filesystem>

#include "gan/data/images.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;
namespace fs = std::filesystem;

namespace {

std::string png(int64_t height = 4, int64_t width = 4, uint8_t level = 200) {
  return encode_png({height, width, 3, std::vector<uint8_t>(static_cast<size_t>(height * width * 3), level)});
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::vector<float> sample(const DataSet& data, int64_t i) {
  std::vector<float> values(static_cast<size_t>(data.sample().numel()));
  data.read(i, values.data());
  return values;
}

DataOptions sized(int64_t height, int64_t width, Fit fit = Fit::crop) {
  DataOptions options;
  options.height = height;
  options.width = width;
  options.fit = fit;
  return options;
}

}  // namespace

TEST_CASE("picture folder: what is left out is counted") {
  const test::Scratch scratch;
  for (const char* file : {"cats/a.png", "cats/b.JPG", "dogs/c.webp", "dogs/deep/d.gif", "dogs/e.Bmp"})
    scratch.write(file, png());
  for (const char* file : {".ipynb_checkpoints/a.png", ".Trash-1000/b.png", "cats/._a.png", "cats/.DS_Store",
                           "cats/x.tif", "cats/y.TIF", "dogs/notes.txt", "README"})
    scratch.write(file, "x");
  scratch.write("runs/dcgan/config.toml", "recipe = \"dcgan\"\nversion = \"1\"\ndata_hash = \"0\"\ncolumns = \"[]\"\n");
  scratch.write("runs/dcgan/samples/step-000500.png", png());
  fs::create_symlink("nowhere", scratch.file("cats/gone.png"));
  const FolderScan found = scan_pictures(scratch.path());
  CHECK(found.files.size() == 5);
  CHECK(found.left_out == std::map<std::string, int64_t>{{".tif", 2},
                                                         {".txt", 1},
                                                         {"file without an ending", 1},
                                                         {"hidden folder", 2},
                                                         {"hidden picture", 1},
                                                         {"link to nothing", 1},
                                                         {"run of forger", 1}});
  CHECK(holds(found.about_left_out(), "; left out: 2 .tif, 1 .txt, "));
  const DataSetPtr data = open_data(scratch.path(), 4);
  CHECK(data->classes() == 2);
  CHECK(holds(data->about(), "5 pictures in 2 classes (cats 2, dogs 3); left out: 2 .tif"));
}

TEST_CASE("picture folder: links lead to pictures, and not round in circles") {
  const test::Scratch scratch;
  scratch.write("elsewhere/birds/a.png", png());
  scratch.write("set/cats/b.png", png());
  fs::create_directory_symlink("../elsewhere/birds", scratch.file("set/birds"));
  fs::create_symlink("../../elsewhere/birds/a.png", scratch.file("set/cats/linked.png"));
  fs::create_directory_symlink(".", scratch.file("set/cats/self"));
  fs::create_directory_symlink("..", scratch.file("set/cats/up"));
  const DataSetPtr data = open_data(scratch.file("set"), 4);
  CHECK(data->count() == 3);
  CHECK(data->classes() == 2);
  CHECK(data->class_name(0) == "birds");
  CHECK(holds(data->about(), "2 link to a folder that is there"));
  fs::create_directory_symlink("cats", scratch.file("set/a-link-that-comes-first"));
  const DataSetPtr again = open_data(scratch.file("set"), 4);
  CHECK(again->count() == 3);
  CHECK(again->class_name(1) == "cats");  // under its own name
}

TEST_CASE("picture folder: a sub-folder that cannot be read is named") {
  const test::Scratch scratch;
  scratch.write("a.png", png());
  scratch.write("secret/b.png", png());
  fs::permissions(scratch.path(), fs::perms::all);
  fs::permissions(scratch.file("secret"), fs::perms::none);
  const bool root = geteuid() == 0;  // whom nothing is forbidden
  if (root) REQUIRE(seteuid(65534) == 0);
  const std::string error = error_of<DataError>([&] { scan_pictures(scratch.path()); });
  if (root) REQUIRE(seteuid(0) == 0);
  fs::permissions(scratch.file("secret"), fs::perms::all);
  CHECK(error == "cannot read the folder '" + scratch.file("secret") + "': Permission denied");
}

TEST_CASE("picture folder: train beside test, val, valid or validation is a split") {
  for (const char* name : {"test", "val", "valid", "validation"}) {
    const test::Scratch scratch;
    for (const char* file : {"train/cats/a.png", "train/dogs/b.png"}) scratch.write(file, png());
    scratch.write(std::string(name) + "/cats/c.png", png());
    const DataSetPtr train = open_data(scratch.path(), 4), held_out = open_data(scratch.path(), 4, Subset::test);
    CHECK(train->count() == 2);
    CHECK(train->classes() == 2);
    CHECK(train->class_name(0) == "cats");
    CHECK(held_out->count() == 1);
    CHECK(holds(train->about(), std::string("of train/, beside ") + name));
  }
  const test::Scratch both;
  for (const char* file : {"train/a.png", "test/b.png", "val/c.png", "val/d.png"}) both.write(file, png());
  CHECK(open_data(both.path(), 4, Subset::test)->count() == 1);
  CHECK(holds(open_data(both.path(), 4)->about(), "not used: val/"));
}

TEST_CASE("picture folder: broken pictures are found at once, and left out on request") {
  const test::Scratch scratch;
  for (const char* file : {"a.png", "c.png", "e.png"}) scratch.write(file, png());
  scratch.write("b.png", png().substr(0, 60));
  scratch.write("d.png", "text");
  for (const int64_t side : {0, 4}) {
    DataOptions options(side);
    CHECK(open_data(scratch.path(), options)->count() == 5);  // not looked at
    options.check = true;
    const std::string error = error_of<DataError>([&] { open_data(scratch.path(), options); });
    CHECK(holds(error, "2 of 5 pictures"));
    CHECK(holds(error, "b.png"));
    CHECK(holds(error, "--skip-broken"));
    options.skip_broken = true;
    int64_t told = 0;
    options.ticker = [&](int64_t done, int64_t total) { told = done == total ? total : 0; };
    const DataSetPtr data = open_data(scratch.path(), options);
    CHECK(told == 5);
    CHECK(data->count() == 3);
    REQUIRE(data->broken().size() == 2);
    CHECK(data->broken()[0].file == "b.png");
    CHECK(holds(data->broken()[1].reason, "d.png"));
    CHECK(holds(data->about(), "cannot be read: 2"));
    for (int64_t i = 0; i < 3; i++) CHECK(sample(*data, i)[0] == 200 / 127.5f - 1);
    DataOptions known(side);
    known.leave_out = {"b.png", "d.png"};
    CHECK(open_data(scratch.path(), known)->hash() == data->hash());
  }
  for (const char* file : {"a.png", "c.png", "e.png"}) fs::remove(scratch.file(file));
  DataOptions all;
  all.check = all.skip_broken = true;
  CHECK(holds(error_of<DataError>([&] { open_data(scratch.path(), all); }), "2 of 2 pictures"));
}

TEST_CASE("fitting: cropped, padded and stretched") {
  Image image{2, 4, 1, {10, 20, 30, 40, 50, 60, 70, 80}};
  CHECK(fit_picture(image, sized(2, 2)).pixels == std::vector<uint8_t>{20, 30, 60, 70});
  CHECK(fit_picture(image, sized(2, 3)).pixels == std::vector<uint8_t>{10, 20, 30, 50, 60, 70});
  CHECK(fit_picture(image, sized(1, 4)).pixels == std::vector<uint8_t>{10, 20, 30, 40});
  CHECK(fit_picture(image, sized(4, 4, Fit::pad)).pixels ==
        std::vector<uint8_t>{0, 0, 0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 0, 0, 0, 0});
  CHECK(fit_picture(image, sized(2, 6, Fit::pad)).pixels ==
        std::vector<uint8_t>{0, 10, 20, 30, 40, 0, 0, 50, 60, 70, 80, 0});
  CHECK(fit_picture(image, sized(1, 2, Fit::pad)).pixels == resize(image, 1, 2).pixels);
  CHECK(fit_picture(image, sized(2, 2, Fit::stretch)).pixels.size() == 4);
  CHECK(fit_picture(image, sized(1, 1, Fit::stretch)).pixels == std::vector<uint8_t>{45});
  CHECK(fit_picture(image, sized(0, 0, Fit::pad)).pixels == image.pixels);
  const test::Scratch scratch;
  scratch.write("a.png", png(6, 9));
  CHECK(open_data(scratch.path(), sized(0, 0))->sample() == Shape{6, 6, 3});
  CHECK(open_data(scratch.path(), sized(0, 0, Fit::stretch))->sample() == Shape{6, 9, 3});
  CHECK(open_data(scratch.path(), sized(8, 12))->sample() == Shape{8, 12, 3});
}

TEST_CASE("sizes and fits as they are typed") {
  Settings settings = common_settings();
  const auto options = [&](const std::string& size) {
    settings.set("size", size);
    return data_options(settings);
  };
  CHECK(options("64").height == 64);
  CHECK(options("64").width == 64);
  CHECK(options("64x96").height == 64);
  CHECK(options("64x96").width == 96);
  CHECK(options("0").height == 0);
  for (const char* wrong : {"", "x", "64x", "x64", "64x96x3", "-1", "0x64", "64x0", "1025", "64 x 96", "big"})
    CHECK(holds(error_of<UsageError>([&] { options(wrong); }), "--size must be like 64, or 64x96"));
  settings.set("size", "32");
  settings.set("fit", "squeeze");
  CHECK(holds(error_of<UsageError>([&] { data_options(settings); }), "crop, pad, stretch"));
  parse_toml(settings, "size = 48\nfit = \"pad\"\n", "old.toml");  // a number, as it was written once
  CHECK(data_options(settings).height == 48);
  CHECK(data_options(settings).fit == Fit::pad);
}

TEST_CASE("specs: paths with commas, and made absolute") {
  const test::Scratch scratch;
  const std::string images = std::string("\0\0\x08\x03\0\0\0\x01\0\0\0\x02\0\0\0\x02", 16) + "abcd";
  const std::string labels = std::string("\0\0\x08\x01\0\0\0\x01\x03", 9);
  const std::string a = scratch.write("a,b/i,1.idx", images), l = scratch.write("a,b/l,1.idx", labels);
  CHECK(open_data("idx:" + a)->classes() == 0);
  CHECK(open_data("idx:" + a + "," + l)->classes() == 4);
  CHECK(paths_in("idx:" + a + "," + l) == std::vector<std::string>{a, l});
  CHECK(paths_in("fashion-mnist").empty());
  CHECK(absolute_spec("ring8") == "ring8");
  const fs::path here = fs::current_path();
  CHECK(absolute_spec("idx:i,l") == "idx:" + (here / "i").string() + "," + (here / "l").string());
  CHECK(absolute_spec("folder:x/../y") == "folder:" + (here / "y").string());
  CHECK(absolute_spec("cifar10:z") == "cifar10:" + (here / "z").string());
  CHECK(absolute_spec(scratch.path()) == scratch.path());
  CHECK(is_data_name("fashion-mnist"));
  CHECK_FALSE(is_data_name("photos"));
}
