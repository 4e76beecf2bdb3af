// evaluation.json: what `forger evaluate` found of a run; and the same scores as JSON for other programs. Strings may
// have any bytes: what is no UTF-8 is escaped in the file (core/utf8.h).
//
//   {"step": 5000, "scores": {"fid": {"value": 23.4, "n_real": 10000, ...}, "reconstruct.fid": {...}},
//    "seen_by": ["..."], "test": {"psnr": 21.3}}
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gan/player.h"
#include "gan/score.h"

namespace forger::gan {

struct EvaluationFile {
  int64_t step = 0;                       // of the checkpoint that was scored
  std::vector<Score> scores = {};         // one per key
  std::vector<std::string> seen_by = {};  // the networks whose features were taken
  Scalars tests = {};                     // the system's own numbers; numbers that are not finite come back as NaN
};
void write_evaluation(const std::string& path, const EvaluationFile& evaluation);
// Nothing when there is no such file; DataError, which says what to do, when it is damaged.
std::optional<EvaluationFile> read_evaluation(const std::string& path);

// A line: {"fid": {"value": 23.4, ...}, "test": {"psnr": 21.3}}, without "test" where there are no tests.
std::string json_of(const std::vector<Score>& scores, const Scalars& tests = {});

}  // namespace forger::gan
