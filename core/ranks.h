// Several processes that train one network together (MPI, "mpirun -n 4 forger train"): each takes its share of every
// batch, and what they learn is averaged. All of them run the same program, so that they come to the same collective
// operations in the same order. Outside of mpirun there is one rank, 0, and nothing here costs anything.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/tensor.h"

namespace forger {

// Of this process.
class Ranks {
 public:
  // To be called once, before anything else here: joins the others that mpirun started. Error where this build knows no
  // MPI.
  static void join();
  static int64_t rank();   // from 0
  static int64_t count();  // 1 outside of mpirun
  static bool leads() { return rank() == 0; }
  static void meet();           // waits for all
  static bool any(bool of_me);  // whether it is true of one of them
  // Ends all of them, with this exit code: one that has failed cannot leave the others waiting.
  [[noreturn]] static void end_all(int code);
  static uint64_t bytes_averaged();  // handed over by this rank so far, for gradients
};

// The mean over all ranks of a tensor of one shape, in float32 or float64; differentiable to any order. The gradient of
// the sum of all ranks' losses is that of this op's input.
Tensor rank_mean(const Tensor& x);

// Gradients on their way to their means, in buckets of a megabyte or more that travel while the next ones are computed.
class Averaging {
 public:
  Averaging();
  ~Averaging();
  Averaging(const Averaging&) = delete;
  void add(size_t index, const Tensor& gradient);  // its values are taken now
  // Waits, and writes the means into those tensors, by index: all that were added, and no others.
  void finish(std::span<const Tensor> into);

 private:
  struct Bucket;
  void send();
  std::vector<std::unique_ptr<Bucket>> buckets_;
};

}  // namespace forger
