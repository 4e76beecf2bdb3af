// One step of each recipe against PyTorch, number by number. The files come from tests/golden/make_golden.py.
#include <cmath>
#include <string>

#include "core/autograd.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/sndcgan.h"
#include "gan/objectives.h"
#include "gan/penalties.h"
#include "nn/checkpoint.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

using namespace forger;
using namespace forger::gan;
using test::relative_error;

namespace {

constexpr int64_t latent = 6, width = 3, size = 32, channels = 3;

class Golden {
 public:
  Golden(const std::string& name, DType dtype)
      : file_(nn::load_checkpoint(std::string(GOLDEN_DIR) + "/" + name)), dtype_(dtype) {}
  Tensor operator[](const std::string& name) const {
    const Tensor* found = file_.find(name);
    REQUIRE(found != nullptr);
    return cast(*found, dtype_);
  }
  void fill(const nn::Module& module, const std::string& prefix) const {
    const nn::NamedTensors parameters = module.parameters();
    for (size_t i = 0; i < parameters.size(); i++) {
      INFO(prefix << " parameter " << i << ", " << parameters[i].name);
      copy_into(parameters[i].tensor, (*this)[prefix + "." + std::to_string(i)], "golden");
    }
    REQUIRE(file_.find(prefix + "." + std::to_string(parameters.size())) == nullptr);  // none left over
  }

 private:
  nn::Checkpoint file_;
  DType dtype_;
};

void compare_gradients(const Tensor& loss, const nn::Module& module, const Golden& golden, const std::string& prefix,
                       double bound) {
  const nn::NamedTensors parameters = module.parameters();
  const auto gradients = grad(std::span(&loss, 1), nn::tensors_of(parameters));
  for (size_t i = 0; i < gradients.size(); i++) {
    INFO(prefix << " of " << parameters[i].name);
    CHECK(relative_error(gradients[i], golden[prefix + "." + std::to_string(i)]) < bound);
  }
}

struct Precision {
  DType dtype;
  double bound;
};
const Precision precisions[] = {{DType::f32, 1e-4}, {DType::f64, 1e-10}};

}  // namespace

TEST_CASE("one step of DCGAN is PyTorch's: outputs, losses and every parameter's gradient") {
  for (const auto& [dtype, bound] : precisions) {
    INFO(name_of(dtype));
    const Golden golden("dcgan.safetensors", dtype);
    Random random(0);
    const auto g = dcgan_generator(latent, width, channels, size, random, dtype);
    const auto d = dcgan_discriminator(width, channels, size, true, random, dtype);
    golden.fill(*g, "g");
    golden.fill(*d, "d");
    const Objective& objective = find_objective("non-saturating");

    const Tensor fake = (*g)(golden["z"]);
    CHECK(relative_error(fake, golden["fake"]) < bound);
    const Tensor real_logits = (*d)(golden["real"]), fake_logits = (*d)(fake.detach());
    CHECK(relative_error(real_logits, golden["real_logits"]) < bound);
    CHECK(relative_error(fake_logits, golden["fake_logits"]) < bound);
    const Tensor loss_d = objective.d_real(real_logits) + objective.d_fake(fake_logits);
    CHECK(relative_error(loss_d, golden["loss_d"]) < bound);
    compare_gradients(loss_d, *d, golden, "d_grad", bound);
    const Tensor loss_g = objective.generator((*d)(fake));
    CHECK(relative_error(loss_g, golden["loss_g"]) < bound);
    compare_gradients(loss_g, *g, golden, "g_grad", bound);
  }
}

TEST_CASE("the critic's loss of WGAN-GP is PyTorch's: penalty, slope and the gradient through the gradient") {
  for (const auto& [dtype, bound] : precisions) {
    INFO(name_of(dtype));
    const Golden golden("wgan_gp.safetensors", dtype);
    Random random(0);
    const auto d = dcgan_discriminator(width, channels, size, false, random, dtype);
    golden.fill(*d, "d");
    const Objective& objective = find_objective("wasserstein");
    const Tensor real = golden["real"], fake = golden["fake"], a = golden["a"];

    Tensor between = fake + reshape(a, {-1, 1, 1, 1}) * (real - fake);
    between.set_requires_grad();
    CHECK(relative_error(grad((*d)(between), between), golden["slope"]) < bound);
    const Tensor penalty = gradient_penalty([&](const Tensor& x) { return (*d)(x); }, real, fake, a, 10);
    CHECK(relative_error(penalty, golden["penalty"]) < bound);
    const Tensor loss = objective.d_fake((*d)(fake)) + objective.d_real((*d)(real)) + penalty;
    CHECK(relative_error(loss, golden["loss"]) < bound);
    compare_gradients(loss, *d, golden, "d_grad", bound);
  }
}
