// Curves over a run's steps as inline SVG, one chart per family of scalars.
//
//   columns --families--> charts: axes with round ticks
//     loss_d, loss_g -> "loss"               light band: least and greatest value of each of <= 600 stretches
//     grad_norm_d, ..-> "grad_norm"          line: mean of each stretch, smoothed over time
//
// Colours and rules are the page's (CSS classes band, line, rule, cursor, c0 ... c5); `data-readings` holds what a
// script reads out under the pointer.
#pragma once
#include <string>

#include "gan/metrics_file.h"

namespace forger::gan {

// HTML. `first_id` keeps the identifiers of several calls on one page apart.
std::string charts(const MetricsTable& metrics, size_t first_id = 0);

// One chart for each scalar, a curve for each of several runs, by name.
std::string charts_of_runs(const std::vector<std::pair<std::string, MetricsTable>>& runs, size_t first_id = 0);
constexpr size_t most_runs = 6;  // that have a colour of their own

std::string escape_html(const std::string& text);
std::string compact(double value);  // four significant digits: 0.6931, 1234, 2.5e-05

}  // namespace forger::gan
