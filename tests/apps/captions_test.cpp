// Pictures of a caption that a person types.
#include "tests/apps/checks.h"

using namespace program;

TEST_CASE("a caption on the command line is what is drawn, and what cannot be read is said", "[train]") {
  const Scratch scratch;
  const auto done = [](const Words& words) {
    const Result result = program::forger(words);
    INFO(result.err);
    REQUIRE(result.code == 0);
  };
  const std::string run = scratch / "run", plain = scratch / "plain";
  done(tiny_training("gan-cls", "captions:" + tiny_classes(scratch), run, {"--width", "2"}));
  const auto sample = [&](const std::string& name, const Words& more) {
    Words words{"sample", run, "--count", "2", "--out", scratch / name};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  done(sample("a.png", {"--caption", "A DARK wide 0."}));
  done(sample("b.png", {"--set", "caption=a dark wide 0"}));
  done(sample("c.png", {"--caption", "a bright narrow 1"}));
  CHECK((read_file(scratch / "a.png") == read_file(scratch / "b.png")));
  CHECK((read_file(scratch / "a.png") != read_file(scratch / "c.png")));
  done({"interpolate", run, "--rows", "2", "--columns", "3", "--out", scratch / "d.png"});

  check_refused(sample("e.png", {"--caption", "a drak 0"}), "'drak' is no word that was learnt (did you mean 'dark'?)");
  check_refused(sample("e.png", {"--caption", "!"}), "there is no word in '!'");
  check_refused(sample("e.png", {"--set", "label=1"}), "which name the class: --caption");
  done(tiny_training("dcgan", tiny_classes(scratch), plain, {"--width", "2"}));
  check_refused({"sample", plain, "--caption", "a coat", "--out", scratch / "e.png"},
                "samples are not made from captions");
}
