// The networks whose features scores compare: Inception-v3 with a file of weights, or the built-in judge.
// Either turns 8-bit images into features and logits, one batch of a fixed size after the other, so that what it sees
// in an image depends neither on the images beside it nor on how many there are.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gan/data.h"
#include "gan/image.h"
#include "gan/recipe.h"
#include "metrics/inception.h"
#include "metrics/preprocess.h"
#include "metrics/ticker.h"

namespace forger::metrics {

// Of the random numbers that judged samples are drawn with: not the latents that training or `forger sample` draws.
constexpr uint64_t judged_stream = 0x6a7564676564;  // "judged"

// ---- images to be judged: 8-bit, of any size ----

struct Pictures {
  std::string name;  // "fashion-mnist (test)", "1,000 samples of runs/dcgan"
  int64_t count = 0;
  std::function<gan::Image(int64_t i)> read;     // 0 <= i < count; thread-safe; DataError when it cannot be read
  std::function<int64_t(int64_t i)> label = {};  // its class; empty where there are none
  std::vector<std::string> broken = {};          // files that were left out
  std::string about = {};                        // what else was: "; left out: 3 .tif"

  Pictures at(std::vector<int64_t> rows) const;
  Pictures range(int64_t begin, int64_t end) const;
  Pictures subset(int64_t n, uint64_t seed) const;  // drawn without replacement; DataError when there are fewer
};
// The files of a folder as they are, neither cropped nor resized; `channels` 1 or 3: converted. Every file is decoded
// once to find the broken ones: they are left out when `skip_broken`, else DataError names the first ones and counts.
Pictures pictures_in_folder(const std::string& folder, int channels, bool skip_broken);
Pictures pictures_of(const gan::DataSetPtr& data, const std::string& name);
// Images (N, H, W, C) in [-1, 1], rounded to 8 bits as a PNG file would hold them; kept as bytes.
Pictures pictures_of(const Tensor& images, const std::string& name);
// `count` images that a view makes of what it draws and, where it is given data, of rows of `held_out`: as many as
// there are, or a choice of them. Labels are the classes that were asked for, where it starts from any. The same seed,
// the same images.
Pictures pictures_of(gan::Recipe& recipe, const gan::View& view, const gan::DataSet& held_out, int64_t count,
                     uint64_t seed, const std::string& name, const Ticker& ticker = {});
// The same of the view that draws and is given nothing.
Pictures pictures_of(gan::Recipe& recipe, int64_t count, uint64_t seed, const std::string& name,
                     const Ticker& ticker = {});

// Images [begin, end) as (N, H, W, C) floats in [-1, 1]; they must be of one size (DataError).
Tensor as_tensor(const Pictures& pictures, int64_t begin, int64_t end);

// ---- extractors ----

struct Activations {
  Tensor features;  // (N, D) float32
  Tensor logits;    // (N, classes)
};

class Extractor {
 public:
  virtual ~Extractor() = default;
  virtual std::string name() const = 0;        // "inception" or "judge"
  virtual std::string convention() const = 0;  // how images are brought to its size: "tf", "friendly", ...
  virtual std::string hash() const = 0;        // of its weights
  virtual std::string about() const = 0;       // a line for people: which network, whose weights, how resized
  virtual int64_t batch() const = 0;           // images that it takes at a time
  virtual int channels() const = 0;            // what it likes images to have
  virtual Activations activations(const std::vector<gan::Image>& images) const = 0;  // exactly batch() of them
};
using ExtractorPtr = std::shared_ptr<const Extractor>;

ExtractorPtr inception_extractor(std::shared_ptr<const Inception> network, Convention convention);

// All images in order, in batches of at most extractor.batch(). Reading and preparing are spread over the threads.
void extract(const Extractor& extractor, const Pictures& pictures, const std::function<void(const Activations&)>& take,
             const Ticker& ticker = {});
Activations extract(const Extractor& extractor, const Pictures& pictures, const Ticker& ticker = {});  // all in one

}  // namespace forger::metrics
