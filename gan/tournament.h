// A tournament: several systems, each trained from several seeds, beside each other in one table and on one page.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace forger::gan {

// A score's values over the seeds of one system.
struct Standing {
  int64_t seeds = 0;
  double mean = 0, spread = 0;  // of the last value of each run; population standard deviation
  double best = 0;              // mean of each run's best value
  double least = 0, most = 0;   // of the last ones
};

struct Entrant {
  std::string name;                      // "gan --loss minimax"
  std::vector<std::string> runs;         // run folders, a seed each; those that did not come to an end have no scores
  std::vector<std::string> failed = {};  // what was said of those that failed
};

// By score, as scores.csv names them: "covered", "quality", "fcd". Runs without scores are left out.
std::map<std::string, Standing> standings(const Entrant& entrant);

// A text table, a row per entrant and a column per score: "mean +- spread  (best B)".
std::string tournament_table(const std::vector<Entrant>& entrants);
// The same as CSV: system,score,seeds,mean,spread,least,most,best.
std::string tournament_csv(const std::vector<Entrant>& entrants);
// One HTML file that needs nothing beside it: the table, of each entrant a film of its first run's previews, and the
// last preview of its other runs.
std::string tournament_page(const std::vector<Entrant>& entrants, const std::string& title);

}  // namespace forger::gan
