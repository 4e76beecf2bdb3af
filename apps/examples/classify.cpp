// A classifier in a page: how to train a network with nn/ and the engine, without the GAN machinery.
//
//   build/classify                         trains on Fashion-MNIST, prints the test accuracy after each epoch
//   build/classify folder:photos 20        on a folder of class folders, for 20 epochs
//
// Three 4x4 stride-2 convolutions with batch norm, a linear layer; Adam with a cosine schedule, random mirror images.
#include <algorithm>
#include <cstdio>

#include "core/autograd.h"
#include "gan/data.h"
#include "nn/layers.h"
#include "nn/optim.h"

using namespace forger;

namespace {

constexpr int64_t size = 32, batch = 128;
constexpr double lr = 2e-3;

std::shared_ptr<nn::Sequential> classifier(int64_t channels, int64_t classes, Random& random) {
  auto net = std::make_shared<nn::Sequential>();
  int64_t in = channels;
  for (const int64_t out : {32, 64, 128}) {
    net->append(std::make_shared<nn::Conv2d>(in, out, 4, Conv2dOptions{.stride = 2, .padding = 1}, random, false));
    net->append(std::make_shared<nn::BatchNorm>(out, NormOptions{.activation = kernels::Activation::relu}));
    in = out;
  }
  net->append(nn::flatten());
  net->append(std::make_shared<nn::Dropout>(0.3, random));
  net->append(std::make_shared<nn::Linear>(in * (size / 8) * (size / 8), classes, random));
  return net;
}

// Mirrors each image of (N, H, W, C) with probability one half, in place: a garment seen from the other side.
void mirror_some(const Tensor& images, Random& random) {
  const int64_t lines = images.size(1), w = images.size(2), c = images.size(3);
  auto* line = images.write<float>("mirror");
  for (int64_t i = 0; i < images.size(0); i++) {
    const bool mirrored = random.below(2) == 1;
    for (int64_t y = 0; y < lines; y++, line += w * c) {
      for (int64_t x = 0; mirrored && x < w / 2; x++)
        std::swap_ranges(line + x * c, line + (x + 1) * c, line + (w - 1 - x) * c);
    }
  }
}

double accuracy(nn::Layer& net, const gan::DataSet& test) {
  const NoGrad no_grad;
  int64_t right = 0;
  for (int64_t begin = 0; begin < test.count(); begin += batch) {
    const gan::Batch rows = gan::read_rows(test, begin, std::min(batch, test.count() - begin));
    const auto found = argmax(net(rows["image"])).to_vector(), wanted = rows["label"].to_vector();
    for (size_t i = 0; i < found.size(); i++) right += found[i] == wanted[i];
  }
  return static_cast<double>(right) / static_cast<double>(test.count());
}

void run(const std::string& spec, int64_t epochs) {
  const gan::DataSetPtr train = gan::open_data(spec, size), test = gan::open_data(spec, size, gan::Subset::test);
  check<UsageError>(train->classes() > 1, spec, " has no labels to learn");
  check<UsageError>(train->count() >= batch, spec, " has ", train->count(), " images; a batch is ", batch);
  Random random(0);
  const auto net = classifier(train->sample()[2], train->classes(), random);
  nn::Adam adam(net->parameters(), {.lr = lr, .beta1 = 0.9, .beta2 = 0.999});
  gan::Loader loader(train, batch, random.seed());

  const int64_t per_epoch = train->count() / batch, steps = epochs * per_epoch;
  double loss_of_epoch = 0;
  for (int64_t step = 0; step < steps; step++) {
    const gan::Batch rows = loader.next();
    mirror_some(rows["image"], random);
    adam.zero_grad();
    const Tensor loss = cross_entropy((*net)(rows["image"]), rows["label"]);
    backward(loss);
    adam.lr = lr * nn::cosine_schedule(step, steps);
    adam.step();
    loss_of_epoch += loss.item();
    if ((step + 1) % per_epoch > 0) continue;

    net->eval();
    std::printf("epoch %ld of %ld: loss %.4f, test accuracy %.2f %%\n", (step + 1) / per_epoch, epochs,
                loss_of_epoch / static_cast<double>(per_epoch), 100 * accuracy(*net, *test));
    std::fflush(stdout);
    net->train();
    loss_of_epoch = 0;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    int64_t epochs = 6;
    check<UsageError>(argc <= 3 && (argc < 3 || (gan::read_number(argv[2], epochs) && epochs > 0)),
                      "takes a data set and a number of epochs: classify fashion-mnist 6");
    run(argc > 1 ? argv[1] : "fashion-mnist", epochs);
    return 0;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "classify: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "classify: %s\n", error.what());
    return 1;
  }
}
