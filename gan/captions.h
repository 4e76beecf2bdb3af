// Captions: sentences as numbers of words, and what they say of a picture's looks.
//
// A column of captions has the sample shape (L) and the type i64: numbers of words, of which the first one, "", stands
// behind a sentence's end.
#pragma once
#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gan/batch.h"

namespace forger::gan {

inline bool is_sentences(const Column& column) { return column.dtype == DType::i64 && column.sample.rank() == 1; }

// In lower case, without punctuation: "T-shirt/top" is "t-shirt" and "top".
std::vector<std::string> words_in(const std::string& text);
std::string as_sentence(const std::vector<std::string>& words);  // with blanks between

// The numbers of a sentence's words, L of them. UsageError when it has no word, too many, or an unknown one, with the
// nearest that is known.
std::vector<int64_t> tokens_of(const Column& caption, const std::string& sentence);
std::string sentence_of(const Column& caption, std::span<const int64_t> tokens);
// The class whose name's words stand in the sentence, the longest of several; -1: none.
int64_t class_in(const std::string& sentence, const std::vector<std::string>& class_names);

// ---- looks: what is measured of a picture, each with a word for either side of a threshold ----
//
// What a picture shows are the pixels whose luma differs by more than 0.3 from the background's, the mean of the four
// corners; black is -1, white is 1. The thresholds halve Fashion-MNIST about evenly.
//   tone     dark, bright   the mean luma of what it shows, above 0.25
//   shape    narrow, wide   width over height of the box around it, above 0.8
//   sleeves  short, long    of a garment seen from the front: how far down the outermost sixths of the box's columns
//                           reach, as a share of its height and the mean of both sides, above 0.7
struct Look {
  const char *name, *low, *high;
};
enum LookNumber : uint8_t { tone, shape, sleeves };
constexpr std::array<Look, 3> look_table{
    {{"tone", "dark", "bright"}, {"shape", "narrow", "wide"}, {"sleeves", "short", "long"}}};
using Looks = std::array<bool, look_table.size()>;       // whether the second word holds
using Measures = std::array<double, look_table.size()>;  // what stands against the thresholds

// Of (H, W, C) floats in [-1, 1]; nothing of an empty picture.
std::optional<Measures> measures_of(const float* picture, const Shape& sample);
// Of (H, W, C) floats in [-1, 1]; of an empty picture the first words.
Looks looks_of(const float* picture, const Shape& sample);

// Of captions that name a look, (N, L), the share whose word holds of its picture, (N, H, W, C); 1 where none does.
// Row i of the captions stands beside picture (i + shift) modulo N. Waits for the device.
double agreement(const Column& column, LookNumber look, const Tensor& captions, const Tensor& pictures,
                 int64_t shift = 0);
// Whether the column's sentences speak of it: both words are known.
bool speaks_of(const Column& caption, LookNumber look);

}  // namespace forger::gan
