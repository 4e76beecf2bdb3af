#include "gan/captions.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "core/ops.h"
#include "gan/settings.h"

namespace forger::gan {

std::vector<std::string> words_in(const std::string& text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const unsigned char c : text) {
    const bool letter = std::isalnum(c) || c >= 0x80 || c == '-' || c == '\'';
    if (letter && !inside) words.emplace_back();
    if (letter) words.back() += static_cast<char>(std::tolower(c));
    inside = letter;
  }
  // Dashes and quotes alone are none.
  std::erase_if(words, [](const std::string& word) { return word.find_first_not_of("-'") == word.npos; });
  return words;
}

std::string as_sentence(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
  return all;
}

std::vector<int64_t> tokens_of(const Column& caption, const std::string& sentence) {
  const std::vector<std::string> words = words_in(sentence);
  const std::string like = caption.sentences.empty() ? "" : "; a sentence is like '" + caption.sentences.front() + "'";
  check<UsageError>(!words.empty(), caption.name, ": there is no word in '", sentence, "'", like);
  const int64_t length = caption.sample.numel();
  check<UsageError>(std::ssize(words) <= length, caption.name, " '", sentence, "' has ", words.size(),
                    " words, and sentences here have at most ", length);
  std::vector<int64_t> tokens(static_cast<size_t>(length), 0);
  for (size_t i = 0; i < words.size(); i++) {
    const auto found = std::ranges::find(caption.words, words[i]);
    check<UsageError>(found != caption.words.end(), caption.name, " '", sentence, "': '", words[i],
                      "' is no word that was learnt (did you mean '",
                      nearest(words[i], {caption.words.begin() + 1, caption.words.end()}), "'?)", like);
    tokens[i] = found - caption.words.begin();
  }
  return tokens;
}

std::string sentence_of(const Column& caption, std::span<const int64_t> tokens) {
  std::vector<std::string> words;
  for (const int64_t token : tokens)
    if (token != 0) words.push_back(caption.words.at(static_cast<size_t>(token)));
  return as_sentence(words);
}

int64_t class_in(const std::string& sentence, const std::vector<std::string>& class_names) {
  const std::vector<std::string> words = words_in(sentence);
  int64_t found = -1;
  size_t longest = 0;
  for (size_t c = 0; c < class_names.size(); c++) {
    const std::vector<std::string> name = words_in(class_names[c]);
    if (name.size() <= longest || std::ranges::search(words, name).empty()) continue;
    found = static_cast<int64_t>(c);
    longest = name.size();
  }
  return found;
}

// ---- looks ----------------------------------------------------------------------------------------------------------

namespace {

// Rows first ... last - 1 and columns likewise.
struct Box {
  int64_t top, bottom, left, right;
};

// What differs from the background, row by row.
struct Shown {
  int64_t height, width;
  std::vector<double> luma;
  std::vector<bool> is;

  Shown(const float* picture, const Shape& sample) : height(sample[0]), width(sample[1]) {
    constexpr double differs = 0.3;
    const int64_t channels = sample[2];
    for (int64_t i = 0; i < height * width; i++) {
      const float* p = picture + i * channels;
      luma.push_back(channels == 1 ? static_cast<double>(p[0])
                                   : 0.299 * static_cast<double>(p[0]) + 0.587 * static_cast<double>(p[1]) +
                                         0.114 * static_cast<double>(p[2]));
    }
    const double background = (luma.front() + luma[static_cast<size_t>(width - 1)] +
                               luma[luma.size() - static_cast<size_t>(width)] + luma.back()) /
                              4;
    for (const double y : luma) is.push_back(std::abs(y - background) > differs);
  }
  bool at(int64_t row, int64_t column) const { return is[static_cast<size_t>(row * width + column)]; }
  Box box() const {  // empty: bottom is 0
    Box box{height, 0, width, 0};
    for (int64_t row = 0; row < height; row++) {
      for (int64_t column = 0; column < width; column++) {
        if (!at(row, column)) continue;
        box = {std::min(box.top, row), row + 1, std::min(box.left, column), std::max(box.right, column + 1)};
      }
    }
    return box;
  }
  double mean_luma() const {
    double sum = 0, count = 0;
    for (size_t i = 0; i < luma.size(); i++)
      if (is[i]) sum += luma[i], count++;
    return sum / count;
  }
  // The lowest row of these columns, as a share of the box's height.
  double reach(const Box& box, int64_t left, int64_t right) const {
    int64_t lowest = box.top;
    for (int64_t row = box.top; row < box.bottom; row++)
      for (int64_t column = left; column < right; column++)
        if (at(row, column)) lowest = row + 1;
    return static_cast<double>(lowest - box.top) / static_cast<double>(box.bottom - box.top);
  }
};

}  // namespace

std::optional<Measures> measures_of(const float* picture, const Shape& sample) {
  const Shown shown(picture, sample);
  const Box box = shown.box();
  if (box.bottom == 0) return {};
  const int64_t across = box.right - box.left, sixth = std::max<int64_t>(1, across / 6);
  Measures measures;
  measures[tone] = shown.mean_luma();
  measures[shape] = static_cast<double>(across) / static_cast<double>(box.bottom - box.top);
  measures[sleeves] =
      (shown.reach(box, box.left, box.left + sixth) + shown.reach(box, box.right - sixth, box.right)) / 2;
  return measures;
}

Looks looks_of(const float* picture, const Shape& sample) {
  constexpr Measures thresholds{0.25, 0.8, 0.7};  // bright, wide, far down
  Looks looks{};
  const std::optional<Measures> measures = measures_of(picture, sample);
  for (size_t k = 0; measures && k < looks.size(); k++) looks[k] = (*measures)[k] > thresholds[k];
  return looks;
}

bool speaks_of(const Column& caption, LookNumber look) {
  const auto known = [&](const char* word) { return std::ranges::find(caption.words, word) != caption.words.end(); };
  return known(look_table[look].low) && known(look_table[look].high);
}

double agreement(const Column& column, LookNumber look, const Tensor& captions, const Tensor& pictures, int64_t shift) {
  const Tensor tokens = to(captions, Device::cpu), seen = to(cast(pictures, DType::f32), Device::cpu);
  const int64_t n = tokens.size(0), length = tokens.size(1);
  const Shape sample{seen.size(1), seen.size(2), seen.size(3)};
  double named = 0, right = 0;
  for (int64_t i = 0; i < n; i++) {
    const Looks looks = looks_of(seen.data<float>() + (i + shift) % n * sample.numel(), sample);
    for (const int64_t token : std::span(tokens.data<int64_t>() + i * length, static_cast<size_t>(length))) {
      const std::string& word = column.words[static_cast<size_t>(token)];
      const bool low = word == look_table[look].low, high = word == look_table[look].high;
      if (!low && !high) continue;
      named++;
      right += looks[look] == high;
      break;  // the first word of a sentence that speaks of it
    }
  }
  return named == 0 ? 1 : right / named;
}

}  // namespace forger::gan
