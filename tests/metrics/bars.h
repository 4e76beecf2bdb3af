// Data for the judge that a test can afford: 16 x 16 grey images of two or three classes, a bright bar in another place
// for each, with noise.
#pragma once
#include <random>

#include "gan/data/images.h"

namespace forger::test {

inline gan::DataSetPtr bars(int64_t count, unsigned seed, int64_t classes = 3, bool labelled = true) {
  constexpr int64_t side = 16;
  gan::ImageArray array{text("bars-", seed), count, side, side, 1, {}, {}, {}};
  std::mt19937 engine(seed);
  std::uniform_int_distribution<int> noise(0, 60);
  for (int64_t i = 0; i < count; i++) {
    const int64_t label = i % classes;
    for (int64_t p = 0; p < side * side; p++) {
      const bool bar = p % side / 5 == label;
      array.pixels.push_back(static_cast<uint8_t>((bar ? 180 : 10) + noise(engine)));
    }
    if (labelled) array.labels.push_back(static_cast<uint8_t>(label));
  }
  for (int64_t c = 0; labelled && c < classes; c++) array.class_names.push_back(text("bar ", c));
  return gan::image_set(std::move(array), 0);
}

}  // namespace forger::test
