// Settings: what may enter the table, and config.toml as its faithful picture.
#include "gan/settings.h"

#include <bit>
#include <cmath>
#include <random>

#include "core/error.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

Settings sample_settings() {
  Settings settings;
  settings.add({"fused", true, "fused kernels"});
  settings.add({"n_critic", int64_t{1}, "updates", 1, 100, "optimisation"});
  settings.add({"lr", 2e-4, "learning rate", 0, 1, "optimisation"});
  settings.add({"data", "fashion-mnist", "data set", 0, 0, "data"});
  return settings;
}

std::string set_error(const std::string& key, const std::string& value) {
  Settings settings = sample_settings();
  return error_of<UsageError>([&] { settings.set(key, value); });
}

std::string toml_error(const std::string& source) {
  Settings settings = sample_settings();
  const std::string before = to_toml(settings);
  const std::string error = error_of<UsageError>([&] { parse_toml(settings, source, "config.toml"); });
  CHECK(to_toml(settings) == before);  // all or nothing
  return error;
}

}  // namespace

TEST_CASE("settings: text is read as the key's type") {
  Settings settings = sample_settings();
  settings.set("n_critic", "5");
  settings.set("lr", "1e-3");
  settings.set("data", "ring8");
  settings.set("fused", "off");
  CHECK(settings.integer("n_critic") == 5);
  CHECK(settings.number("lr") == 1e-3);
  CHECK(settings.text("data") == "ring8");
  CHECK_FALSE(settings.flag("fused"));
  for (const char* yes : {"true", "on", "yes", "1"}) {
    settings.set("fused", yes);
    CHECK(settings.flag("fused"));
    settings.set("fused", "false");
  }
  settings.set("lr", Value(int64_t{1}));  // integers widen
  CHECK(settings.number("lr") == 1.0);
}

TEST_CASE("settings: what does not fit is refused in words") {
  CHECK(set_error("n_critic", "0") == "--n-critic must be between 1 and 100, got 0");
  CHECK(set_error("n_critic", "101") == "--n-critic must be between 1 and 100, got 101");
  CHECK(set_error("n_critic", "3.5") == "--n-critic must be an integer, got '3.5'");
  CHECK(set_error("n_critic", "3x") == "--n-critic must be an integer, got '3x'");
  CHECK(set_error("n_critic", "") == "--n-critic must be an integer, got ''");
  CHECK(set_error("n_critic", "99999999999999999999") == "--n-critic must be an integer, got '99999999999999999999'");
  CHECK(set_error("lr", "nan") == "--lr must be a finite number, got nan");
  CHECK(set_error("lr", "inf") == "--lr must be a finite number, got inf");
  CHECK(set_error("lr", "-0.1") == "--lr must be between 0 and 1, got -0.1");
  CHECK(set_error("lr", "fast") == "--lr must be a number, got 'fast'");
  CHECK(set_error("fused", "maybe") == "--fused must be true or false, got 'maybe'");
  CHECK(set_error("n_critik", "1") == "there is no setting 'n_critik'; did you mean 'n_critic'?");
  Settings settings = sample_settings();
  CHECK_THROWS_AS(settings.set("n_critic", Value(1.0)), UsageError);
  CHECK_THROWS_AS(settings.set("lr", Value(std::string("1"))), UsageError);
  CHECK_THROWS_AS(settings.integer("lr"), Error);  // read as another type: the programmer's mistake
  CHECK_THROWS_AS(settings.number("nothing"), UsageError);
}

TEST_CASE("settings: a recipe's default replaces a common one and keeps what it does not mention") {
  Settings settings = sample_settings();
  settings.add({"lr", 0.5, ""});
  CHECK(settings.number("lr") == 0.5);
  CHECK(settings.table()[2].help == "learning rate");
  CHECK_THROWS_AS(settings.set("lr", "2"), UsageError);  // the old bounds hold
  settings.add({"lr", 3.0, "rate", 0, 10});
  CHECK(settings.table()[2].help == "rate");
  CHECK(settings.table()[2].group == "optimisation");
  CHECK_NOTHROW(settings.set("lr", "7"));
  CHECK_THROWS_AS(settings.add({"lr", "fast", "rate"}), UsageError);
  CHECK_THROWS_AS(settings.add({"momentum", 2.0, "a default out of its own bounds", 0, 1}), UsageError);
  CHECK(settings.table().size() == 4);
}

TEST_CASE("settings: the common ones are sound") {
  const Settings settings = common_settings();
  for (const char* key : {"data",
                          "size",
                          "keep_checkpoints",
                          "width",
                          "latent",
                          "steps",
                          "batch",
                          "seed",
                          "threads",
                          "device",
                          "lr_g",
                          "lr_d",
                          "beta1",
                          "beta2",
                          "ema",
                          "checkpoint_every",
                          "preview_every",
                          "previews",
                          "schedule",
                          "fused"})
    CHECK(settings.has(key));
  for (const Setting& setting : settings.table()) {
    INFO(setting.key);
    CHECK_FALSE(setting.help.empty());
    CHECK(setting.help.find('\n') == std::string::npos);
    CHECK_FALSE(setting.group.empty());
  }
}

TEST_CASE("settings: config.toml reads as a person would write it") {
  CHECK(to_toml(sample_settings(), "Forger 1\n\nhash 12") == R"(# Forger 1
#
# hash 12

fused = true            # fused kernels

# ---- optimisation ----
n_critic = 1            # updates
lr = 2e-4               # learning rate

# ---- data ----
data = "fashion-mnist"  # data set
)");
}

TEST_CASE("settings: config.toml gives back every bit") {
  Settings settings = sample_settings();
  settings.add({"x", 0.0, "any number"});
  settings.add({"n", int64_t{0}, "any integer"});
  std::mt19937_64 random(7);
  std::vector<double> reals = {0.0, -0.0, 1.0, 0.1, 1e300, -1e300, 5e-324, 1e22, 123456789012345680.0};
  while (reals.size() < 2000)
    if (const auto x = std::bit_cast<double>(random()); std::abs(x) <= 1e300) reals.push_back(x);
  for (const double x : reals) {
    settings.set("x", Value(x));
    Settings read = sample_settings();
    read.add({"x", 1.0, ""});
    read.add({"n", int64_t{1}, ""});
    parse_toml(read, to_toml(settings), "memory");
    REQUIRE(std::bit_cast<uint64_t>(read.number("x")) == std::bit_cast<uint64_t>(x));
  }
  for (const int64_t n : {INT64_MIN, int64_t{-1}, INT64_MAX}) {
    settings.set("n", Value(n));
    Settings read = settings;
    read.set("n", "0");
    parse_toml(read, to_toml(settings), "memory");
    CHECK(read.integer("n") == n);
  }
  for (const std::string& s :
       {std::string("a \"b\" \\ c"), std::string("tab\tline\nreturn\r bell\a del\x7f nul\0 end", 35),
        std::string("# no comment"),
        std::string("gr\xc3\xb6\xc3\x9f"
                    "e \xe2\x82\xac"),
        std::string()}) {
    settings.set("data", s);
    Settings read = settings;
    read.set("data", "other");
    parse_toml(read, to_toml(settings), "memory");
    CHECK(read.text("data") == s);
    CHECK(to_toml(read) == to_toml(settings));
  }
}

TEST_CASE("settings: a broken config.toml is refused with its line") {
  CHECK(toml_error("lr = 0.5\nn_critic = \"two\"\n") == "config.toml:2: n_critic must be an integer, got \"two\"");
  CHECK(toml_error("n_critic = 0\n") == "config.toml:1: n_critic must be between 1 and 100, got 0");
  CHECK(toml_error("\n\nn_critc = 1\n") == "config.toml:3: there is no setting 'n_critc'; did you mean 'n_critic'?");
  CHECK(toml_error("lr = nan\n") == "config.toml:1: lr must be a finite number, got nan");
  CHECK(toml_error("fused = 1\n") == "config.toml:1: fused must be true or false, got 1");
  CHECK(toml_error("lr = [1, 2]\n") == "config.toml:1: lr must be a number");
  CHECK(toml_error("data = 1979-05-27\n") == "config.toml:1: data must be text");
  for (const char* source : {"lr = \n", "lr = 1\nlr = 2\n", "data = \"open\n", "lr == 1\n", "[lr", "lr = 1e\n",
                             "\xff\xfe", "[n_critic]\n", "data = \"\\q\"\n", "n_critic = 99999999999999999999\n"}) {
    INFO(source);
    CHECK(toml_error(source).find("config.toml:") == 0);
  }
  CHECK(toml_error("").empty());
}

TEST_CASE("settings: a settings file that is not there") {
  const test::Scratch scratch;
  Settings settings = sample_settings();
  CHECK(error_of<UsageError>([&] { read_toml(settings, scratch.file("no.toml")); }) ==
        "the settings file: cannot read " + scratch.file("no.toml") + ": No such file or directory");
  CHECK_THROWS_AS(read_toml(settings, scratch.path()), UsageError);  // a folder
  read_toml(settings, scratch.write("some.toml", "lr = 0.25\n"));
  CHECK(settings.number("lr") == 0.25);
}

namespace {

// A sound file with a few bytes changed, removed or doubled: either a UsageError, or settings that are written and read
// alike.
void mutate_config(int rounds, uint64_t seed) {
  const std::string sound = to_toml(common_settings(), "sound");
  std::mt19937_64 random(seed);
  int accepted = 0;
  for (int round = 0; round < rounds; round++) {
    std::string source = sound;
    for (uint64_t edits = 1 + random() % 3; edits > 0; edits--) {
      const size_t at = random() % source.size();
      switch (random() % 4) {
        case 0:
          source[at] = static_cast<char>(random());
          break;
        case 1:
          source.erase(at, 1 + random() % 8);
          break;
        case 2:
          source.insert(at, source, random() % source.size(), random() % 16);
          break;
        default:
          source[at] = "=\"[]{}#.-+e09\n"[random() % 14];
      }
      if (source.empty()) source = "x";
    }
    Settings settings = common_settings();
    try {
      parse_toml(settings, source, "mutant");
    } catch (const UsageError&) {
      continue;
    }
    accepted++;
    Settings again = common_settings();
    parse_toml(again, to_toml(settings), "again");
    REQUIRE(to_toml(again) == to_toml(settings));
  }
  CHECK(accepted > 0);
  CHECK(accepted < rounds);
}

}  // namespace

TEST_CASE("settings: mutated config files never do harm") { mutate_config(3000, 1); }
TEST_CASE("settings: mutated config files never do harm, at length", "[long]") { mutate_config(100'000, 2); }

TEST_CASE("settings: the nearest word") {
  const std::vector<std::string> known = {"batch", "beta1", "beta2", "latent"};
  CHECK(nearest("bath", known) == "batch");
  CHECK(nearest("beta3", known) == "beta1");
  CHECK(nearest("laetnt", known) == "latent");
  CHECK(nearest("", known) == "batch");
  CHECK(nearest("x", {}).empty());
}
