// evaluation.json: what is written comes back, in a form that other programs rely on.
#include "gan/evaluation_file.h"

#include <cmath>

#include "core/error.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/message_of.h"

using namespace forger;
using namespace forger::gan;
using test::contents;
using test::Scratch;

namespace {

EvaluationFile example() {
  return {.step = 5000,
          .scores = {{.metric = "kid",
                      .values = {{"kid", 0.1}},
                      .spread = 0.25,
                      .reals = 2000,
                      .fakes = 1000,
                      .convention = "tf",
                      .weights = "0123456789abcdef",
                      .split = "test",
                      .conventions = {{"tf", 0.1}, {"clean", 1. / 3}}},
                     {.metric = "modes",
                      .values = {{"missing", 1}, {"confidence", 0.75}},
                      .classes = {{"gau\xe7he", 1}, {"right", 0}},
                      .fakes = 60,
                      .convention = "judge",
                      .remark = "missing: right",
                      .view = "a-to-b"}},
          .seen_by = {"judge: 2 classes"},
          .tests = {{"psnr", 21.5}}};
}

const char* const written_example = R"json({
  "step": 5000,
  "scores": {
    "kid": {
      "value": 0.1,
      "spread": 0.25,
      "n_real": 2000,
      "n_fake": 1000,
      "convention": "tf",
      "weights": "0123456789abcdef",
      "split": "test",
      "values": {
        "kid": 0.1
      },
      "remark": "",
      "text": "0.1 +- 0.25  (tf, 2,000 real, 1,000 fake, test, weights 0123456789abcdef)",
      "conventions": {
        "tf": 0.1,
        "clean": 0.3333333333333333
      }
    },
    "a-to-b.modes": {
      "value": 1.0,
      "spread": null,
      "n_real": 0,
      "n_fake": 60,
      "convention": "judge",
      "weights": "",
      "split": "",
      "values": {
        "missing": 1.0,
        "confidence": 0.75
      },
      "remark": "missing: right",
      "text": "missing 1, confidence 0.75  (judge, 60 fake)",
      "classes": {
        "gau\\xe7he": 1.0,
        "right": 0.0
      }
    }
  },
  "seen_by": [
    "judge: 2 classes"
  ],
  "test": {
    "psnr": 21.5
  }
}
)json";

}  // namespace

TEST_CASE("an evaluation comes back as it was written") {
  const Scratch scratch;
  const std::string file = scratch.file("evaluation.json");
  CHECK_FALSE(read_evaluation(file).has_value());
  write_evaluation(file, example());
  CHECK(contents(file) == written_example);

  const EvaluationFile wanted = example(), found = read_evaluation(file).value();
  CHECK(found.step == wanted.step);
  CHECK(found.seen_by == wanted.seen_by);
  REQUIRE(found.tests.size() == 1);
  CHECK(found.tests[0].name == "psnr");
  CHECK(found.tests[0].value == 21.5);
  REQUIRE(found.scores.size() == wanted.scores.size());
  for (size_t i = 0; i < found.scores.size(); i++) {
    const Score &a = found.scores[i], &b = wanted.scores[i];
    INFO(b.key());
    CHECK(a.metric == b.metric);
    CHECK(a.view == b.view);
    CHECK(a.values == b.values);
    CHECK(a.classes == b.classes);
    CHECK(a.spread == b.spread);
    CHECK(a.reals == b.reals);
    CHECK(a.fakes == b.fakes);
    CHECK(a.convention == b.convention);
    CHECK(a.weights == b.weights);
    CHECK(a.split == b.split);
    CHECK(a.remark == b.remark);
    CHECK(a.conventions == b.conventions);
  }

  EvaluationFile bare{.step = 1};
  write_evaluation(file, bare);
  CHECK(read_evaluation(file).value().scores.empty());
  bare.tests = {{"loss", INFINITY}};
  write_evaluation(file, bare);
  CHECK(std::isnan(read_evaluation(file).value().tests.at(0).value));
}

TEST_CASE("scores as a line of JSON") {
  CHECK(json_of({}) == "{}");
  CHECK(json_of({}, {{"psnr", 21.5}}) == R"({"test":{"psnr":21.5}})");
  CHECK(json_of({{.metric = "fid", .values = {{"fid", 2}}, .fakes = 10, .convention = "tf"}}) ==
        R"json({"fid":{"value":2.0,"spread":null,"n_real":0,"n_fake":10,"convention":"tf","weights":"","split":"",)json"
        R"json("values":{"fid":2.0},"remark":"","text":"2  (tf, 10 fake)"}})json");
}

TEST_CASE("a damaged evaluation is named, with what to do") {
  const Scratch scratch;
  const std::string whole = written_example, file = scratch.file("evaluation.json");
  const auto error = [&](const std::string& bytes) {
    scratch.write("evaluation.json", bytes);
    return test::message_of<DataError>([&] { (void)read_evaluation(file); });
  };
  const std::string wanted = "'" + file + "' is damaged: forger evaluate makes a new one";
  for (size_t length = 0; length + 2 < whole.size(); length += 7) CHECK(error(whole.substr(0, length)) == wanted);
  for (const char* bytes : {"[]", "3", "null", R"({"step": 1})", R"({"step": 1, "scores": 3, "seen_by": []})",
                            R"({"step": 1, "scores": {"fid": {}}, "seen_by": []})", "\xff\n\n"}) {
    INFO(bytes);
    CHECK(error(bytes) == wanted);
  }
  for (const char* word : {"5000", "0.25", "2000", "\"tf\"", "21.5", "\"judge: 2 classes\""}) {
    INFO(word);
    std::string bytes = whole;
    CHECK(error(bytes.replace(bytes.find(word), std::string(word).size(), "[1]")) == wanted);
  }
}
