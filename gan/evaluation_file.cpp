#include "gan/evaluation_file.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/utf8.h"

namespace forger::gan {
namespace {

using nlohmann::ordered_json;

// ---- writing ----

template <class Pairs>
ordered_json object_of(const Pairs& pairs) {
  ordered_json out = ordered_json::object();
  for (const auto& [name, value] : pairs) out[to_utf8(name)] = value;
  return out;
}

ordered_json object_of_score(const Score& score) {
  ordered_json out{{"value", score.value()},
                   {"spread", nullptr},
                   {"n_real", score.reals},
                   {"n_fake", score.fakes},
                   {"convention", to_utf8(score.convention)},
                   {"weights", to_utf8(score.weights)},
                   {"split", to_utf8(score.split)},
                   {"values", object_of(score.values)},
                   {"remark", to_utf8(score.remark)},
                   {"text", to_utf8(line_of(score))}};
  if (score.spread) out["spread"] = *score.spread;
  if (!score.classes.empty()) out["classes"] = object_of(score.classes);
  if (!score.conventions.empty()) out["conventions"] = object_of(score.conventions);
  return out;
}

ordered_json object_of_scores(const std::vector<Score>& scores) {
  ordered_json out = ordered_json::object();
  for (const Score& score : scores) out[to_utf8(score.key())] = object_of_score(score);
  return out;
}

// ---- reading ----

double number_in(const ordered_json& value) { return value.is_null() ? std::nan("") : value.get<double>(); }
std::string string_in(const ordered_json& value) { return from_utf8(value.get<std::string>()); }

// The pairs of an object, or of none.
std::vector<std::pair<std::string, double>> pairs_in(const ordered_json& in, const char* key) {
  std::vector<std::pair<std::string, double>> pairs;
  if (!in.contains(key)) return pairs;
  for (const auto& [name, value] : in.at(key).items()) pairs.emplace_back(from_utf8(name), number_in(value));
  return pairs;
}

Score score_in(const std::string& key, const ordered_json& in) {
  const size_t dot = key.rfind('.');
  Score score{.metric = dot == key.npos ? key : key.substr(dot + 1),
              .values = pairs_in(in, "values"),
              .classes = pairs_in(in, "classes"),
              .reals = in.at("n_real"),
              .fakes = in.at("n_fake"),
              .convention = string_in(in.at("convention")),
              .weights = string_in(in.at("weights")),
              .split = string_in(in.at("split")),
              .remark = string_in(in.at("remark")),
              .conventions = pairs_in(in, "conventions"),
              .view = dot == key.npos ? "" : key.substr(0, dot)};
  if (score.values.empty()) score.values = {{score.metric, number_in(in.at("value"))}};
  if (!in.at("spread").is_null()) score.spread = in.at("spread").get<double>();
  return score;
}

}  // namespace

void write_evaluation(const std::string& path, const EvaluationFile& evaluation) {
  ordered_json out{
      {"step", evaluation.step}, {"scores", object_of_scores(evaluation.scores)}, {"seen_by", ordered_json::array()}};
  for (const std::string& network : evaluation.seen_by) out["seen_by"].push_back(to_utf8(network));
  if (!evaluation.tests.empty()) out["test"] = object_of(evaluation.tests);
  write_file(path, out.dump(2) + "\n");
}

std::optional<EvaluationFile> read_evaluation(const std::string& path) {
  std::error_code error;  // what cannot be looked at cannot be read, which says why
  if (!std::filesystem::exists(path, error) && !error) return std::nullopt;
  const std::string bytes = read_file(path);
  try {
    const ordered_json in = ordered_json::parse(bytes);
    EvaluationFile evaluation{.step = in.at("step")};
    for (const auto& [key, score] : in.at("scores").items()) {
      evaluation.scores.push_back(score_in(from_utf8(key), score));
    }
    for (const ordered_json& network : in.at("seen_by")) evaluation.seen_by.push_back(string_in(network));
    for (const auto& [name, value] : pairs_in(in, "test")) evaluation.tests.push_back({name, value});
    return evaluation;
  } catch (const ordered_json::exception&) {
    throw DataError(text("'", path, "' is damaged: forger evaluate makes a new one"));
  }
}

std::string json_of(const std::vector<Score>& scores, const Scalars& tests) {
  ordered_json out = object_of_scores(scores);
  if (!tests.empty()) out["test"] = object_of(tests);
  return out.dump();
}

}  // namespace forger::gan
