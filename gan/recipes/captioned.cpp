#include "gan/recipes/captioned.h"

#include <utility>

#include "core/autograd.h"
#include "gan/agreement.h"
#include "gan/networks/arch.h"

namespace forger::gan {
namespace {

const Column& sentences_of(const Settings& settings, const Columns& columns) {
  const Column& caption = need_column(settings, columns, "caption");
  const std::string& data = settings.text("data");
  check<UsageError>(is_sentences(caption), settings.text("recipe"), " reads sentences, and the captions of ", data,
                    " are whole names; their words: --data captions:", data);
  return caption;
}

}  // namespace

CaptionedRecipe::CaptionedRecipe(const Settings& settings, const Columns& columns)
    : Recipe(settings), caption_(sentences_of(settings, columns)) {
  check<UsageError>(settings.integer("batch") >= 2, "--batch 1: ", settings.text("recipe"),
                    " takes wrong captions from other rows of the batch; take more");
  const auto words = std::ssize(caption_.words);
  Tensor numbers = zeros({words});
  for (int64_t i = 0; i < words; i++) numbers.data<float>()[i] = static_cast<float>(i);
  numbers_ = to(cast(numbers, dtype_), device_);
  const Column* label = find_column(columns, "label");
  for (const std::string& sentence : caption_.sentences) {
    const std::vector<int64_t> tokens = tokens_of(caption_, sentence);
    sentences_.insert(sentences_.end(), tokens.begin(), tokens.end());
    classes_.push_back(label == nullptr ? -1 : class_in(sentence, label->words));
  }
  check<UsageError>(!classes_.empty(), settings.text("recipe"), ": ", settings.text("data"), " has no sentence");
  if (std::ranges::find(classes_, -1) != classes_.end()) classes_.clear();
  e_ = network(
      "e", std::make_shared<CaptionEncoder>(words, settings.integer("embedding"), settings.integer("code"), random_),
      /*averaged=*/true);
}

Tensor CaptionedRecipe::another(const Tensor& caption) {
  const NoGrad no_grad;
  const int64_t n = caption.size(0), length = caption.size(1);
  const Tensor words = gather(numbers_, reshape(caption, {n * length}));
  const Tensor difference = sum(abs(reshape(words, {n, 1, length}) - reshape(words, {1, n, length})), {2});
  return argmax(uniform(n, n, random_) - 2 * equal(difference, zeros({}, dtype_, device_)));
}

View CaptionedRecipe::sampling(std::function<void(Batch& batch, int64_t n, Random& random)> draw,
                               std::function<Batch(const Batch& from)> make) {
  return {.name = "sample",
          .draw =
              [this, draw = std::move(draw)](int64_t n, Random& random) {
                Batch batch;
                draw(batch, n, random);
                const int64_t length = caption_.sample.numel(), count = std::ssize(sentences_) / length;
                std::vector<int64_t> tokens, label;
                for (int64_t i = 0; i < n; i++) {
                  const auto k = static_cast<int64_t>(random.below(static_cast<uint64_t>(count)));
                  tokens.insert(tokens.end(), sentences_.begin() + k * length, sentences_.begin() + (k + 1) * length);
                  if (!classes_.empty()) label.push_back(classes_[static_cast<size_t>(k)]);
                }
                if (!label.empty()) batch.add("label", from_indices(label));
                return batch.add("caption", reshape(from_indices(tokens), {n, length}));
              },
          .make = std::move(make),
          .like = "image"};
}

Readings CaptionedRecipe::test(const Batch& held_out) {
  const Tensor &x = held_out["image"], &caption = held_out["caption"], code = read(caption);
  const Tensor own = matching(x, code), wrong = matching(x, moved_on(code));
  Readings readings{{"match", 0.5 * mean(1 + greater(own, wrong) - greater(wrong, own))}};  // equal: by halves
  const View view = views().front();
  Random own_draws(0);  // the same at any time
  Batch from = here(view.draw(x.size(0), own_draws));
  std::erase_if(from.tensors, [](const nn::Named& column) { return column.name == "caption"; });
  const Tensor made = view.make(from.add("caption", caption))["image"];
  for (const LookNumber look : {tone, shape, sleeves}) {
    if (!speaks_of(caption_, look)) continue;
    const auto share = [&](int64_t shift) {
      return full({}, agreement(caption_, look, caption, made, shift), DType::f64);
    };
    const std::string name = look_table[look].name;
    readings.push_back({name, share(0)});
    readings.push_back({name + "_wrong", share(1)});
  }
  return readings;
}

Condition caption_condition(const Settings& settings) {
  const bool joint = settings.choice("condition", {"joint", "projection"}) == "joint";
  return joint ? Condition::joint : Condition::projection;
}

std::vector<Setting> captioned_settings(const std::vector<Setting>& own) {
  std::vector<Setting> all{d_norm_setting("auto"),
                           {"data", "captions:fashion-mnist", "pictures with captions"},
                           {"embedding", int64_t{32}, "numbers of a word", 1, 4096},
                           {"code", int64_t{64}, "numbers of a caption: the state of the GRU", 1, 4096},
                           {"condition", "joint", "how D sees the caption: joint (beside its last map) or projection"}};
  all.insert(all.end(), own.begin(), own.end());
  return game_settings("non-saturating", "none", all);
}

}  // namespace forger::gan
