// What reads a caption: words as vectors, one after the other through a GRU (Reed et al. 2016, arXiv:1605.05396, have a
// convolutional and recurrent one of characters, learnt beforehand).
#pragma once
#include <memory>

#include "nn/layers.h"

namespace forger::gan {

// Sentences i64 (N, L) -> codes (N, size) within (-1, 1): the state behind the last word. The word 0 is padding: it
// leaves the state as it is, bit for bit, wherever it stands; of no words the code is 0.
class CaptionEncoder : public nn::Layer {
 public:
  CaptionEncoder(int64_t words, int64_t embedding, int64_t size, Random& random);
  Tensor forward(const Tensor& caption) override;
  int64_t size() const { return size_; }

 private:
  int64_t size_;
  std::shared_ptr<nn::Embedding> words_;
  std::shared_ptr<nn::Gru> gru_;
};

}  // namespace forger::gan
