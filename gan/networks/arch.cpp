#include "gan/networks/arch.h"

#include "gan/named.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/mlp.h"
#include "gan/networks/multi_scale.h"
#include "gan/networks/plain.h"
#include "gan/networks/resnet.h"
#include "gan/networks/sndcgan.h"
#include "gan/networks/style.h"
#include "gan/penalties.h"

namespace forger::gan {
namespace {

struct Sizes {
  int64_t latent, width;
  Shape sample;
  Extent size() const { return extent_of(sample); }
  int64_t channels() const { return sample[2]; }
};

struct Arch {
  std::string name;
  DNorm norm;  // of its paper's discriminator
  nn::LayerPtr (*generator)(const Sizes& s, Random& random, DropoutNoise* noise);
  nn::LayerPtr (*discriminator)(const Sizes& s, DNorm norm, Random& random);
};

// Networks whose builders take what convolutional ones take.
template <auto generator, auto discriminator>
Arch of_images(const std::string& name, DNorm usual) {
  return {name, usual,
          [](const Sizes& s, Random& random, DropoutNoise* noise) -> nn::LayerPtr {
            return generator(s.latent, s.width, s.channels(), s.size(), random, noise);
          },
          [](const Sizes& s, DNorm norm, Random& random) -> nn::LayerPtr {
            return discriminator(s.width, s.channels(), s.size(), norm, random);
          }};
}

const std::vector<Arch>& architectures() {
  static const std::vector<Arch> known{
      of_images<dcgan_generator, dcgan_discriminator>("dcgan", DNorm::batch),
      {"mlp", DNorm::none,
       [](const Sizes& s, Random& random, DropoutNoise* noise) -> nn::LayerPtr {
         return mlp_generator(s.latent, s.width, s.sample, random, noise);
       },
       [](const Sizes& s, DNorm norm, Random& random) -> nn::LayerPtr {
         return mlp_discriminator(s.width, s.sample, norm, random);
       }},
      of_images<multi_scale_generator, multi_scale_discriminator>("msg", DNorm::batch),
      of_images<plain_generator, plain_discriminator>("plain", DNorm::batch),
      of_images<resnet_generator, resnet_discriminator>("resnet", DNorm::spectral),
      of_images<sndcgan_generator, sndcgan_discriminator>("sndcgan", DNorm::spectral),
      of_images<style_generator, style_discriminator>("style", DNorm::none),
  };
  return known;
}

}  // namespace

DNorm norm_of(const Settings& settings, DNorm usual) {
  const std::string& wanted = settings.text("d_norm");
  if (wanted != "auto") return find_norm(wanted);
  return find_penalty(settings.text("penalty")).of_gradients() && usual == DNorm::batch ? DNorm::none : usual;
}

namespace {

const Arch& chosen(const Settings& settings, const Shape& sample) {
  const std::string& name = settings.text("arch");
  const Arch& arch = find_named(architectures(), name, "--arch");
  check<UsageError>(name == "mlp" || sample.rank() == 3, "--arch ", name, " takes images; points take --arch mlp");
  if (name != "mlp" && name != "plain") require_images("--arch " + name, sample);
  return arch;
}

Sizes sizes_of(const Settings& settings, const Shape& sample) {
  return {settings.integer("latent"), settings.integer("width"), sample};
}

}  // namespace

nn::LayerPtr build_generator(const Settings& settings, const Shape& sample, Random& random, DropoutNoise* noise) {
  return chosen(settings, sample).generator(sizes_of(settings, sample), random, noise);
}

nn::LayerPtr build_discriminator(const Settings& settings, const Shape& sample, Random& random) {
  const Arch& arch = chosen(settings, sample);
  return arch.discriminator(sizes_of(settings, sample), norm_of(settings, arch.norm), random);
}

Setting arch_setting(const std::string& usual) { return {"arch", usual, "networks: " + names_in(architectures())}; }

Setting d_norm_setting(const std::string& usual) {
  return {"d_norm", usual, "of D: none, batch, layer, instance, spectral, or auto (its paper's, as --penalty allows)"};
}

}  // namespace forger::gan
