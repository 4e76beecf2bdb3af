// The commands that judge, from outside: evaluate, fid, stats, neighbours, and training that watches its scores.
#include <sys/mount.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "gan/picture_file.h"
#include "tests/apps/program.h"
#include "tests/catch.h"

using namespace program;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// train/ and test/ with two classes of 16x16 pictures: dark ones with a bright left or right half.
std::string labelled_folder(const Scratch& scratch) {
  std::mt19937 engine(1);
  std::uniform_int_distribution<int> noise(0, 50);
  for (const std::string subset : {"train", "test"}) {
    for (const std::string side : {"left", "right"}) {
      const std::string folder = scratch / ("data/" + subset + "/" + side);
      fs::create_directories(folder);
      for (int i = 0; i < 40; i++) {
        forger::gan::Image image{16, 16, 1, {}};
        for (int p = 0; p < 256; p++)
          image.pixels.push_back(static_cast<uint8_t>(((p % 16 < 8) == (side == "left") ? 190 : 5) + noise(engine)));
        forger::gan::write_png(folder + "/" + std::to_string(i) + ".png", image);
      }
    }
  }
  setenv("FORGER_CACHE", (scratch / "cache").c_str(), 1);
  return scratch / "data";
}

std::string one_error(const Words& words, int code) {
  const Result result = program::forger(words);
  INFO(result.err);
  CHECK(result.code == code);
  const Words found = errors(result);
  REQUIRE(found.size() == 1);
  return found.front();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

// scores.csv without the seconds, which no two runs share.
std::string timeless(const std::string& csv) {
  std::string kept;
  for (const std::string& line : lines(csv)) {
    const size_t first = line.find(','), second = line.find(',', first + 1);
    kept += line.substr(0, first) + line.substr(second) + "\n";
  }
  return kept;
}

}  // namespace

TEST_CASE("evaluate: JSON by metric, files for the report, the same scores again", "[evaluate]") {
  const Scratch scratch;
  const std::string data = "folder-gray:" + labelled_folder(scratch), run = scratch / "run";
  REQUIRE(program::forger(tiny_training("dcgan", data, run)).code == 0);
  const Words words{"evaluate", run,  "--metrics", "fcd,cs,kcd,pr,dc,parzen,memorisation,modes,collapse",
                    "--count",  "60", "--json"};
  const Result result = program::forger(words);
  INFO(result.err);
  REQUIRE(result.code == 0);
  const json scores = json::parse(result.out);
  for (const char* name : {"fcd", "cs", "kcd", "pr", "dc", "parzen", "memorisation", "modes", "collapse"}) {
    INFO(name);
    REQUIRE(scores.contains(name));
    for (const char* key : {"value", "spread", "n_real", "n_fake", "convention", "weights", "split"})
      CHECK(scores.at(name).contains(key));
    CHECK(scores.at(name).at("value").is_number());
    CHECK(scores.at(name).at("n_fake") == 60);
  }
  CHECK(scores.at("fcd").at("convention") == "judge");
  CHECK(scores.at("fcd").at("split") == "test");
  CHECK(scores.at("kcd").at("spread").is_number());
  CHECK(json::parse(read_file(run + "/evaluation.json")).at("scores") == scores);
  CHECK(program::forger(words).out == result.out);
  CHECK(forger::gan::read_image(run + "/modes.png", 1).width > 100);
  const std::string report = read_file(run + "/report.html");
  CHECK(contains(report, "<h2>Scores</h2>"));
  CHECK(contains(report, "60 fake, test"));

  const std::string text = program::forger({"evaluate", run, "--metrics", "fcd,modes", "--count", "60"}).out;
  CHECK(contains(text, "fcd "));
  CHECK(contains(text, " left\n"));
}

TEST_CASE("evaluate: what codes stand for, and what goes through them, where nothing is asked for by name",
          "[evaluate]") {
  const Scratch scratch;
  const std::string data = "folder-gray:" + labelled_folder(scratch);
  const auto scores = [&](const std::string& system, const Words& words) {
    const std::string run = scratch / system;
    REQUIRE(program::forger(tiny_training(system, data, run)).code == 0);
    Words all{"evaluate", run, "--count", "40", "--json"};
    all.insert(all.end(), words.begin(), words.end());
    const Result result = program::forger(all);
    INFO(result.err);
    REQUIRE(result.code == 0);
    return json::parse(result.out);
  };
  const json codes = scores("infogan", {});
  CHECK(codes.at("category").at("n_fake") == 40);
  CHECK(codes.at("category").at("value").is_number());
  CHECK(codes.at("category.real").at("n_real") == 40);
  CHECK(codes.contains("code-1"));
  CHECK(codes.contains("code-2"));
  CHECK_FALSE(codes.contains("probe"));
  const json rebuilt = scores("bigan", {});
  CHECK(rebuilt.at("reconstruct.rebuilt").at("n_real") == 40);
  CHECK(rebuilt.at("probe").at("value").is_number());
  CHECK_FALSE(rebuilt.contains("category"));
  CHECK_FALSE(scores("vae", {"--metrics", "fcd"}).contains("probe"));

  const std::string out = scratch / "codes.png";
  REQUIRE(program::forger({"show", scratch / "infogan", "traverse-2", "--count", "10", "--columns", "1", "--out", out})
              .code == 0);
  const forger::gan::Image picture = forger::gan::read_image(out, 1);
  CHECK(picture.width == 10 * 16);
  CHECK(picture.height == 10 * 18 - 2);
}

TEST_CASE("evaluate: every view that is like a column of the data, and the system's own tests", "[evaluate]") {
  const Scratch scratch;
  const std::string data = "folder-gray:" + labelled_folder(scratch), vae = scratch / "vae";
  REQUIRE(program::forger(tiny_training("vae", data, vae)).code == 0);
  const auto scores = [&](const Words& words) {
    const Result result = program::forger(words);
    INFO(result.err);
    REQUIRE(result.code == 0);
    return json::parse(result.out);
  };
  const auto names = [](const json& found) {
    Words keys;
    for (const auto& [key, value] : found.items()) keys.push_back(key);
    return keys;
  };
  const json both = scores({"evaluate", vae, "--metrics", "fcd,pr", "--count", "1000", "--json"});
  CHECK(names(both) == Words{"fcd", "pr", "reconstruct.fcd", "reconstruct.pr", "test"});
  CHECK(both.at("fcd").at("n_fake") == 1000);
  CHECK(both.at("reconstruct.fcd").at("n_fake") == 80);  // as many as are held out
  CHECK(both.at("reconstruct.fcd").at("value") != both.at("fcd").at("value"));
  CHECK(names(both.at("test")) ==
        Words{"elbo", "encode.label", "encode.label_chance", "kl", "psnr", "psnr_mean", "reconstruction"});
  CHECK(both.at("test").at("psnr").is_number());
  const json kept = json::parse(read_file(vae + "/evaluation.json"));
  CHECK(kept.at("test") == both.at("test"));
  CHECK(names(kept.at("scores")) == Words{"fcd", "pr", "reconstruct.fcd", "reconstruct.pr"});
  CHECK(contains(read_file(vae + "/report.html"), "reconstruct.fcd"));
  // A view alone has the same name and the same scores.
  const json one = scores({"evaluate", vae, "--view", "reconstruct", "--metrics", "fcd", "--count", "1000", "--json"});
  CHECK(names(one) == Words{"reconstruct.fcd", "test"});
  CHECK(one.at("reconstruct.fcd").at("value") == both.at("reconstruct.fcd").at("value"));
  const std::string text = program::forger({"evaluate", vae, "--metrics", "fcd", "--count", "60"}).out;
  CHECK(contains(text, "\nreconstruct.fcd  "));
  CHECK(contains(text, "\ntest             reconstruction "));

  CHECK(contains(one_error({"evaluate", vae, "--view", "judge"}, 2), "there are: sample, reconstruct"));
  CHECK(contains(one_error({"evaluate", vae, "--metrics", "fcd,asked"}, 2), "told which class to make"));

  // Domains are compared each with its own images; a system of pairs with the column of its targets.
  const std::string cycle = scratch / "cycle", pairs = scratch / "pairs";
  REQUIRE(program::forger(tiny_training("cyclegan", "unpaired:negative:" + data, cycle, {"--steps", "1"})).code == 0);
  const json ways = scores({"evaluate", cycle, "--metrics", "fcd", "--json"});
  CHECK(names(ways).front() == "b-to-a.fcd");
  CHECK(ways.at("fcd").at("weights") != ways.at("b-to-a.fcd").at("weights"));  // negatives have a judge of their own
  REQUIRE(program::forger(tiny_training("pix2pix", "negative:" + data, pairs, {"--steps", "1"})).code == 0);
  CHECK(scores({"evaluate", pairs, "--metrics", "fcd", "--json"}).at("test").contains("psnr_identity"));
  // A training is scored by its first view, whichever that is.
  const Words scored{"--steps", "2", "--evaluate-every", "2", "--evaluate", "fcd", "--evaluate-count", "40", "--force"};
  const Result trained = program::forger(tiny_training("pix2pix", "negative:" + data, pairs, scored));
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(lines(read_file(pairs + "/scores.csv")).size() == 2);
}

TEST_CASE("evaluate: points cannot be scored; a system of unlabelled images is, without the judge", "[evaluate]") {
  const Scratch scratch;
  const std::string points = scratch / "points", plain = scratch / "plain";
  REQUIRE(program::forger(tiny_training("gan", "ring8", points, {"--steps", "1"})).code == 0);
  CHECK(contains(one_error({"evaluate", points}, 2), "the view sample is not scored: ring8 has no images"));
  REQUIRE(program::forger(tiny_training("vae", tiny_data(scratch), plain, {"--steps", "1"})).code == 0);
  const Result result = program::forger({"evaluate", plain, "--count", "40", "--json"});
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(json::parse(result.out).contains("reconstruct.parzen"));
  CHECK(contains(one_error({"evaluate", plain, "--metrics", "fcd"}, 2), "no labels"));
}

TEST_CASE("evaluate: whether a conditional system makes the class that it is asked for", "[evaluate]") {
  const Scratch scratch;
  const std::string data = "folder-gray:" + labelled_folder(scratch), run = scratch / "run";
  REQUIRE(program::forger(tiny_training("cgan", data, run)).code == 0);
  const Result result = program::forger({"evaluate", run, "--count", "200", "--json"});
  INFO(result.err);
  REQUIRE(result.code == 0);
  const json asked = json::parse(result.out).at("asked");
  CHECK(asked.at("values").at("real") == 1);
  CHECK(asked.at("value").get<double>() > 0.2);  // untrained, it is right by chance
  CHECK(asked.at("value").get<double>() < 0.8);
}

TEST_CASE("evaluate: what codes say, and what a classifier of another domain, or of few labels, comes to",
          "[evaluate]") {
  const Scratch scratch;
  const std::string data = "folder-gray:" + labelled_folder(scratch), run = scratch / "run";
  const auto found = [&](const std::string& recipe, const std::string& of, const Words& more) {
    REQUIRE(program::forger(tiny_training(recipe, of, run, more)).code == 0);
    const Result result = program::forger({"evaluate", run, "--count", "60", "--metrics", "parzen", "--json"});
    INFO(result.err);
    REQUIRE(result.code == 0);
    return json::parse(result.out).at("test");
  };
  const json codes = found("disentangle", "domains:plain,negative:" + data, {"--style", "label"});
  for (const char* name : {"content.label", "content.class", "style.label", "style.class_chance"}) {
    INFO(name);
    REQUIRE(codes.contains(name));
    CHECK(codes.at(name) >= 0.4);
    CHECK(codes.at(name) <= 1);
  }
  fs::remove_all(run);
  CHECK(found("triple-gan", "few-labels:16:" + data, {}).contains("accuracy"));
  fs::remove_all(run);
  REQUIRE(program::forger(tiny_training("dann", "unpaired:negative:" + data, run)).code == 0);
  const Result result = program::forger({"evaluate", run});
  CHECK(result.code == 0);
  CHECK(contains(result.out, "accuracy_a"));
  CHECK(contains(result.out, "accuracy_b"));
  CHECK(result.err.empty());
}

TEST_CASE("evaluate, fid, stats and neighbours refuse in one line", "[evaluate]") {
  const Scratch scratch;
  const std::string folder = labelled_folder(scratch), data = "folder-gray:" + folder, run = scratch / "run";
  REQUIRE(program::forger(tiny_training("dcgan", data, run, {"--steps", "1"})).code == 0);
  CHECK(contains(one_error({"evaluate", run, "--metrics", "fcd,fidd"}, 2), "did you mean 'fid'?"));
  CHECK(contains(one_error({"evaluate", run, "--metrics", "fid"}, 2), "--inception FILE"));
  CHECK(contains(one_error({"evaluate", scratch / "absent"}, 2), "holds no run"));
  CHECK(contains(one_error({"evaluate", run, "--count", "1"}, 2), "--count"));
  // Where the data is said to be, it is looked for nowhere else, though it still lies where it lay.
  CHECK(contains(one_error({"evaluate", run, "--data", scratch / "moved"}, 2), "moved"));
  CHECK(contains(one_error({"evaluate", run, "--count", "5"}, 2), "at least 10 samples"));
  CHECK(contains(one_error({"evaluate", newest_checkpoint(run), "--sanity"}, 2), "is a checkpoint"));
  CHECK(contains(one_error({"fid", data, data, "--convention", "tensor"}, 2), "pytorch"));
  CHECK(contains(one_error({"evaluate", run, "--metrics", "fid", "--inception", scratch / "absent"}, 1), "absent"));
  CHECK(contains(one_error({"evaluate", run, "--metrics", "fid", "--convention", "tensor"}, 2), "pytorch"));
  CHECK(contains(one_error({"fid", folder, folder}, 2), "--inception FILE, or --judge DATA"));
  CHECK(contains(one_error({"fid", folder}, 2), "SET"));
  CHECK(contains(one_error({"fid", data, data, "--count", "1000"}, 1), "has 80 images, 1000 were asked for"));
  CHECK(contains(one_error({"stats", data, "--out", "x.npz"}, 2), ".safetensors"));
  CHECK(contains(one_error({"stats", data, "--out", scratch / "no/x.safetensors"}, 2), "there is no folder"));
  CHECK(contains(one_error({"fid", data, scratch / "nothing", "--judge", data}, 2), "neither a folder nor a data set"));
  write_file(scratch / "bad.safetensors", "not a checkpoint");
  CHECK(contains(one_error({"fid", scratch / "bad.safetensors", data}, 1), "bad.safetensors"));
  const Words trained = tiny_training("dcgan", data, scratch / "y", {"--evaluate-every", "2", "--evaluate", "fid"});
  Words with_weights = trained;
  with_weights.insert(with_weights.end(), {"--inception", scratch / "absent"});
  CHECK(contains(one_error(with_weights, 1), "absent"));
  CHECK_FALSE(fs::exists(scratch / "y"));
  fs::remove_all(folder + "/train/left");
  CHECK(contains(one_error({"evaluate", run}, 1), "has changed since the run began"));
  CHECK(contains(one_error({"neighbours", run}, 1), "has changed since the run began"));
}

TEST_CASE("fid: a set against itself is 0, statistics files stand for their sets, broken images are left out",
          "[evaluate]") {
  const Scratch scratch;
  const std::string folder = labelled_folder(scratch), data = "folder-gray:" + folder;
  const Result same = program::forger({"fid", data, data, "--json"});
  INFO(same.err);
  REQUIRE(same.code == 0);
  CHECK(std::abs(json::parse(same.out).at("fcd").at("value").get<double>()) < 1e-6);
  const std::string kept = scratch / "kept.safetensors", left = scratch / "left";
  fs::copy(folder + "/test/left", left);
  REQUIRE(program::forger({"stats", data, "--out", kept}).code == 0);
  const json direct = json::parse(program::forger({"fid", data, left, "--judge", data, "--json"}).out);
  const json by_file = json::parse(program::forger({"fid", kept, left, "--judge", data, "--json"}).out);
  CHECK(direct.at("fcd").at("value") == by_file.at("fcd").at("value"));
  CHECK(direct.at("fcd").at("value").get<double>() > 1);
  CHECK(direct.at("fcd").at("n_real") == 80);
  CHECK(direct.at("fcd").at("n_fake") == 40);
  CHECK(by_file.at("fcd").at("split") == "test");

  write_file(left + "/7.png", "broken");
  CHECK(contains(one_error({"fid", kept, left, "--judge", data}, 1), "1 of 40 images"));
  const Result skipped = program::forger({"fid", kept, left, "--judge", data, "--skip-broken", "--json"});
  CHECK(skipped.code == 0);
  CHECK(contains(skipped.err, "7.png"));
  CHECK(json::parse(skipped.out).at("fcd").at("n_fake") == 39);
}

TEST_CASE("fid: a run's samples against its data, in either order, whole or by a checkpoint", "[evaluate]") {
  const Scratch scratch;
  const std::string data = "folder-gray:" + labelled_folder(scratch), run = scratch / "run";
  REQUIRE(program::forger(tiny_training("dcgan", data, run, {"--steps", "2"})).code == 0);
  const auto fcd = [&](const std::string& a, const std::string& b) {
    const Result result = program::forger({"fid", a, b, "--count", "50", "--json"});
    INFO(result.err);
    REQUIRE(result.code == 0);
    const json score = json::parse(result.out).at("fcd");
    CHECK(score.at("n_real") == 50);
    CHECK(score.at("split") == "test");
    return score.at("value").get<double>();
  };
  const double there = fcd(data, run), back = fcd(run, data);
  CHECK(there > 1);
  CHECK(std::abs(there - back) < 1e-6 * there);
  CHECK(fcd(data, newest_checkpoint(run)) == there);
}

TEST_CASE("fid: sets are what they hold, not where they lie or what they are called", "[evaluate]") {
  const Scratch scratch;
  const std::string data = "folder-gray:" + labelled_folder(scratch), run = scratch / "run";
  REQUIRE(program::forger(tiny_training("dcgan", data, run, {"--steps", "2"})).code == 0);
  // Statistics that are kept in a run's folder are statistics, and a checkpoint that left it is a checkpoint.
  const std::string kept = run + "/stats/real.safetensors", lone = scratch / "lone.safetensors";
  fs::create_directories(run + "/stats");
  REQUIRE(program::forger({"stats", data, "--judge", data, "--out", kept}).code == 0);
  fs::copy_file(newest_checkpoint(run), lone);
  const auto fcd = [&](const std::string& a, const std::string& b) {
    const Result result = program::forger({"fid", a, b, "--judge", data, "--count", "40", "--json"});
    INFO(result.err);
    REQUIRE(result.code == 0);
    return json::parse(result.out).at("fcd").at("value").get<double>();
  };
  CHECK(fcd(kept, run) == fcd(kept, lone));
  // A folder that has a data set's name does not stand for it.
  fs::create_directories(scratch / "here/ring8");
  const Result shadowed =
      program::shell("cd '" + scratch / "here" + "' && \"$FORGER\" fid ring8 ring8 --judge '" + data + "'");
  CHECK(shadowed.code == 2);
  CHECK(contains(shadowed.err, "holds no images"));
  // Too few pictures are found out before the judge learns anything.
  fs::create_directories(scratch / "one");
  fs::copy_file(scratch / "data/test/left/0.png", scratch / "one/0.png");
  fs::remove_all(scratch / "cache");
  CHECK(contains(one_error({"fid", scratch / "one", scratch / "one", "--judge", data}, 1), "at least 2 images"));
  CHECK_FALSE(fs::exists(scratch / "cache"));
}

TEST_CASE("evaluate: a run that cannot be written into is judged all the same", "[evaluate]") {
  const Scratch scratch;
  const std::string data = "folder-gray:" + labelled_folder(scratch), disk = scratch / "disk", run = disk + "/run";
  fs::create_directories(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64m") != 0) {
    std::cout << "skipped: a read-only file system for this test needs root" << std::endl;
    return;
  }
  const Result trained = program::forger(tiny_training("dcgan", data, run, {"--steps", "2"}));
  const bool sealed = mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0;
  const Result result = program::forger({"evaluate", run, "--metrics", "parzen,collapse", "--count", "20"});
  umount(disk.c_str());
  CHECK(trained.code == 0);
  REQUIRE(sealed);
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(contains(result.out, "parzen"));
  CHECK(contains(result.err, "note: cannot write into " + run));
}

TEST_CASE("classes whose names are not UTF-8 are scored and kept", "[evaluate]") {
  const Scratch scratch;
  const std::string folder = labelled_folder(scratch), data = "folder-gray:" + folder, run = scratch / "run";
  for (const char* part : {"train", "test"})
    fs::rename(folder + "/" + part + "/left", folder + "/" + part + "/gau\xe7he");
  REQUIRE(program::forger(tiny_training("dcgan", data, run, {"--steps", "2"})).code == 0);
  const Result result = program::forger({"evaluate", run, "--metrics", "modes", "--count", "20", "--json"});
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(json::parse(result.out).at("modes").at("classes").contains("gau\\xe7he"));
  CHECK(json::parse(read_file(run + "/evaluation.json")).at("scores").at("modes").at("classes").contains("gau\\xe7he"));
}

TEST_CASE("neighbours: a row per sample", "[evaluate]") {
  const Scratch scratch;
  const std::string data = "folder-gray:" + labelled_folder(scratch), run = scratch / "run", out = scratch / "n.png";
  REQUIRE(program::forger(tiny_training("dcgan", data, run, {"--steps", "1"})).code == 0);
  const Result result = program::forger({"neighbours", run, "--count", "3", "--nearest", "4", "--out", out});
  INFO(result.err);
  REQUIRE(result.code == 0);
  const auto picture = forger::gan::read_image(out, 1);
  CHECK(picture.width > 5 * 16);
  CHECK(picture.height > 3 * 16);
  CHECK(picture.height < 4 * 16);
  CHECK(contains(result.out, "sample 2: image"));
}

TEST_CASE("a run that is scored as it trains keeps its best checkpoint, is the run it would have been, and resumes",
          "[evaluate]") {
  const Scratch scratch;
  const std::string data = "folder-gray:" + labelled_folder(scratch);
  const Words scored{"--evaluate-every", "2",  "--evaluate",         "fcd,pr",
                     "--evaluate-count", "40", "--checkpoint-every", "4"};
  const auto run = [&](const std::string& name, Words more) {
    const Result result = program::forger(tiny_training("dcgan", data, scratch / name, more));
    INFO(result.err);
    REQUIRE(result.code == 0);
  };
  run("whole", scored);
  const Words rows = lines(read_file(scratch / "whole/scores.csv"));
  REQUIRE(rows.size() == 5);
  CHECK(rows.front() == "step,seconds,fcd,fcd_best,precision,precision_best,recall,recall_best");
  CHECK(rows.back().starts_with("8,"));
  double least_fcd = 1e300, most_recall = -1;
  for (size_t i = 1; i < rows.size(); i++) {
    std::vector<double> cells;
    std::istringstream in(rows[i]);
    for (std::string cell; std::getline(in, cell, ',');) cells.push_back(std::stod(cell));
    REQUIRE(cells.size() == 8);
    least_fcd = std::min(least_fcd, cells[2]);
    most_recall = std::max(most_recall, cells[6]);
    CHECK(cells[3] == least_fcd);
    CHECK(cells[7] == most_recall);
  }
  const std::string report = read_file(scratch / "whole/report.html");
  CHECK(contains(report, "<h2>Scores</h2>"));
  CHECK(contains(report, "best "));
  CHECK(
      program::forger({"sample", scratch / "whole/checkpoints/best.safetensors", "--out", scratch / "best.png"}).code ==
      0);

  run("plain", {"--checkpoint-every", "4"});
  const std::string last = "/checkpoints/step-000008.safetensors";
  CHECK(read_file(scratch / "whole" + last) == read_file(scratch / "plain" + last));
  CHECK_FALSE(fs::exists(scratch / "plain/scores.csv"));

  Words half = scored;
  half.insert(half.end(), {"--steps", "4"});
  run("halves", half);
  REQUIRE(program::forger({"train", "--resume", scratch / "halves", "--steps", "8"}).code == 0);
  CHECK(read_file(scratch / "halves" + last) == read_file(scratch / "whole" + last));
  CHECK(timeless(read_file(scratch / "halves/scores.csv")) == timeless(read_file(scratch / "whole/scores.csv")));
  // The best one may be of the first half, when the run was to have 4 steps: its tensors, behind the header.
  const auto tensors = [](const std::string& file) {
    const std::string bytes = read_file(file);
    uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    return bytes.substr(sizeof header + header);
  };
  CHECK(tensors(scratch / "halves/checkpoints/best.safetensors") ==
        tensors(scratch / "whole/checkpoints/best.safetensors"));

  CHECK(contains(
      one_error(tiny_training("dcgan", data, scratch / "x", {"--evaluate-every", "2", "--evaluate", "fid"}), 2),
      "--inception"));
  CHECK_FALSE(fs::exists(scratch / "x"));
}
