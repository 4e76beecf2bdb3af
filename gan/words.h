// Words as sequences of letters. A column of them has the sample shape (L) and the type i64: numbers of letters, of
// which the first one, a blank, fills what is behind the end.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "gan/batch.h"

namespace forger::gan {

// The column of that name where it holds such sequences; else null. (Captions are no rows that a system makes.)
const Column* find_words(const Columns& columns, const std::string& name);

// The letters of UTF-8 text, each a code point. Nothing of bytes that are none, and of text with control characters.
std::vector<std::string> letters_of(const std::string& text);

// The word without the blanks behind it; and those of all rows of (N, L), which may lie anywhere.
std::string spelled(const Column& column, std::span<const int64_t> tokens);
std::vector<std::string> spelled(const Column& column, const Tensor& tokens);

std::string as_lines(const std::vector<std::string>& words);  // one a line

}  // namespace forger::gan
