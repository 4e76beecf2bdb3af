#include "gan/networks/dcgan.h"

#include "gan/networks/classes.h"
#include "gan/networks/stages.h"
#include "nn/init.h"

namespace forger::gan {

std::shared_ptr<nn::Sequential> dcgan_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                Random& random, DropoutNoise* noise) {
  auto net = std::make_shared<nn::Sequential>();
  GeneratorStages stages(smallest(size), random, noise);
  net->append(nn::reshape_to({1, 1, latent}));
  int64_t multiple = halvings(size) / 2;
  stages.append(*net, latent, width * multiple, smallest(size), project);
  for (; multiple > 1; multiple /= 2) stages.append(*net, width * multiple, width * multiple / 2, kernel, halve);
  net->append(std::make_shared<nn::ConvTranspose2d>(width, channels, kernel, halve, random, false));
  net->append(nn::tanh());
  nn::init_dcgan(*net, random);
  return net;
}

namespace {

// From the image to the smallest map, of body_channels(). No norm stands after the first layer.
std::shared_ptr<nn::Sequential> body(int64_t width, int64_t channels, Extent size, DiscriminatorStages& stages) {
  auto net = std::make_shared<nn::Sequential>();
  stages.append(*net, channels, width, kernel, halve, /*normed=*/false);
  for (int64_t multiple = 1; multiple < halvings(size) / 2; multiple *= 2)
    stages.append(*net, width * multiple, 2 * width * multiple, kernel, halve);
  return net;
}

int64_t body_channels(int64_t width, Extent size) { return width * halvings(size) / 2; }

std::shared_ptr<nn::Sequential> body_and_head(int64_t outputs, const Shape& end, int64_t width, int64_t channels,
                                              Extent size, DNorm norm, Random& random) {
  DiscriminatorStages stages(size, norm, random);
  auto net = body(width, channels, size, stages);
  net->append(stages.head(body_channels(width, size), outputs, smallest(size), project));
  net->append(nn::reshape_to(end));
  return net;
}

}  // namespace

std::shared_ptr<nn::Sequential> dcgan_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm,
                                                    Random& random) {
  return body_and_head(1, {}, width, channels, size, norm, random);
}

std::shared_ptr<nn::Sequential> dcgan_encoder(int64_t outputs, int64_t width, int64_t channels, Extent size, DNorm norm,
                                              Random& random) {
  return body_and_head(outputs, {outputs}, width, channels, size, norm, random);
}

DiscriminatorInParts::DiscriminatorInParts(int64_t outputs, int64_t width, int64_t channels, Extent size, DNorm norm,
                                           Random& random) {
  const int64_t features = body_channels(width, size);
  DiscriminatorStages stages(size, norm, random);
  body_ = child("body", body(width, channels, size, stages));
  score_ = child("score", stages.head(features, 1, smallest(size), project));
  if (outputs > 0) read_ = child("read", stages.head(features, outputs, smallest(size), project));
}

ConditionalDiscriminator::ConditionalDiscriminator(Condition condition, bool two_scores, int64_t classes, int64_t width,
                                                   int64_t channels, Extent size, DNorm norm, Random& random)
    : condition_(condition), two_scores_(two_scores) {
  const int64_t features = body_channels(width, size);
  const bool concat = condition == Condition::concat, joint = condition == Condition::joint;
  DiscriminatorStages stages(size, norm, random);
  body_ = child("body", body(width, channels + (concat && !two_scores ? classes : 0), size, stages));
  score_ = child("score", stages.head(features, 1, smallest(size), project));
  if (joint || (concat && two_scores))
    joint_ = child("joint", stages.head(features + classes, features, 1, with_leaky_relu({}, slope)));
  if (joint_ && two_scores) match_ = child("match", stages.head(features, 1, smallest(size), project));
  const auto linear = [&](int64_t in, int64_t out, bool bias) {
    auto layer = std::make_shared<nn::Linear>(in, out, random, bias);
    nn::init_dcgan(*layer, random);
    return layer;
  };
  if (condition == Condition::projection)
    classes_ = child("classes", bounded(linear(classes, features, false), norm, random));
  if (condition == Condition::acgan) classes_ = child("classes", linear(features, classes, true));
}

namespace {

// Numbers of samples (N) from a map of one pixel.
Tensor per_sample(const Tensor& map) { return reshape(map, {map.size(0)}); }

}  // namespace

Tensor ConditionalDiscriminator::projected(const Tensor& map, const Tensor& c) {
  return sum(sum(map, {1, 2}) * (*classes_)(c), {1});
}

Tensor ConditionalDiscriminator::score(const Tensor& x, const Tensor& c) {
  const bool unconditional = two_scores_ || condition_ == Condition::acgan;
  if (!unconditional && condition_ == Condition::concat) return per_sample((*score_)(features(with_planes(x, c))));
  if (!unconditional && joint_) return per_sample((*score_)((*joint_)(with_planes(features(x), c))));
  const Tensor map = features(x), score = per_sample((*score_)(map));
  return unconditional ? score : score + projected(map, c);
}

Tensor ConditionalDiscriminator::match(const Tensor& x, const Tensor& c) {
  check<Error>(two_scores_, "this discriminator has one score");
  const Tensor map = features(x);
  return match_ ? per_sample((*match_)((*joint_)(with_planes(map, c)))) : projected(map, c);
}

Tensor ConditionalDiscriminator::logits(const Tensor& x) { return (*classes_)(mean(features(x), {1, 2})); }

}  // namespace forger::gan
