// Normalising flows: maps that can be undone and know how far they stretch volume, after RealNVP (Dinh, Sohl-Dickstein,
// Bengio 2017, arXiv:1605.08803). Where f maps the data to N(0, I), the density of a sample is
//
//   log p(x) = log N(f(x); 0, I) + log |det df/dx|
#pragma once
#include <memory>
#include <vector>

#include "nn/layers.h"

namespace forger::gan {

struct Mapped {
  Tensor y;        // (N, ...)
  Tensor log_det;  // (N): log |det dy/dx| at each sample
};

class Bijection : public nn::Module {
 public:
  virtual Mapped forward(const Tensor& x) = 0;
  virtual Tensor inverse(const Tensor& y) = 0;  // in evaluation mode: what forward makes y of
};

class Chain : public Bijection {  // one after the other; children are named "0", "1", ...
 public:
  void append(std::shared_ptr<Bijection> link);
  Mapped forward(const Tensor& x) override;
  Tensor inverse(const Tensor& y) override;

 private:
  std::vector<std::shared_ptr<Bijection>> links_;
};

// Affine coupling (sections 3.2 to 3.4). What the mask m keeps stays as it is, and says how the rest is scaled and
// moved. The Jacobian is triangular, and undoing it takes no inverse of the net:
//
//   y = x exp(s) + t     s = (1 - m) c tanh(a),  t = (1 - m) b,  (a, b) = net(m x)
//   x = (y - t) exp(-s)  log |det dy/dx| = sum s
class Coupling : public Bijection {
 public:
  // mask: of the shape of a sample (..., C), 1 where it keeps and 0 elsewhere. net: (N, ..., C) -> (N, ..., 2C).
  Coupling(const Tensor& mask, nn::LayerPtr net);
  Mapped forward(const Tensor& x) override;
  Tensor inverse(const Tensor& y) override;

 private:
  struct Change {
    Tensor log_scale, shift;  // s and t, (N, ..., C)
  };
  Change change(const Tensor& x);
  Tensor scale_, mask_;  // c (C); m
  nn::LayerPtr net_;
};

// Each channel to mean 0 and variance 1 (section 3.7): of a batch while training, of what was seen afterwards.
class FlowNorm : public Bijection {
 public:
  explicit FlowNorm(int64_t channels);
  Mapped forward(const Tensor& x) override;  // (N, ..., C)
  Tensor inverse(const Tensor& y) override;

 private:
  Tensor running_mean_, running_var_;
};

class Squeeze : public Bijection {  // (N, H, W, C) -> (N, H/2, W/2, 4C): squares of four pixels become channels
 public:
  Mapped forward(const Tensor& x) override;
  Tensor inverse(const Tensor& y) override;
};

// From [0, 1] to the whole line: y = logit(alpha + (1 - 2 alpha) x), so that it has no edge (section 4.1).
class Logit : public Bijection {
 public:
  explicit Logit(double alpha) : alpha_(alpha) {}
  Mapped forward(const Tensor& x) override;
  Tensor inverse(const Tensor& y) override;

 private:
  double alpha_;
};

// Several scales (section 3.6): half of the channels that a scale makes is done, the other half goes on to the next.
class MultiScale : public Bijection {
 public:
  // here: (N, H, W, C) -> (N, `made`). rest: of the second half of the channels, to flat samples; null at the last.
  MultiScale(std::shared_ptr<Bijection> here, const Shape& made, std::shared_ptr<Bijection> rest);
  Mapped forward(const Tensor& x) override;  // (N, H, W, C) -> (N, H*W*C)
  Tensor inverse(const Tensor& y) override;

 private:
  Shape made_;
  std::shared_ptr<Bijection> here_, rest_;
};

// Couplings, each with a norm behind it, whose masks keep what the one before changed.
//
// (N, D) -> (N, D): halves in turns; nets of two hidden layers of `width` units.
std::shared_ptr<Bijection> point_flow(int64_t dimensions, int64_t width, int64_t couplings, Random& random);
// Images (N, H, W, C) in [0, 1] -> (N, H*W*C): a logit, then at each of `scales` scales couplings/2 in a checkerboard, a
// squeeze, couplings/2 between halves of the channels; and couplings/2 + 1 more in a checkerboard at the end. Nets are
// Glow's (Kingma, Dhariwal 2018, arXiv:1807.03039): convolutions 3x3, 1x1 and 3x3 with `width` channels between, zero
// at first. UsageError unless both sides are multiples of 2^scales.
std::shared_ptr<Bijection> image_flow(const Shape& sample, int64_t width, int64_t couplings, int64_t scales,
                                      double alpha, Random& random);

}  // namespace forger::gan
