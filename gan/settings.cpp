// Settings: one table, three ways in (flags, config.toml, --set) and one way out (config.toml).
//
//   text "2e-4" --parse--+
//                        +--> Value --fit: type, finite, bounds--> table --to_toml--> config.toml
//   TOML node ---read----+                                          ^                     |
//                                                                   +-----parse_toml------+
//
// Everything that enters passes `fit`, so what the table holds is always valid. Doubles are written in the shortest
// form that reads back to the same bits (std::to_chars).
#include "gan/settings.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "core/utf8.h"

namespace forger::gan {
namespace {

const char* type_name(const Value& value) {
  constexpr const char* names[] = {"true or false", "an integer", "a number", "text"};
  return names[value.index()];
}

std::string shortest(double x) {
  char digits[32];
  std::string out(digits, std::to_chars(std::begin(digits), std::end(digits), x).ptr);
  if (const size_t e = out.find('e'); e != out.npos && out[e + 2] == '0')
    out.erase(e + 2, 1);  // 2e-04: as papers write it
  return out;
}

// ---- TOML's words for values ----

std::string quoted(const std::string& bytes) {
  std::string out = "\"";
  for (const char c : to_utf8(bytes)) {
    constexpr char hex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string literal(const Value& value) {
  if (const bool* on = std::get_if<bool>(&value)) return *on ? "true" : "false";
  if (const int64_t* n = std::get_if<int64_t>(&value)) return std::to_string(*n);
  if (const std::string* s = std::get_if<std::string>(&value)) return quoted(*s);
  const std::string digits = shortest(std::get<double>(value));
  return digits.find_first_of(".e") == digits.npos ? digits + ".0" : digits;  // TOML's 1 is an integer, 1.0 is not
}

// ---- what may enter the table ----

// The value as the setting's type and within its bounds. UsageError opens with `name`.
Value fit(const std::string& name, const Setting& setting, Value value) {
  if (std::holds_alternative<double>(setting.value) && std::holds_alternative<int64_t>(value))
    value = static_cast<double>(std::get<int64_t>(value));
  if (std::holds_alternative<std::string>(setting.value) && std::holds_alternative<int64_t>(value))
    value = std::to_string(std::get<int64_t>(value));  // size = 32
  check<UsageError>(value.index() == setting.value.index(), name, " must be ", type_name(setting.value), ", got ",
                    literal(value));
  if (std::holds_alternative<std::string>(value) || std::holds_alternative<bool>(value)) return value;
  const double x =
      std::holds_alternative<double>(value) ? std::get<double>(value) : static_cast<double>(std::get<int64_t>(value));
  check<UsageError>(std::isfinite(x), name, " must be a finite number, got ", shortest(x));
  const auto bound = [&](double b) { return std::abs(b) < 1e15 ? shortest(b) : text(static_cast<int64_t>(b)); };
  check<UsageError>(setting.low <= x && x <= setting.high, name, " must be between ", bound(setting.low), " and ",
                    bound(setting.high), ", got ", literal(value));
  return value;
}

template <class T>
bool read_whole_number(const std::string& text, T& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

// What a person types on the command line, as the setting's type.
Value parse(const std::string& name, const Setting& setting, const std::string& typed) {
  if (std::holds_alternative<std::string>(setting.value)) return typed;
  if (std::holds_alternative<bool>(setting.value)) {
    for (const char* yes : {"true", "on", "yes", "1"})
      if (typed == yes) return true;
    for (const char* no : {"false", "off", "no", "0"})
      if (typed == no) return false;
  }
  int64_t integer = 0;
  if (std::holds_alternative<int64_t>(setting.value) && read_whole_number(typed, integer)) return integer;
  double real = 0;
  if (std::holds_alternative<double>(setting.value) && read_whole_number(typed, real)) return real;
  throw UsageError(text(name, " must be ", type_name(setting.value), ", got '", typed, "'"));
}

const Setting* lookup(const std::vector<Setting>& table, const std::string& key) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Setting& s) { return s.key == key; });
  return found == table.end() ? nullptr : &*found;
}

std::string unknown(const std::vector<Setting>& table, const std::string& key) {
  std::vector<std::string> known;
  for (const Setting& setting : table) known.push_back(setting.key);
  const std::string suggestion = nearest(key, known);
  return text("there is no setting '", key, "'", suggestion.empty() ? "" : "; did you mean '" + suggestion + "'?");
}

}  // namespace

// ---- the table ----

const Setting& Settings::find(const std::string& key) const {
  const Setting* setting = lookup(table_, key);
  if (setting == nullptr) throw UsageError(unknown(table_, key));
  return *setting;
}

void Settings::set(const std::string& key, const std::string& typed) {
  Setting& setting = find(key);
  setting.value = fit(flag_of(key), setting, parse(flag_of(key), setting, typed));
}

void Settings::set(const std::string& key, const Value& value) {
  Setting& setting = find(key);
  setting.value = fit(flag_of(key), setting, value);
}

void Settings::add(const Setting& setting) {
  if (!has(setting.key)) {
    (void)fit(flag_of(setting.key), setting, setting.value);
    table_.push_back(setting);
    return;
  }
  constexpr double unbounded = 1e300;
  Setting changed = find(setting.key);
  if (!setting.help.empty()) changed.help = setting.help;
  if (setting.low > -unbounded || setting.high < unbounded) {
    changed.low = setting.low;
    changed.high = setting.high;
  }
  changed.value = fit(flag_of(setting.key), changed, setting.value);
  find(setting.key) = changed;
}

namespace {
template <class T>
const T& value_of(const Setting& setting) {
  const T* value = std::get_if<T>(&setting.value);
  check<Error>(value != nullptr, "setting '", setting.key, "' is ", type_name(setting.value), " and was read as ",
               type_name(T()));
  return *value;
}
}  // namespace

bool Settings::flag(const std::string& key) const { return value_of<bool>(find(key)); }
int64_t Settings::integer(const std::string& key) const { return value_of<int64_t>(find(key)); }
double Settings::number(const std::string& key) const { return value_of<double>(find(key)); }
const std::string& Settings::text(const std::string& key) const { return value_of<std::string>(find(key)); }
const std::string& Settings::choice(const std::string& key, std::initializer_list<const char*> words) const {
  const std::string& word = text(key);
  std::string known;
  for (const char* each : words) known += (known.empty() ? "" : ", ") + std::string(each);
  check<UsageError>(std::ranges::find(words, word) != words.end(), flag_of(key), " '", word,
                    "' is not known; there are: ", known);
  return word;
}
bool Settings::has(const std::string& key) const { return lookup(table_, key) != nullptr; }

std::vector<Setting> under(const std::string& heading, std::vector<Setting> settings) {
  for (Setting& setting : settings) setting.group = heading;
  return settings;
}

std::string flag_of(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

Settings common_settings() {
  Settings settings;
  const auto group = [&](const char* heading, std::vector<Setting> list) {
    for (const Setting& setting : under(heading, std::move(list))) settings.add(setting);
  };
  group("data", {{"data", "fashion-mnist", "data set, or a folder of pictures"},
                 {"size", "32", "side of the images in pixels, or height and width, as 64x96; 0: as they are"},
                 {"fit", "crop", "pictures of another shape: crop (the middle), pad (with black) or stretch"},
                 {"skip_broken", false, "leave pictures out that cannot be read, and name them"}});
  group("networks", {{"width", int64_t{32}, "channels beside the image; cost grows with the square", 1, 4096},
                     {"latent", int64_t{100}, "size of the latent vector z", 1, 65536},
                     {"dtype", "float32", "of weights and arithmetic: float32, or float64, for checks"}});
  group("optimisation",
        {{"steps", int64_t{3000}, "training steps: generator updates", 1, 1e9},
         {"batch", int64_t{64}, "samples in a batch", 1, 65536},
         {"seed", int64_t{0}, "of all randomness: the same seed, the same run", 0, 9e18},
         {"lr_g", 2e-4, "learning rate of the generator", 0, 1},
         {"lr_d", 2e-4, "learning rate of the discriminator", 0, 1},
         {"beta1", 0.5, "Adam's decay of the first moment", 0, 0.9999},
         {"beta2", 0.999, "Adam's decay of the second moment", 0, 0.9999999},
         {"schedule", "constant", "of the learning rates: constant, linear or cosine"},
         {"init_from", "", "begin with the weights of another run, or of a file, as far as names and shapes fit"},
         {"optimizer", "adam", "adam, or rmsprop, which has no momentum (for --penalty clip)"},
         {"clip_grad", 0.0, "largest norm of a player's gradient, longer ones are shortened; against blow-ups; 0: none",
          0, 1e9},
         {"ema", 0.999, "decay of the generator's moving average, which samples; 0: none", 0, 0.999999}});
  group("evaluation",
        {{"evaluate_every", int64_t{0}, "steps between evaluations, which keep the best checkpoint; 0: none", 0, 1e9},
         {"evaluate", "fcd", "scores, comma-separated (forger list); the first one ranks checkpoints"},
         {"evaluate_count", int64_t{2000}, "samples that an evaluation looks at", 2, 1e7},
         {"test_every", int64_t{0}, "steps between the system's own tests on held-out data; 0: none", 0, 1e9},
         {"test_count", int64_t{2000}, "rows that a test looks at", 1, 1e7},
         {"stop_on_failure", false,
          "end the run where the failure watch would warn: D has won, gradients explode, losses swing, samples are "
          "alike"},
         {"inception", "", "weights of Inception, for fid, is and kid (metrics/convert_inception.py)"}});
  group("machine",
        {{"device", "cpu", "where to compute: cpu, cuda, or simt (the CUDA kernels on the CPU, checked)"},
         {"math", "fp32", "on a GPU: fp32; tf32, products on tensor cores; bf16, activations of half the bytes, too"},
         {"conv", "automatic", "convolutions on the CPU: direct, winograd (fewer products), or the faster one"},
         {"graph", false, "record a step once and replay it as a CUDA graph"},
         {"threads", int64_t{0}, "processor cores to use; 0: all", 0, 1024},
         {"sync_bn", false, "under mpirun: batch norm over the batches of all processes, not of each"},
         {"fused", true, "fused kernels for normalisation and activation"}});
  group("files", {{"checkpoint_every", int64_t{500}, "steps between checkpoints; 0: only at the end", 0, 1e9},
                  {"keep_checkpoints", int64_t{3}, "how many checkpoints to keep; 0: all", 0, 1e9},
                  {"preview_every", int64_t{250}, "steps between sample grids; 0: only at the end", 0, 1e9},
                  {"previews", int64_t{64}, "samples in a grid", 1, 4096},
                  {"read_every", int64_t{1}, "steps between looks at the losses: a row of metrics.csv", 1, 1e9},
                  {"log", "none", "curves and pictures in files for others, too: none, tensorboard"}});
  return settings;
}

// ---- TOML ----

std::string to_toml(const Settings& settings, const std::string& header_comment) {
  std::ostringstream out;
  std::istringstream header(header_comment);
  for (std::string line; std::getline(header, line);) out << (line.empty() ? "#" : "# ") << line << '\n';

  std::vector<std::string> groups;  // "" first: the system and its own settings
  size_t column = 0;                // where the help starts
  for (const Setting& setting : settings.table()) {
    if (std::find(groups.begin(), groups.end(), setting.group) == groups.end()) groups.push_back(setting.group);
    column = std::max(column, setting.key.size() + 3 + literal(setting.value).size());
  }
  std::stable_partition(groups.begin(), groups.end(), [](const std::string& group) { return group.empty(); });
  column = std::min<size_t>(column, 40);

  for (const std::string& group : groups) {
    if (out.tellp() > 0) out << '\n';
    if (!group.empty()) out << "# ---- " << group << " ----\n";
    for (const Setting& setting : settings.table()) {
      if (setting.group != group) continue;
      std::string line = setting.key + " = " + literal(setting.value);
      if (!setting.help.empty()) {
        line.resize(std::max(column, line.size()), ' ');
        line += "  # " + setting.help;
      }
      out << line << '\n';
    }
  }
  return out.str();
}

namespace {

toml::table parse_table(const std::string& source, const std::string& origin) {
  try {
    return toml::parse(source);
  } catch (const toml::parse_error& error) {
    throw UsageError(text(origin, ':', error.source().begin.line, ": ", error.description()));
  }
}

std::string read_whole(const std::string& path) try { return read_file(path); } catch (const DataError& error) {
  throw UsageError(text("the settings file: ", error.what()));
}

}  // namespace

void parse_toml(Settings& settings, const std::string& source, const std::string& origin) {
  const toml::table file = parse_table(source, origin);
  Settings changed = settings;
  for (const auto& [key, node] : file) {
    const std::string place = text(origin, ':', key.source().begin.line, ": "), name(key.str());
    const Setting* setting = lookup(settings.table(), name);
    check<UsageError>(setting != nullptr, place, unknown(settings.table(), name));
    Value value;
    if (const auto* on = node.as_boolean()) {
      value = on->get();
    } else if (const auto* integer = node.as_integer()) {
      value = integer->get();
    } else if (const auto* real = node.as_floating_point()) {
      value = real->get();
    } else if (const auto* string = node.as_string()) {
      value = from_utf8(string->get());
    } else {
      throw UsageError(text(place, name, " must be ", type_name(setting->value)));
    }
    changed.set(name, fit(place + name, *setting, value));
  }
  settings = changed;
}

void read_toml(Settings& settings, const std::string& path) { parse_toml(settings, read_whole(path), path); }

std::string recipe_in_toml(const std::string& path) {
  return parse_table(read_whole(path), path)["recipe"].value_or(std::string());
}

bool is_run_config(const std::string& path) {
  std::error_code unreadable;
  if (!std::filesystem::is_regular_file(path, unreadable)) return false;
  try {
    const toml::table file = toml::parse(read_whole(path));
    const auto holds = [&](const char* key) { return file[key].is_string(); };
    return holds("recipe") && holds("version") && holds("data_hash") && holds("columns");
  } catch (const toml::parse_error&) {
    return false;
  } catch (const UsageError&) {  // not readable
    return false;
  }
}

bool read_number(const std::string& text, int64_t& number) { return read_whole_number(text, number); }

// ---- Levenshtein distance, one row at a time ----

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  size_t fewest = std::string::npos;
  for (const std::string& candidate : known) {
    std::vector<size_t> row(candidate.size() + 1);  // edits from word's first i letters to candidate's first j
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= word.size(); i++) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); j++) {
        const size_t replaced = diagonal + (word[i - 1] != candidate[j - 1] ? 1 : 0);
        diagonal = row[j];
        row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < fewest) {
      fewest = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace forger::gan
