// What systems that make pictures of captions share: the encoder of captions, wrong captions, what can be looked at,
// and how it is measured whether a picture shows what was asked for.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gan/captions.h"
#include "gan/networks/caption_encoder.h"
#include "gan/networks/dcgan.h"
#include "gan/recipe.h"

namespace forger::gan {

Condition caption_condition(const Settings& settings);  // --condition

// What each of them can be told of the game, of captions and of its D, and its own settings over that.
std::vector<Setting> captioned_settings(const std::vector<Setting>& own);

class CaptionedRecipe : public Recipe {
 public:
  // Held-out pictures and captions:
  //   match               share of pictures whose own caption D scores above another picture's; 0.5 is chance
  //   tone, shape, ...    share of pictures made of the captions that look as these say (gan/captions.h),
  //   tone_wrong, ...     and beside it the same of the next caption's picture: what comes of ignoring captions
  Readings test(const Batch& held_out) override;

 protected:
  // Registers the encoder, "e". UsageError unless the column "caption" holds sentences.
  CaptionedRecipe(const Settings& settings, const Columns& columns);

  // phi(t): (N, code()), which whoever trains "e" learns; and as a constant.
  Tensor read(const Tensor& caption) { return (*e_)(caption); }
  Tensor said(const Tensor& caption) { return read(caption).detach(); }
  int64_t code() const { return e_->size(); }
  // For each caption (N, L) the row of another one that says something else, all others being as likely: (N). Reads
  // nothing from the device; where the whole batch says one thing, any row.
  Tensor another(const Tensor& caption);

  // The view "sample": captions of the data, and with each its class where it names one, beside what `draw` adds.
  View sampling(std::function<void(Batch& batch, int64_t n, Random& random)> draw,
                std::function<Batch(const Batch& from)> make);

  // Of D that stands in the end: how well a picture goes with a caption's code, (N).
  virtual Tensor matching(const Tensor& picture, const Tensor& code) = 0;

 private:
  Column caption_;
  std::vector<int64_t> sentences_;  // to draw from, one after the other
  std::vector<int64_t> classes_;    // of each; none where one of them names none
  Tensor numbers_;                  // (V): 0, 1, ...
  std::shared_ptr<CaptionEncoder> e_;
};

}  // namespace forger::gan
