#include "gan/words.h"

#include "core/ops.h"
#include "core/utf8.h"

namespace forger::gan {
const Column* find_words(const Columns& columns, const std::string& name) {
  const Column* column = find_column(columns, name);
  return column != nullptr && column->dtype == DType::i64 && column->sample.rank() == 1 ? column : nullptr;
}

std::vector<std::string> letters_of(const std::string& text) {
  constexpr unsigned char blank = 0x20, deletion = 0x7f;
  std::vector<std::string> letters;
  for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(letters.back().size())) {
    const auto first = static_cast<unsigned char>(rest.front());
    const size_t size = utf8_size(rest);
    if (size == 0 || first < blank || first == deletion) return {};
    letters.emplace_back(rest.substr(0, size));
  }
  return letters;
}

std::string spelled(const Column& column, std::span<const int64_t> tokens) {
  std::string word;
  for (const int64_t token : tokens) word += column.words.at(static_cast<size_t>(token));
  return word.substr(0, word.find_last_not_of(column.words.front()) + 1);
}

std::vector<std::string> spelled(const Column& column, const Tensor& tokens) {
  const Tensor here = to(tokens, Device::cpu);
  const auto length = static_cast<size_t>(here.size(1));
  std::vector<std::string> words;
  for (int64_t i = 0; i < here.size(0); i++)
    words.push_back(spelled(column, std::span(here.data<int64_t>() + i * here.size(1), length)));
  return words;
}

std::string as_lines(const std::vector<std::string>& words) {
  std::string lines;
  for (const std::string& word : words) lines += word + "\n";
  return lines;
}

}  // namespace forger::gan
