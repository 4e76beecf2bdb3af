// The report of a run: one HTML file that needs nothing beside it, to keep, to send, to open on a phone.
#pragma once
#include <string>
#include <vector>

namespace forger::gan {

// Reads config.toml, metrics.csv and samples/ of the run folder and writes report.html into it, atomically. What is
// missing or cut short (no previews yet, half a last row) is left out; an evaluation.json that is damaged is named.
// DataError when the file cannot be written.
void write_report(const std::string& run_folder);

// The previews of a run folder (samples/step-*.png, of words .txt), in the order of their steps.
std::vector<std::string> preview_files(const std::string& run_folder);
std::string step_of_preview(const std::string& path);  // "500" of "samples/step-000500.png"

}  // namespace forger::gan
