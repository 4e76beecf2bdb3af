#include "gan/recipes/autoencoder.h"

namespace forger::gan {

std::vector<View> autoencoder_views(const std::function<Batch(int64_t n, Random& random)>& draw,
                                    const std::function<Tensor(const Tensor& z)>& generate,
                                    const std::function<Tensor(const Tensor& x)>& encode) {
  const auto made = [generate](const Tensor& z) { return Batch().add("image", generate(z)); };
  return {
      {.name = "sample", .draw = draw, .make = [made](const Batch& from) { return made(from["z"]); }, .like = "image"},
      {.name = "reconstruct",
       .given = {"image"},
       .make = [made, encode](const Batch& from) { return made(encode(from["image"])); },
       .like = "image"},
      {.name = "encode", .given = {"image"}, .make = [encode](const Batch& from) {
         return Batch().add("code", encode(from["image"]));
       }}};
}

}  // namespace forger::gan
