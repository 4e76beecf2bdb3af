// Loops of a grid over an array, by packs of 16 bytes and one by one.
#pragma once
#include "kernels/cuda/device.h"

namespace forger::kernels {
inline namespace gpu_words {

// Host: whole packs at the beginning of arrays of n elements; none when a pointer is not aligned to them.
template <class T, class... P>
int64_t packs_of(int64_t n, const T* pointer, const P*... others) {
  return packable(0, pointer, others...) ? n / Pack<T>::size : 0;
}

// A grid of as many threads as the device holds at once, or fewer where there are fewer items: each thread strides over
// the items.
inline Grid striding(int64_t items, unsigned threads = 256) {
  Grid grid = over(items, threads);
  const unsigned resident = static_cast<unsigned>(multiprocessors()) * (2048 / threads);
  if (items > int64_t{resident} * threads) grid.blocks.x = resident;
  return grid;
}

}  // namespace gpu_words
}  // namespace forger::kernels
