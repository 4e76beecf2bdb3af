// forger export and import: files for other programs from the command line, and back.
#include "tests/apps/checks.h"
#include "tests/catch.h"

using namespace program;

TEST_CASE("export and import: a run goes to PyTorch and ONNX, and what comes back samples the same", "[exchange]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "dcgan", tiny_data(scratch)), out = scratch / "out";
  const auto done = [](const Words& words) {
    const Result result = forger(words);
    INFO(result.err);
    REQUIRE(result.code == 0);
    return result;
  };
  const Words to_pytorch{"export", run, "--to", "pytorch", "--out", out};
  CHECK(done(to_pytorch).out == out + "/model.py\n" + out + "/model.safetensors\n");
  CHECK(done({"export", run, "--to", "onnx", "--out", out}).out == out + "/sample.onnx\n" + out + "/judge.onnx\n");
  CHECK(read_file(out + "/model.py").starts_with("\"\"\"dcgan after "));
  CHECK(done({"export", run, "--to", "onnx", "--view", "judge", "--out", scratch / "one"}).out ==
        scratch / "one/judge.onnx\n");

  // Averaged weights unless those of the last step are asked for.
  const std::string back = scratch / "back.safetensors";
  done({"import", run, out + "/model.safetensors", "--from", "pytorch", "--out", back});
  std::string pictures[3];
  const Words sampled[] = {{"sample", run}, {"sample", back}, {"sample", run, "--raw"}};
  for (size_t i = 0; i < 3; i++) {
    Words words = sampled[i];
    words.insert(words.end(), {"--count", "4", "--out", scratch / "x.png"});
    done(words);
    pictures[i] = read_file(scratch / "x.png");
  }
  CHECK((pictures[0] == pictures[1]));
  CHECK((pictures[0] != pictures[2]));
  done({"export", run, "--to", "pytorch", "--raw", "--out", scratch / "raw"});
  CHECK((read_file(scratch / "raw/model.safetensors") != read_file(out + "/model.safetensors")));

  const Result begun = done(tiny_training("dcgan", tiny_data(scratch), scratch / "more", {"--init-from", back}));
  CHECK(begun.err.find("begins with") != std::string::npos);
  CHECK(begun.err.find("fresh:") == std::string::npos);

  check_refused(to_pytorch, "'" + out + "/model.py' is there already: name another folder");
  Words again = to_pytorch;
  again.push_back("--force");
  done(again);
  check_refused({"export", run, "--to", "keras", "--out", out}, "there are: pytorch, onnx, forger");
  check_refused({"export", run, "--to", "onnx", "--view", "paint", "--out", out}, "there are: sample, judge");
  check_refused({"import", run, out + "/model.safetensors", "--from", "keras", "--out", scratch / "y"},
                "there is: pytorch");
  check_refused({"import", run, out + "/model.safetensors", "--out", back}, "is there already");
  for (const std::string& file : {out + "/model.py", scratch / "tiny.idx", out + "/none.pt", out + "/sample.onnx"}) {
    const Result result = forger({"import", run, file, "--out", scratch / "y"});
    INFO(result.err);
    CHECK(result.code == 1);
    CHECK(errors(result).size() == 1);
  }
  CHECK_FALSE(std::filesystem::exists(scratch / "y"));
}

TEST_CASE("export: weights alone sample as the run does, begin another, and say what they lack", "[exchange]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "dcgan", tiny_data(scratch)), weights = scratch / "out/weights.safetensors";
  const Words to_forger{"export", run, "--to", "forger", "--out", scratch / "out"};
  const Result exported = forger(to_forger);
  INFO(exported.err);
  REQUIRE(exported.code == 0);
  CHECK(exported.out == weights + "\n");
  for (const auto& checkpoint : std::filesystem::directory_iterator(run + "/checkpoints"))
    CHECK(std::filesystem::file_size(weights) * 3 < checkpoint.file_size());

  const auto sampled = [&](const std::string& from) {
    const Result result = forger({"sample", from, "--count", "4", "--out", scratch / "x.png"});
    INFO(result.err);
    CHECK(result.code == 0);
    return std::pair(read_file(scratch / "x.png"), result.err);
  };
  const auto [of_run, no_note] = sampled(run);
  const auto [of_weights, note] = sampled(weights);
  CHECK((of_run == of_weights));
  CHECK(no_note.empty());
  CHECK_THAT(note, Catch::Contains("none of 'd', which is untrained here"));
  const Result begun = forger(tiny_training("dcgan", tiny_data(scratch), scratch / "more", {"--init-from", weights}));
  CHECK_THAT(begun.err, Catch::Contains("begins with") && Catch::Contains("fresh: d."));

  check_refused(to_forger, "'" + weights + "' is there already: name another folder");
  check_refused({"export", run, "--to", "forger", "--view", "sample", "--out", scratch / "y"},
                "--view goes with pytorch");
  check_refused({"train", "--resume", weights}, "");
}

TEST_CASE("pretrained: what is part of the program is listed, small, and samples; a wrong name is refused",
          "[exchange]") {
  const Scratch scratch;
  const std::vector<std::string> list = lines(forger({"list"}).out);
  auto line = std::ranges::find_if(list, [](const std::string& l) { return l.starts_with("Pretrained"); });
  REQUIRE(line != list.end());
  int count = 0;
  for (++line; line != list.end() && line->starts_with("  "); ++line, ++count) {
    const std::string name = line->substr(2, line->find(' ', 2) - 2);
    INFO(name);
    CHECK(std::filesystem::file_size(FORGER_SOURCE_DIR "/gallery/pretrained/" + name + ".safetensors") < 2'000'000);
    const Result result = forger({"sample", "pretrained:" + name, "--count", "4", "--out", scratch / "x.png"});
    INFO(result.err);
    CHECK(result.code == 0);
    CHECK(read_file(scratch / "x.png").starts_with("\x89PNG"));
  }
  CHECK(count > 0);
  check_refused({"sample", "pretrained:ponies"}, "pretrained: takes one of ");
}

TEST_CASE("export: a run in float64 goes to PyTorch, and not to ONNX", "[exchange]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "dcgan", tiny_data(scratch), {"--dtype", "float64"});
  check_refused({"export", run, "--to", "onnx", "--out", scratch / "out"}, "in float64");
  CHECK(forger({"export", run, "--to", "pytorch", "--out", scratch / "out"}).code == 0);
  CHECK(read_file(scratch / "out/model.py").find(".to(torch.float32)") != std::string::npos);
}
