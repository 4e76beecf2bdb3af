// A classifier in a page: how to train a network with nn/ and the engine, without the GAN machinery. It is also a
// judge: with
// --run it says which classes a trained generator makes.
//
//   build/classify                         trains on Fashion-MNIST, prints the test accuracy
//   build/classify --run runs/dcgan        ... and the classes of 2,000 samples of that run
//
// Three 4x4 stride-2 convolutions with batch norm, a linear layer; Adam with a cosine schedule, random mirror images.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "apps/arguments.h"
#include "core/autograd.h"
#include "gan/trained.h"
#include "nn/layers.h"

using namespace forger;

namespace {

constexpr int64_t size = 32;

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
  net->append(std::make_shared<nn::Linear>(in * 4 * 4, classes, random));
  return net;
}

// Mirrors each image of (N, H, W, C) with probability one half, in place: a garment seen from the other side.
void mirror_some(const Tensor& images, Random& random) {
  const int64_t n = images.size(0), h = images.size(1), w = images.size(2), c = images.size(3);
  auto* x = images.write<float>("mirror");
  for (int64_t i = 0; i < n; i++) {
    if (random.below(2) == 0) continue;
    for (int64_t row = 0; row < h; row++) {
      float* line = x + (i * h + row) * w * c;
      for (int64_t left = 0; left < w / 2; left++) {
        std::swap_ranges(line + left * c, line + (left + 1) * c, line + (w - 1 - left) * c);
      }
    }
  }
}

void fit(nn::Layer& net, const gan::DataSetPtr& data, int64_t epochs, int64_t batch, Random& random) {
  nn::Adam adam(net.parameters(), {.lr = 2e-3, .beta1 = 0.9, .beta2 = 0.999});
  gan::Loader loader(data, batch, random.seed());
  const int64_t per_epoch = data->count() / batch, steps = epochs * per_epoch;
  double running = 0;
  for (int64_t step = 0; step < steps; step++) {
    const gan::Batch rows = loader.next();
    mirror_some(rows["image"], random);
    adam.zero_grad();
    const Tensor loss = cross_entropy(net(rows["image"]), rows["label"]);
    backward(loss);
    adam.lr = 2e-3 * nn::cosine_schedule(step, steps);
    adam.step();
    running += loss.item();
    if ((step + 1) % per_epoch == 0) {
      std::printf("epoch %ld of %ld: loss %.4f\n", (step + 1) / per_epoch, epochs,
                  running / static_cast<double>(per_epoch));
      std::fflush(stdout);
      running = 0;
    }
  }
}

// The class of each image, (N, H, W, C) -> N indices.
std::vector<double> classify(nn::Layer& net, const Tensor& images) {
  const NoGrad no_grad;
  return argmax(net(images)).to_vector();
}

double accuracy(nn::Layer& net, const gan::DataSet& data) {
  constexpr int64_t batch = 500;
  const Shape sample = data.sample();
  int64_t right = 0;
  for (int64_t begin = 0; begin < data.count(); begin += batch) {
    const int64_t n = std::min(batch, data.count() - begin);
    const Tensor images({n, sample[0], sample[1], sample[2]}, DType::f32);
    for (int64_t i = 0; i < n; i++) data.read(begin + i, images.data<float>() + i * sample.numel());
    const auto found = classify(net, images);
    for (int64_t i = 0; i < n; i++)
      right += static_cast<int64_t>(found[static_cast<size_t>(i)]) == data.label(begin + i);
  }
  return static_cast<double>(right) / static_cast<double>(data.count());
}

// How many of `count` samples of a trained run fall into each class. Returns the number of classes that occur.
int64_t print_classes_of(const std::string& run, int64_t count, nn::Layer& net, const gan::DataSet& data) {
  const gan::Trained trained = gan::load_trained(run, {.device = {}, .threads = kernels::threads(), .data = {}});
  check<UsageError>(trained.settings.text("size") == std::to_string(size), "--run: classify judges images of ", size,
                    " pixels, this run makes ", trained.settings.text("size"));
  Random random(1, 3);
  std::vector<int64_t> histogram(static_cast<size_t>(data.classes()));
  const gan::View view = gan::sampling_view(*trained.recipe);
  constexpr int64_t batch = 100;
  for (int64_t done = 0; done < count; done += batch) {
    const int64_t n = std::min(batch, count - done);
    for (const double c : classify(net, trained.recipe->make(view, view.draw(n, random)).tensors.front().tensor)) {
      histogram[static_cast<size_t>(c)]++;
    }
  }
  std::printf("classes of %ld samples of %s at step %ld:\n", count, run.c_str(), trained.step);
  for (size_t c = 0; c < histogram.size(); c++) {
    std::printf("  %-12s %5ld  %4.1f %%\n", data.class_name(static_cast<int64_t>(c)).c_str(), histogram[c],
                100.0 * static_cast<double>(histogram[c]) / static_cast<double>(count));
  }
  return std::count_if(histogram.begin(), histogram.end(), [](int64_t n) { return n > 0; });
}

int run(int argc, char** argv) {
  CLI::App app{"Trains a small convolutional classifier; with --run, says which classes a generator makes."};
  std::string data_spec = "fashion-mnist", run_folder;
  int64_t epochs = 6, batch = 128, count = 2000, threads = 0;
  uint64_t seed = 0;
  double require = 0;
  app.add_option("--data", data_spec, "data set with labels")->capture_default_str();
  app.add_option("--epochs", epochs, "passes over the training set")->capture_default_str()->check(CLI::Range(1, 1000));
  app.add_option("--batch", batch, "images per step")->capture_default_str()->check(CLI::Range(2, 65536));
  app.add_option("--seed", seed, "of weights, order and mirror images")->capture_default_str();
  app.add_option("--threads", threads, "0: all cores")->capture_default_str()->check(CLI::Range(0, 1024));
  app.add_option("--run", run_folder, "a run folder whose samples are classified");
  app.add_option("--count", count, "how many of them")->capture_default_str()->check(CLI::Range(1, 1000000));
  app.add_option("--require", require, "fail below this test accuracy, and when a class is missing among the samples");
  apps::read_strictly(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  if (threads > 0) kernels::set_threads(static_cast<int>(threads));

  const gan::DataSetPtr train = gan::open_data(data_spec, size),
                        test = gan::open_data(data_spec, size, gan::Subset::test);
  check<UsageError>(train->classes() > 1, "--data ", data_spec, " has no labels to learn");
  Random random(seed);
  const auto net = classifier(train->sample()[2], train->classes(), random);
  fit(*net, train, epochs, batch, random);
  net->eval();
  const double share = accuracy(*net, *test);
  std::printf("test accuracy %.2f %% (%ld images)\n", 100 * share, test->count());
  int64_t occurring = train->classes();
  if (!run_folder.empty()) {
    occurring = print_classes_of(run_folder, count, *net, *train);
    std::printf("%ld of %ld classes occur\n", occurring, train->classes());
  }
  return share >= require && (require == 0 || occurring == train->classes()) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const UsageError& error) {
    std::fprintf(stderr, "classify: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "classify: %s\n", error.what());
    return 1;
  }
}
