#include "gan/networks/arch.h"

#include <algorithm>

#include "core/error.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/mlp.h"
#include "gan/networks/resnet.h"
#include "gan/networks/sndcgan.h"

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
  std::vector<DNorm> norms;  // that its discriminator can have; its own comes first
  GanNetworks (*build)(const Sizes& s, DNorm norm, Random& random);
  bool has(DNorm norm) const { return std::ranges::find(norms, norm) != norms.end(); }
};

const std::vector<Arch>& architectures() {  // of braces, the generator is made first
  using enum DNorm;
  static const std::vector<Arch> known{
      {"dcgan",
       {batch, none},
       [](const Sizes& s, DNorm norm, Random& random) -> GanNetworks {
         return {dcgan_generator(s.latent, s.width, s.channels(), s.size(), random),
                 dcgan_discriminator(s.width, s.channels(), s.size(), norm == batch, random)};
       }},
      {"mlp",
       {none},
       [](const Sizes& s, DNorm, Random& random) -> GanNetworks {
         return {mlp_generator(s.latent, s.width, s.sample, random), mlp_discriminator(s.width, s.sample, random)};
       }},
      {"resnet",
       {spectral, none},
       [](const Sizes& s, DNorm norm, Random& random) -> GanNetworks {
         return {resnet_generator(s.latent, s.width, s.channels(), s.size(), random),
                 resnet_discriminator(s.width, s.channels(), s.size(), norm == spectral, random)};
       }},
      {"sndcgan",
       {spectral, none},
       [](const Sizes& s, DNorm norm, Random& random) -> GanNetworks {
         return {sndcgan_generator(s.latent, s.width, s.channels(), s.size(), random),
                 sndcgan_discriminator(s.width, s.channels(), s.size(), norm == spectral, random)};
       }},
  };
  return known;
}

template <class F>
std::string names(const F& wanted) {
  std::string all;
  for (const Arch& arch : architectures())
    if (wanted(arch)) all += (all.empty() ? "" : ", ") + arch.name;
  return all;
}

std::string names() {
  return names([](const Arch&) { return true; });
}

const char* words_for(DNorm norm) {
  constexpr const char* words[] = {"without norm", "with batch norm", "under spectral norm"};
  return words[static_cast<size_t>(norm)];
}

}  // namespace

GanNetworks build_networks(const Settings& settings, const Shape& sample, Random& random, std::optional<DNorm> norm) {
  const std::string& name = settings.text("arch");
  const auto arch = std::ranges::find(architectures(), name, &Arch::name);
  check<UsageError>(arch != architectures().end(), "--arch '", name, "' is not known; there are: ", names());
  const bool any_shape = name == "mlp";
  check<UsageError>(any_shape || sample.rank() == 3, "--arch ", name, " takes images; points take mlp");
  if (!any_shape) require_images("--arch " + name, sample);
  const bool penalised = settings.has("penalty") && settings.text("penalty") != "none";
  const DNorm with = norm.value_or(penalised ? DNorm::none : arch->norms.front());
  check<UsageError>(arch->has(with), "--arch ", name, " has no discriminator ", words_for(with), ", which ",
                    settings.text("recipe"), " needs; these have: ", names([&](const Arch& a) { return a.has(with); }));
  return arch->build({settings.integer("latent"), settings.integer("width"), sample}, with, random);
}

Setting arch_setting(const std::string& usual) { return {"arch", usual, "networks: " + names()}; }

}  // namespace forger::gan
