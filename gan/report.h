// The report of a run: one HTML file that needs nothing beside it, to keep, to send, to open on a phone.
#pragma once
#include <string>
#include <vector>

namespace forger::gan {

// Reads config.toml, metrics.csv, samples/ and what other commands left in the run folder and writes report.html into it, atomically. What is
// missing or cut short (no previews yet, half a last row) is left out; an evaluation.json that is damaged is named.
// DataError when the file cannot be written.
void write_report(const std::string& run_folder);

// A page on several runs, up to most_runs of chart.h: their newest previews, the settings in which they differ, their
// scores, and a chart for each scalar with a curve for each run. Named by their folders' last words, or whole paths
// where those are alike.
std::string comparison_page(const std::vector<std::string>& run_folders);

// The previews of a run folder (samples/step-*.png, of words .txt), in the order of their steps.
std::vector<std::string> preview_files(const std::string& run_folder);
std::string step_of_preview(const std::string& path);  // "500" of "samples/step-000500.png"

}  // namespace forger::gan
