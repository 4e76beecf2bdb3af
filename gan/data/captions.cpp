// captions:SET: the pictures of a set with sentences about them, as column "caption" (gan/captions.h). Where the set has
// names of its pictures (emoji), a sentence is the name, cut off behind its eighth word; of any other one with classes
// it is made from the class and the picture's looks, a pure function of both:
//
//   a dark wide pullover with long sleeves      a bright narrow trouser      (sleeves: of tops alone)
#include <algorithm>
#include <utility>

#include "gan/captions.h"
#include "gan/data/images.h"

namespace forger::gan {
namespace {

const std::string prefix = "captions:";

// Whether a class is of garments that are seen from the front and may have sleeves.
bool has_sleeves(const std::vector<std::string>& class_name) {
  constexpr std::array garments{"t-shirt", "shirt", "top", "pullover", "coat", "jacket", "sweater", "hoodie", "blouse"};
  return std::ranges::find_first_of(class_name, garments) != class_name.end();
}

class Captioned : public DataSet {
 public:
  Captioned(std::string name, DataSetPtr images) : name_(std::move(name)), images_(std::move(images)) {
    const Columns& given = images_->columns();
    image_ = place_of("image");
    label_ = place_of("label");
    named_ = place_of("caption");
    const std::string has = text(name_, ": ", images_->name(), " has ", names_of(given));
    check<UsageError>(image_ < given.size() && given[image_].sample.rank() == 3, has, ", and captions are of images");
    check<UsageError>(named_ < given.size() || images_->classes() > 0, has,
                      ": a caption is made from a picture's class or name");
    check<UsageError>(named_ == given.size() || !is_sentences(given[named_]), name_, ": ", images_->name(),
                      " has captions already");
    columns_ = given;
    if (named_ == given.size()) columns_.emplace_back();
    caption_ = named_;
    columns_[caption_] = sentences_of(made_up() ? given[label_].words : given[named_].words);
    take_examples();
  }

  int64_t count() const override { return images_->count(); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    std::vector<void*> into(cells.begin(), cells.begin() + std::ssize(images_->columns()));
    auto* caption = static_cast<int64_t*>(cells[caption_]);
    std::vector<float> picture;
    int64_t label = 0, number = 0;
    if (caption != nullptr && made_up()) {
      if (into[image_] == nullptr) {
        picture.resize(static_cast<size_t>(columns_[image_].sample.numel()));
        into[image_] = picture.data();
      }
      if (into[label_] == nullptr) into[label_] = &label;
    } else if (caption != nullptr) {
      into[named_] = &number;
    }
    images_->read_row(i, into);
    if (caption == nullptr) return;
    const std::vector<int64_t> tokens =
        made_up() ? describe(*static_cast<const int64_t*>(into[label_]), static_cast<const float*>(into[image_]))
                  : begin_[static_cast<size_t>(number)];
    std::ranges::copy(padded(tokens), caption);
  }
  std::string name() const override { return name_; }
  std::string about() const override {
    return text(images_->about(), ", captioned: '", columns_[caption_].sentences.front(), "'");
  }
  std::vector<Broken> broken() const override { return images_->broken(); }
  std::string hash() const override { return hash_of({prefix, images_->hash()}); }

 private:
  using Tokens = std::vector<int64_t>;

  size_t place_of(const std::string& column) const {  // the number of columns when there is none
    return static_cast<size_t>(std::ranges::find(images_->columns(), column, &Column::name) -
                               images_->columns().begin());
  }
  bool made_up() const { return named_ == images_->columns().size(); }

  // The vocabulary and the length of the longest sentence, made of these names of classes or pictures.
  Column sentences_of(const std::vector<std::string>& names) {
    constexpr size_t most = 8;  // words of a name
    words_ = {""};
    if (made_up()) article_ = number_of("a");
    for (size_t look = 0; made_up() && look < look_table.size(); look++) {
      if (look == sleeves && std::ranges::none_of(names, [](const auto& n) { return has_sleeves(words_in(n)); }))
        continue;
      looks_[look] = {number_of(look_table[look].low), number_of(look_table[look].high)};
      if (look == sleeves) with_ = number_of("with"), noun_ = number_of("sleeves");
    }
    size_t longest = 0;
    for (const std::string& name : names) {
      std::vector<std::string> words = words_in(name);
      if (!made_up()) words.resize(std::min(words.size(), most));
      begin_.emplace_back();
      for (const std::string& word : words) begin_.back().push_back(number_of(word));
      sleeved_.push_back(made_up() && has_sleeves(words));
      longest = std::max(longest, words.size() + (made_up() ? 3 : 0) + (sleeved_.back() ? 3 : 0));
    }
    return {.name = "caption",
            .sample = {static_cast<int64_t>(std::max<size_t>(longest, 1))},
            .dtype = DType::i64,
            .words = words_};
  }
  int64_t number_of(const std::string& word) {
    const auto found = std::ranges::find(words_, word);
    const int64_t number = found - words_.begin();
    if (found == words_.end()) words_.push_back(word);
    return number;
  }

  Tokens describe(int64_t label, const float* picture) const {
    const Looks looks = looks_of(picture, columns_[image_].sample);
    const auto word = [&](LookNumber look) { return looks_[look][looks[look] ? 1 : 0]; };
    const auto c = static_cast<size_t>(label);
    Tokens tokens{article_, word(tone), word(shape)};
    tokens.insert(tokens.end(), begin_[c].begin(), begin_[c].end());
    if (sleeved_[c]) tokens.insert(tokens.end(), {with_, word(sleeves), noun_});
    return tokens;
  }
  Tokens padded(Tokens tokens) const {
    tokens.resize(static_cast<size_t>(columns_[caption_].sample.numel()), 0);
    return tokens;
  }

  // What some rows say, always the same ones; folders are sorted by class.
  void take_examples() {
    constexpr int64_t examples = 256;
    constexpr uint64_t seed = 0, stream = 0x63617074;
    std::vector<int64_t> rows = Random(seed, stream).permutation(count());
    rows.resize(static_cast<size_t>(std::min(examples, count())));
    const Tensor all = read_rows(*this, rows, {"caption"})["caption"];
    const auto length = static_cast<size_t>(all.size(1));
    Column& caption = columns_[caption_];
    for (size_t i = 0; i < rows.size(); i++)
      caption.sentences.push_back(sentence_of(caption, {all.data<int64_t>() + i * length, length}));
  }

  std::string name_;
  DataSetPtr images_;
  Columns columns_;
  size_t image_ = 0, label_ = 0, named_ = 0, caption_ = 0;  // places of columns
  std::vector<std::string> words_;
  std::vector<Tokens> begin_;  // of each class or name, its words
  std::vector<bool> sleeved_;  // of each class
  std::array<std::array<int64_t, 2>, look_table.size()> looks_{};
  int64_t article_ = 0, with_ = 0, noun_ = 0;
};

const RegisterDataSource registered{{
    .name = "captions",
    .help = "captions:SET: pictures with sentences about them, from their names or their classes and looks",
    .gives = {"image", "label", "caption"},
    .accepts = [](const std::string& spec) { return spec.starts_with(prefix); },
    .open = [](const std::string& spec, const DataOptions& options, Subset subset) -> DataSetPtr {
      return std::make_shared<Captioned>(spec, open_data(spec.substr(prefix.size()), options, subset));
    },
    .map_paths = [](const std::string& spec,
                    const DataSource::OnPath& f) { return prefix + map_paths(spec.substr(prefix.size()), f); },
}};

}  // namespace
}  // namespace forger::gan
