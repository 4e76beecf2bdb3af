// 8-bit images: writing files, grids of samples. picture_file.h reads them.
#pragma once
#include <string>
#include <vector>

#include "core/tensor.h"
#include "gan/batch.h"

namespace forger::gan {

struct Image {
  int64_t height = 0, width = 0, channels = 0;  // 1 or 3 channels
  std::vector<uint8_t> pixels;                  // row-major, (height, width, channels)
};

std::string encode_png(const Image& image);                   // the file's bytes
void write_png(const std::string& path, const Image& image);  // atomically

// 1 or 3 channels: grey is repeated, colour becomes its luma (Rec. 601).
Image with_channels(const Image& image, int64_t channels);
// The largest part of that shape (a ratio: 1, 1 is a square) in the middle.
Image centre_crop(const Image& image, int64_t height, int64_t width);
// Bilinear, antialiased when shrinking (triangle filter), rounded to the nearest.
Image resize(const Image& image, int64_t height, int64_t width);

// 8 bits from [-1, 1] and back: -1 is 0 and 1 is 255, rounded to the nearest, clamped; NaN is black.
uint8_t to_byte(double value);
void to_sample(const Image& image, float* sample);  // (height, width, channels) floats

// images (N, H, W, 1 or 3) in [-1, 1] -> one picture, row by row, of at most `columns` columns with a white border of 2
// pixels between; values are clamped. 2-D points (N, 2) become a scatter plot over [-extent, extent]^2, y upwards;
// points outside are left out.
Image grid(const Tensor& images, int64_t columns);
Image scatter(const Tensor& points, double extent, int64_t side = 256);
// The same over the level sets of a function of the plane, given at the centres of n x n cells, row by row from the top:
// (n, n); the darker the blue, the higher.
Image scatter_over(const Tensor& levels, const Tensor& points, double extent, int64_t side = 256);
// The cells' centres, (n*n, 2).
Tensor cell_centres(int64_t n, double extent);
constexpr double plane_extent = 5;  // of pictures of points: [-5, 5]^2 holds all of the mixtures
// Either of the two, whichever the samples are; columns 0 makes the grid about square.
Image picture(const Tensor& samples, int64_t columns = 0);

// Of what a view made: what it holds of images stands side by side, row by row.
Image picture(const Batch& made, int64_t columns = 0);
// One below the other.
Image stacked(const std::vector<Image>& images);

// The same, of `count` samples that come in batches: what is kept of an image are its 8-bit pixels in the grid.
class PictureBuilder {
 public:
  explicit PictureBuilder(int64_t count, int64_t columns = 0) : count_(count), columns_(columns) {}
  void add(const Tensor& samples);  // UsageError when the grid would be larger than a PNG file may be here (1 GiB)
  Image picture() const;            // of those that came; count 0 of them is an Error

 private:
  int64_t count_, columns_, added_ = 0;
  Image grid_;
  std::vector<Tensor> points_;
};

}  // namespace forger::gan
