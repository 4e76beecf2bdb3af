#include "gan/networks/star.h"

#include "gan/networks/stages.h"

namespace forger::gan {

StarDiscriminator::StarDiscriminator(int64_t domains, int64_t width, int64_t channels, Extent size, DNorm norm,
                                     Random& random)
    : body_(child("body", std::make_shared<nn::Sequential>())) {
  DiscriminatorStages stages(size, norm, random, /*biased=*/true);
  stages.append(*body_, channels, width, kernel, halve, /*normed=*/false);
  int64_t features = width;
  for (const int64_t last = width * halvings(size) / 2; features < last; features *= 2)
    stages.append(*body_, features, 2 * features, kernel, halve);
  score_ = child("score", stages.head(features, 1, 3, same));
  domain_ = child("domain", stages.head(features, domains, smallest(size), project));
}

}  // namespace forger::gan
