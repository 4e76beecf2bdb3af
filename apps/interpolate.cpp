// forger interpolate: a walk through the latent space. A generator that has learnt the data, rather than a list of
// pictures, changes smoothly along it.
//
// Between latents a and b the walk is spherical (Shoemake 1985; for GANs White 2016, arXiv:1609.04468):
//
//   z(t) = (sin((1 - t) w) a + sin(t w) b) / sin(w),   w the angle between a and b
//
// The straight line passes near the origin, where a Gaussian in many dimensions has next to no mass and the generator
// was never trained.
#include <cmath>
#include <iostream>

#include "apps/common.h"
#include "core/ops.h"

namespace forger::apps {
namespace {

struct WalkOptions {
  Use use;
  std::string out = "interpolation.png", frames;
  int64_t rows = 8, columns = 10;
  bool force = false;
};

// a, b (1, ...): two latents; t in [0, 1]
Tensor slerp(const Tensor& a, const Tensor& b, double t) {
  const double dot = sum(a * b).item(), lengths = norm(a).item() * norm(b).item();
  const double angle = std::acos(std::clamp(lengths > 0 ? dot / lengths : 1, -1.0, 1.0));
  const double sine = std::sin(angle);
  if (sine < 1e-6) return a * (1 - t) + b * t;  // parallel: the sphere is flat here
  return a * (std::sin((1 - t) * angle) / sine) + b * (std::sin(t * angle) / sine);
}

// `steps` latents from a towards b, a first; the last one is b when `closed`.
void append_walk(std::vector<Tensor>& path, const Tensor& a, const Tensor& b, int64_t steps, bool closed) {
  const double last = static_cast<double>(closed ? std::max<int64_t>(steps - 1, 1) : steps);
  for (int64_t i = 0; i < steps; i++) path.push_back(slerp(a, b, static_cast<double>(i) / last));
}

// Of integers, such as classes and captions: those at the beginning of each walk, all along it.
Tensor held(const Tensor& drawn, int64_t columns, int64_t rows, bool loop) {
  const Tensor numbers = to(drawn, Device::cpu);
  std::vector<int64_t> sizes(numbers.shape().begin(), numbers.shape().end());
  sizes[0] = rows * columns;
  const Tensor all(Shape(sizes), DType::i64);
  const int64_t length = numbers.numel() / numbers.size(0);
  for (int64_t i = 0; i < rows * columns; i++)
    std::copy_n(numbers.data<int64_t>() + (loop ? 1 : 2) * (i / columns) * length, length,
                all.data<int64_t>() + i * length);
  return all;
}

// Each row of the grid walks between two latents of its own; the frames pass through `rows` latents and return to the
// first, so that they loop.
gan::Batch walks(const gan::View& view, const WalkOptions& options) {
  const bool loop = !options.frames.empty();
  const int64_t ends = loop ? options.rows : 2 * options.rows;
  Random random = sampling_random(options.use.seed);
  gan::Batch all;
  for (const auto& [name, drawn] : view.draw(ends, random).tensors) {
    if (drawn.dtype() == DType::i64) {  // a class: there is nothing between two of them
      all.add(name, held(drawn, options.columns, options.rows, loop));
      continue;
    }
    std::vector<Tensor> path;
    for (int64_t row = 0; row < options.rows; row++) {
      const int64_t from = loop ? row : 2 * row, to = (from + 1) % ends;
      append_walk(path, slice(drawn, 0, from, from + 1), slice(drawn, 0, to, to + 1), options.columns, !loop);
    }
    all.add(name, concat(path, 0));
  }
  return all;
}

int interpolate(const WalkOptions& options) {
  if (options.frames.empty()) check_picture_name("--out", options.out);
  gan::Trained trained = load(options.use);
  const bool single = options.frames.empty();
  check_not_data(single ? "--out" : "--frames", single ? options.out : options.frames, trained.settings);
  const gan::View view = gan::sampling_view(*trained.recipe);
  const gan::Batch path = walks(view, options);
  if (options.frames.empty()) {
    write_picture(options.out, gan::picture(make_all(*trained.recipe, view, path), options.columns));
    return exit_done;
  }
  NumberedPictures frames(options.frames, "frame", options.force);
  make_in_parts(*trained.recipe, view, path,
                [&](const gan::Batch&, const gan::Batch& made) { frames.add(made.tensors.front().tensor); });
  std::cout << options.frames << ": " << frames.count() << " frames\n";
  return exit_done;
}

}  // namespace

Command interpolate_command(CLI::App& root) {
  const auto options = std::make_shared<WalkOptions>();
  CLI::App* app = root.add_subcommand("interpolate", "A walk through the latent space of a trained generator");
  add_use(*app, options->use, "Another seed, another walk");
  app->add_option("--rows", options->rows, "Walks (of a grid), or latents passed (by frames)")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app->add_option("--columns", options->columns, "Steps of a walk")->capture_default_str()->check(CLI::Range(2, 10000));
  CLI::Option* out = app->add_option("--out", options->out, "The grid: a walk per row")->capture_default_str();
  app->add_option("--frames", options->frames, "Instead of a grid: a folder of numbered PNGs that loop")->excludes(out);
  app->add_flag("--force", options->force, "Replace the frames that the folder holds from an earlier call");
  app->footer(
      "Examples:\n"
      "  forger interpolate runs/dcgan --rows 4 --columns 12 --out walk.png\n"
      "  forger interpolate runs/dcgan --rows 6 --columns 30 --frames walk\n"
      "  ffmpeg -framerate 30 -i walk/frame-%06d.png walk.mp4      (another program makes a film of them)");
  return {app, [options] { return interpolate(*options); }};
}

}  // namespace forger::apps
