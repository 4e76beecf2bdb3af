#include "gan/score.h"

#include <sstream>

namespace forger::gan {

std::string thousands(int64_t n) {
  const std::string digits = std::to_string(n);
  std::string out;
  for (size_t i = 0; i < digits.size(); i++) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string line_of(const Score& score) {
  std::ostringstream line;
  line.precision(5);
  const bool named = score.values.size() > 1;
  for (size_t i = 0; i < score.values.size(); i++) {
    const auto& [name, value] = score.values[i];
    line << (i > 0 ? ", " : "") << (named && name != score.metric ? name + " " : "") << value;
    if (i == 0 && score.spread) line << " +- " << *score.spread;
  }
  std::string of;
  const auto add = [&](const std::string& words) {
    if (!words.empty()) of += (of.empty() ? "  (" : ", ") + words;
  };
  add(score.convention);
  if (score.reals > 0) add(thousands(score.reals) + " real");
  if (score.fakes > 0) add(thousands(score.fakes) + " fake");
  add(score.split);
  if (!score.weights.empty()) add("weights " + score.weights);
  return line.str() + (of.empty() ? "" : of + ")");
}

}  // namespace forger::gan
