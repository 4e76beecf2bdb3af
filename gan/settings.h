// The settings of a run: one ordered table of typed values, each with a default and a line of help. The command line's
// flags, config.toml and --set key=value are all made from it, so a setting is declared once: the common ones in
// settings.cpp, a recipe's own in its Recipe entry.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace forger::gan {

using Value = std::variant<bool, int64_t, double, std::string>;

struct Setting {
  std::string key;                    // as in config.toml: "n_critic"; the flag is --n-critic
  Value value;                        // its type is the setting's type
  std::string help;                   // one line
  double low = -1e300, high = 1e300;  // inclusive bounds for numbers
  std::string group = {};             // the heading in config.toml that it stands under; "" for the system's own
};

class Settings {
 public:
  Settings() = default;
  explicit Settings(std::vector<Setting> table) : table_(std::move(table)) {}

  // UsageError for an unknown key (with the nearest known one), a value that does not parse as the key's type, or one
  // out of bounds: "--batch must be between 1 and 65536, got 0".
  void set(const std::string& key, const std::string& text);
  void set(const std::string& key, const char* text) { set(key, std::string(text)); }
  void set(const std::string& key, const Value& value);  // integers widen to doubles
  // New, or replaces the default, help and bounds of an old one, which keeps its type and place (and its help and
  // bounds where the new setting gives none).
  void add(const Setting& setting);

  bool flag(const std::string& key) const;
  int64_t integer(const std::string& key) const;
  double number(const std::string& key) const;
  const std::string& text(const std::string& key) const;
  // Text that is one of these words; UsageError "--mode 'x' is not known; there are: gan, close".
  const std::string& choice(const std::string& key, std::initializer_list<const char*> words) const;
  bool has(const std::string& key) const;
  const std::vector<Setting>& table() const { return table_; }

 private:
  const Setting& find(const std::string& key) const;
  Setting& find(const std::string& key) { return const_cast<Setting&>(std::as_const(*this).find(key)); }
  std::vector<Setting> table_;
};

// These settings, under that heading.
std::vector<Setting> under(const std::string& heading, std::vector<Setting> settings);

// The name of a setting as a person meets it: "--n-critic".
std::string flag_of(std::string key);

// What every recipe has: data, size, width, latent, steps, batch, seed, learning rates and their schedule, n_critic,
// ema, device, threads, fused, and how often to save what.
Settings common_settings();

// TOML: `key = value` lines under the headings of their groups, each help line as a comment. The same settings give the
// same bytes, and reading them back gives the same settings, to the last bit of a double. Reading accepts any subset of
// keys; UsageError names the file, line and what is wrong, and then no setting has changed.
std::string to_toml(const Settings& settings, const std::string& header_comment = "");
void read_toml(Settings& settings, const std::string& path);                              // from a file
void parse_toml(Settings& settings, const std::string& text, const std::string& origin);  // from memory

// The recipe that a file of settings names, "" if none: it decides which other settings there are, so it is read first.
std::string recipe_in_toml(const std::string& path);

// Whether a file is the config.toml that a run keeps: one that names a recipe and what the trainer found out about the
// data. Settings written by hand are not, and neither is anything that cannot be read.
bool is_run_config(const std::string& path);

// The whole text as a decimal integer: "010" is ten. False when it is none, or too large.
bool read_number(const std::string& text, int64_t& number);

// The known word with the fewest single-letter edits to `word`, for "did you mean"; "" when there is none.
std::string nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace forger::gan
