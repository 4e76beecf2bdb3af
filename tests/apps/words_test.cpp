// A run that makes words: what it shows as it trains, what commands print, and what they refuse.
#include <nlohmann/json.hpp>

#include "tests/apps/checks.h"

using namespace program;

namespace {

const std::string list = std::string("words:") + GOLDEN_DIR + "/words.txt";

std::string printed(const Words& words) {
  const Result result = program::forger(words);
  INFO(result.err);
  REQUIRE(result.code == 0);
  return result.out;
}

}  // namespace

TEST_CASE("a run of words: previews and samples are text, scores stand beside models and the floor", "[train]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "seqgan", list,
                                  {"--width", "2", "--steps", "4", "--preview-every", "2", "--previews", "6",
                                   "--evaluate-every", "4", "--evaluate-count", "50"});
  CHECK(names_in(run + "/samples") == Words{"step-000002.txt", "step-000004.txt"});
  const Words preview = lines(read_file(run + "/samples/step-000004.txt"));
  CHECK(preview.size() == 6);
  const std::string report = read_file(run + "/report.html");
  CHECK(report.find("<pre title='samples after step 4'>" + preview.front()) != std::string::npos);
  CHECK(report.find("class='stage'") == std::string::npos);
  CHECK(lines(read_file(run + "/scores.csv")).front() ==
        "step,seconds,js_4,js_4_best,js_3,js_3_best,js_2,js_2_best,js_1,js_1_best");

  const std::string said = printed({"sample", run, "--count", "130", "--seed", "3"});
  CHECK(lines(said).size() == 130);
  const std::string file = scratch / "words.txt";
  CHECK(printed({"sample", run, "--count", "130", "--seed", "3", "--out", file}) == file + "\n");
  CHECK(read_file(file) == said);
  CHECK(lines(printed({"show", run, "sample", "--count", "3"})).size() == 3);
  check_refused({"sample", run, "--each", scratch / "each"}, "this run's samples are words, not pictures");
  check_refused({"sample", run, "--columns", "3"}, "--columns: this run's samples are words");
  check_refused({"interpolate", run, "--out", scratch / "walk.png"},
                "this run makes words, which forger sample writes");
  check_refused({"evaluate", run, "--metrics", "fcd"}, "holds words, which only the metric 'words' scores");

  const auto scores = nlohmann::json::parse(printed({"evaluate", run, "--count", "60", "--json"}));
  for (const char* name : {"words", "words_train", "words_1gram", "words_2gram", "words_3gram", "words_4gram"}) {
    INFO(name);
    REQUIRE(scores.contains(name));
    for (const char* value : {"js_4", "js_3", "js_2", "js_1", "listed", "unseen", "distinct"}) {
      CHECK(scores[name]["values"][value] >= 0);
      CHECK(scores[name]["values"][value] <= 1);
    }
  }
  CHECK(scores["words_train"]["values"]["listed"] == 1);
  CHECK(read_file(run + "/report.html").find("words_4gram") != std::string::npos);
}

TEST_CASE("words are judged by no metric of pictures, and pictures not by that of words", "[train]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "dcgan", tiny_data(scratch), {"--width", "2"});
  check_refused({"evaluate", run, "--metrics", "words"}, "the metric 'words' is of words; ");
  check_refused(tiny_training("dcgan", list, scratch / "x"), "dcgan needs image or point; ");
  check_refused(tiny_training("seqgan", "ring8", scratch / "x"), "what would do: --data words");
}
