// What is done to a picture so that the way back is known (gan/data/pairs.cpp).
#pragma once
#include <cstdint>
#include <vector>

namespace forger::gan {

// Samples (height, width, channels) in [-1, 1].
struct Picture {
  int64_t height, width, channels;
  std::vector<float> values;

  Picture(int64_t h, int64_t w, int64_t c) : height(h), width(w), channels(c), values(static_cast<size_t>(h * w * c)) {}
  float at(int64_t row, int64_t column, int64_t channel) const;  // edges repeated
};

Picture grey(const Picture& image);                 // luma (Rec. 601), one channel
Picture edges(const Picture& image);                // how steep the luma is (Sobel 1968), white on black, one channel
Picture negative(const Picture& image);             // -x
Picture blurred(const Picture& image);              // Gaussian, standard deviation a sixteenth of the shorter side
Picture noisy(const Picture& image, uint64_t row);  // plus normal noise of 0.3: a row's is always the same
Picture shrunk(const Picture& image);               // a quarter of the size and back
Picture turned(const Picture& image);               // a quarter turn to the left
Picture tinted(const Picture& image, double hue);  // one channel to three: light of that hue, [0, 1); black stays black

}  // namespace forger::gan
