// Inception-v3 as FID means it: the network of 2015-12-05 (Szegedy et al. 2016, arXiv:1512.00567), not torchvision's.
// 94 convolutions without bias, each with a batch norm (eps 1e-3) and a ReLU, which are folded into one convolution
// with bias and ReLU when the weights are read. Mean pools leave padding out; the last block pools by maximum; 1,008
// logits.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "nn/checkpoint.h"

namespace forger::metrics {

// PyTorch names published files by the start of their SHA-256: pt_inception-2015-12-05-6726825d.pth.
constexpr const char* published_sha256 = "6726825d";

class Inception {
 public:
  // From a safetensors file that metrics/convert_inception.py wrote: PyTorch's names and layouts (weights (O, C, KH,
  // KW)), as in the published file. DataError names the file and what is wrong: no such file, the first missing tensor
  // and how many, a wrong shape. Tensors that the network does not have are passed over.
  explicit Inception(const std::string& path);
  // From tensors of those names, which `origin` had: what the above does after reading.
  Inception(const nn::NamedTensors& tensors, const std::string& origin);
  ~Inception();
  Inception(Inception&&) noexcept;

  static std::vector<std::pair<std::string, Shape>> tensors();  // all that such a file must hold

  struct Output {
    Tensor features;  // (N, 2048): the global average pool
    Tensor logits;    // (N, 1008), bias included
    Tensor unbiased;  // (N, 1008), without the bias: what the Inception Score takes
  };
  // x (N, 299, 299, 3), about [-1, 1] (preprocess.h). Inference: nothing is recorded. `taps`, when given, receives the
  // global averages of the stages that pytorch-fid offers: (N, 64) and (N, 192) after the stem's two max pools,
  // (N, 768) before Mixed_7a, (N, 2048).
  Output forward(const Tensor& x, std::vector<Tensor>* taps = nullptr) const;

  // The same in pieces, to be timed: "stem 1", "stem 2" (each up to a max pool), "Mixed_5b" ... "Mixed_7c".
  const std::vector<std::string>& stages() const;
  Tensor run(size_t stage, const Tensor& x) const;

  const std::string& hash() const;  // of all weights: FNV-1a 64 over names, shapes and values
  // The weights are the published ones: the converter noted the SHA-256 of the file that it read (metadata
  // "source_sha256"), and it is that file's.
  bool published() const;

 private:
  Inception(const nn::Checkpoint& file, const std::string& path);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace forger::metrics
