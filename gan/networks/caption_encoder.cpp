#include "gan/networks/caption_encoder.h"

namespace forger::gan {

CaptionEncoder::CaptionEncoder(int64_t words, int64_t embedding, int64_t size, Random& random)
    : size_(size),
      words_(child("words", std::make_shared<nn::Embedding>(words, embedding, random))),
      gru_(child("gru", std::make_shared<nn::Gru>(embedding, size, random))) {}

Tensor CaptionEncoder::forward(const Tensor& caption) {
  const int64_t n = caption.size(0), length = caption.size(1), vocabulary = words_->weight.size(0);
  const DType dtype = words_->weight.dtype();
  const Device device = words_->weight.device();
  const Tensor index = reshape(caption, {n * length});
  const Tensor vectors = reshape((*words_)(index), {n, length, words_->weight.size(1)});
  const Tensor is_word = reshape(gather(pad(ones({vocabulary - 1}, dtype, device), 0, 1, 0), index), {n, length});
  Tensor state = zeros({n, size_}, dtype, device);
  for (int64_t t = 0; t < length; t++) {
    const Tensor x = reshape(slice(vectors, 1, t, t + 1), {n, vectors.size(2)});
    state = state + slice(is_word, 1, t, t + 1) * (gru_->step(x, state) - state);
  }
  return state;
}

}  // namespace forger::gan
