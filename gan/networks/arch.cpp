#include "gan/networks/arch.h"

#include <algorithm>

#include "core/error.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/mlp.h"
#include "gan/networks/resnet.h"
#include "gan/networks/sndcgan.h"

namespace forger::gan {
namespace {

struct Arch {
  std::string name;
  std::vector<DNorm> norms;  // that its discriminator can have; its own comes first
  GanNetworks (*build)(const GanSizes& sizes, DNorm norm, Random& random);
};

Extent extent(const GanSizes& s) { return {s.sample[0], s.sample[1]}; }
int64_t channels(const GanSizes& s) { return s.sample[2]; }

const std::vector<Arch>& archs() {
  using enum DNorm;
  // In braces, where what stands first is evaluated first: the generator draws first.
  static const std::vector<Arch> table{
      {"dcgan",
       {batch, none},
       [](const GanSizes& s, DNorm norm, Random& random) -> GanNetworks {
         return {dcgan_generator(s.latent, s.width, channels(s), extent(s), random),
                 dcgan_discriminator(s.width, channels(s), extent(s), norm == batch, random)};
       }},
      {"sndcgan",
       {spectral, none},
       [](const GanSizes& s, DNorm norm, Random& random) -> GanNetworks {
         return {sndcgan_generator(s.latent, s.width, channels(s), extent(s), random),
                 sndcgan_discriminator(s.width, channels(s), extent(s), norm == spectral, random)};
       }},
      {"resnet",
       {spectral, none},
       [](const GanSizes& s, DNorm norm, Random& random) -> GanNetworks {
         return {resnet_generator(s.latent, s.width, channels(s), extent(s), random),
                 resnet_discriminator(s.width, channels(s), extent(s), norm == spectral, random)};
       }},
      {"mlp", {none}, [](const GanSizes& s, DNorm, Random& random) -> GanNetworks {
         return {mlp_generator(s.latent, s.width, s.sample, random), mlp_discriminator(s.width, s.sample, random)};
       }}};
  return table;
}

bool has(const Arch& arch, DNorm norm) { return std::ranges::find(arch.norms, norm) != arch.norms.end(); }

std::string names_of(const std::function<bool(const Arch&)>& wanted) {
  std::string names;
  for (const Arch& arch : archs())
    if (wanted(arch)) names += (names.empty() ? "" : ", ") + arch.name;
  return names;
}

const char* words_for(DNorm norm) {
  constexpr const char* words[] = {"without a norm", "with batch norm", "under spectral norm"};
  return words[static_cast<size_t>(norm)];
}

}  // namespace

std::string arch_names() {
  return names_of([](const Arch&) { return true; });
}

GanNetworks build_gan(const std::string& name, const GanSizes& sizes, std::optional<DNorm> norm, Random& random) {
  const auto found = std::ranges::find(archs(), name, &Arch::name);
  check<UsageError>(found != archs().end(), "--arch '", name, "' is not known; there are: ", arch_names());
  if (found->name != "mlp") require_images("--arch " + name, sizes.sample);
  const DNorm with = norm.value_or(found->norms.front());
  check<UsageError>(has(*found, with), "--arch ", name, " has no discriminator ", words_for(with),
                    ", which this system needs; these have: ", names_of([&](const Arch& a) { return has(a, with); }));
  return found->build(sizes, with, random);
}

}  // namespace forger::gan
