#include "gan/networks/arch.h"

#include <map>

#include "gan/networks/dcgan.h"
#include "gan/networks/mlp.h"
#include "gan/networks/resnet.h"
#include "gan/networks/sndcgan.h"

namespace forger::gan {
namespace {

struct Sizes {
  int64_t latent, width;
  Shape sample;
  bool penalised;
  Extent size() const { return extent_of(sample); }
  int64_t channels() const { return sample[2]; }
};
using Build = GanNetworks (*)(const Sizes& s, Random& random);

const std::map<std::string, Build>& architectures() {  // of braces, the generator is made first
  static const std::map<std::string, Build> known{
      {"dcgan",
       [](const Sizes& s, Random& random) -> GanNetworks {
         return {dcgan_generator(s.latent, s.width, s.channels(), s.size(), random),
                 dcgan_discriminator(s.width, s.channels(), s.size(), !s.penalised, random)};
       }},
      {"sndcgan",
       [](const Sizes& s, Random& random) -> GanNetworks {
         return {sndcgan_generator(s.latent, s.width, s.channels(), s.size(), random),
                 sndcgan_discriminator(s.width, s.channels(), s.size(), random)};
       }},
      {"resnet",
       [](const Sizes& s, Random& random) -> GanNetworks {
         return {resnet_generator(s.latent, s.width, s.channels(), s.size(), random),
                 resnet_discriminator(s.width, s.channels(), s.size(), !s.penalised, random)};
       }},
      {"mlp",
       [](const Sizes& s, Random& random) -> GanNetworks {
         return {mlp_generator(s.latent, s.width, s.sample, random), mlp_discriminator(s.width, s.sample, random)};
       }},
  };
  return known;
}

std::string names() {
  std::string all;
  for (const auto& [name, build] : architectures()) all += (all.empty() ? "" : ", ") + name;
  return all;
}

}  // namespace

GanNetworks build_networks(const Settings& settings, const Shape& sample, Random& random) {
  const std::string& arch = settings.text("arch");
  const auto found = architectures().find(arch);
  check<UsageError>(found != architectures().end(), "--arch '", arch, "' is not known; there are: ", names());
  const bool any_shape = arch == "mlp";
  check<UsageError>(any_shape || sample.rank() == 3, "--arch ", arch, " takes images; points take mlp");
  if (!any_shape) require_images("--arch " + arch, sample);
  const bool penalised = settings.has("penalty") && settings.text("penalty") != "none";
  return found->second({settings.integer("latent"), settings.integer("width"), sample, penalised}, random);
}

Setting arch_setting(const std::string& usual) { return {"arch", usual, "networks: " + names()}; }

}  // namespace forger::gan
