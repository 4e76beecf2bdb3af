// The steps in order, and what each changes: the table of contents of this folder.
#include "bench/ladder/ladder.h"

#include "bench/ladder/conv4_ring.h"
#include "bench/ladder/gemm8_split.h"
#include "kernels/cuda/tile.h"

namespace forger::ladder::gpu_words {

const std::vector<Step<Gemm>>& gemm_steps() {
  static const std::vector<Step<Gemm>> steps = [] {
    constexpr auto tf32 = MathMode::tf32;
    std::vector<Step<Gemm>> list{
        {"uncoalesced", "a thread a number; neighbours down a column", nothing_counted, uncoalesced},
        {"coalesced", "neighbours along a row", sectors, coalesced},
        {"shared tiles", "tiles of 32x32, read once by a block", bytes, shared_tiles},
        {"register tiles", "8x8 numbers a thread, 128x128 a block", bytes, register_tiles},
        {"packs", "16 bytes a load, panels read without bank conflicts", turns, packs},
        {"ring", "asynchronous copies, two panels ahead", nothing_counted, ring}};
    if (has_tensor_cores()) {
      list.push_back({"tensor cores", "warps multiply, in TF32", nothing_counted, tensor_cores, tf32});
      list.push_back({"split depth", "shares of the depth, where tiles are few", nothing_counted, split, tf32});
    }
    return list;
  }();
  return steps;
}

const std::vector<Step<Conv>>& conv_steps() {
  static const std::vector<Step<Conv>> steps{
      {"direct", "a thread a number, loops over the window", nothing_counted, direct},
      {"explicit patches", "windows written out, and multiplied", bytes, explicit_patches},
      {"implicit patches", "windows found while they are copied", bytes | launches, implicit_patches},
      {"ring", "asynchronous copies, two panels ahead", nothing_counted, patches_ring},
      {"conv.cu", "the production form: kernels/cuda/conv.cu", nothing_counted, production},
      {"conv.cu in TF32", "on tensor cores where there are", nothing_counted, production, MathMode::tf32}};
  return steps;
}

}  // namespace forger::ladder::gpu_words
