// Sets of images: folders with broken files, samples as bytes, sizes that do not fit.
#include "metrics/extractor.h"

#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/metrics/bars.h"

using namespace forger;
using namespace forger::metrics;
using test::bars;
using test::contains;
using test::message_of;
using test::Scratch;

namespace {

gan::Image plain(int64_t height, int64_t width, int64_t channels, uint8_t value) {
  return {height, width, channels, std::vector<uint8_t>(static_cast<size_t>(height * width * channels), value)};
}

}  // namespace

TEST_CASE("a folder's broken images are named and counted, or left out") {
  const Scratch scratch;
  for (int i = 0; i < 4; i++)
    gan::write_png(scratch.file(text("image-", i, ".png")), plain(5, 7, 3, static_cast<uint8_t>(50 * i)));
  CHECK(pictures_in_folder(scratch.path(), 3, false).count == 4);
  const std::string whole = test::contents(scratch.file("image-1.png"));
  scratch.write("image-1.png", whole.substr(0, whole.size() / 2));
  scratch.write("sub/image-9.jpg", "not a picture");
  const std::string refusal = message_of<DataError>([&] { pictures_in_folder(scratch.path(), 3, false); });
  CHECK(contains(refusal, "2 of 5 images in"));
  CHECK(contains(refusal, "image-1.png"));
  CHECK(contains(refusal, "--skip-broken"));
  const Pictures rest = pictures_in_folder(scratch.path(), 1, true);
  CHECK(rest.count == 3);
  CHECK(rest.broken.size() == 2);
  CHECK(rest.read(1).pixels == plain(5, 7, 1, 100).pixels);  // image-2, grey
  CHECK(contains(message_of<DataError>([&] { rest.subset(4, 0); }), "has 3 images, 4 were asked for"));
  CHECK(contains(message_of<DataError>([&] { pictures_in_folder(scratch.file("absent"), 3, true); }),
                 "cannot read the folder"));
  std::filesystem::create_directories(scratch.file("empty"));
  CHECK(contains(message_of<DataError>([&] { pictures_in_folder(scratch.file("empty"), 3, true); }), "no picture in"));
  CHECK(contains(message_of<DataError>([&] { pictures_in_folder(scratch.file("sub"), 3, true); }), "1 of 1 images"));
}

TEST_CASE("samples are rounded to bytes as a PNG file would hold them") {
  const Tensor x = from_values({2, 1, 2, 1}, std::vector<double>{-1.5, -0.999, 0.0, 0.9999});
  const Pictures pictures = pictures_of(x, "four pixels");
  CHECK(pictures.count == 2);
  CHECK(pictures.read(0).pixels == std::vector<uint8_t>{0, 0});
  CHECK(pictures.read(1).pixels == std::vector<uint8_t>{128, 255});
  const Tensor back = as_tensor(pictures, 0, 2);
  CHECK(back.to_vector()[0] == -1);
  CHECK(back.to_vector()[3] == 1);
}

TEST_CASE("images of a data set come back as they were, and pixels are compared at one size only") {
  const gan::DataSetPtr data = bars(6, 1);
  const Pictures pictures = pictures_of(data, "bars");
  std::vector<float> sample(256);
  data->read(4, sample.data());
  CHECK(pictures.read(4).pixels[17] == gan::to_byte(static_cast<double>(sample[17])));
  const Pictures mixed{.name = "mixed", .count = 2, .read = [](int64_t i) { return plain(4 + i, 4, 1, 9); }};
  CHECK(contains(message_of<DataError>([&] { as_tensor(mixed, 0, 2); }), "images of different sizes, 4x4 and 5x4"));
  CHECK(contains(message_of<DataError>([&] { as_tensor(mixed, 1, 1); }), "no images"));
}
