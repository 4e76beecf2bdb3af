#include "apps/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace forger::apps {
namespace {

constexpr size_t assumed_width = 80;
constexpr double redraw_seconds = 0.1, plain_seconds = 10, plain_seconds_least = 1;

std::string format(const char* pattern, auto... values) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, pattern, values...);
  return buffer;
}

size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return assumed_width;
}

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// The first of the three variables that is set decides, as in setlocale(3).
bool unicode_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = environment(name);
    if (value.empty()) continue;
    return value.find("UTF-8") != value.npos || value.find("utf8") != value.npos;
  }
  return false;
}

double fraction_of(const gan::Progress& progress) {
  return progress.steps > 0 ? static_cast<double>(progress.step) / static_cast<double>(progress.steps) : 0;
}

std::string repeat(const char* piece, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; i++) all += piece;
  return all;
}

void write_error(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string duration(double seconds) {
  if (seconds < 9.95) return format("%.1f s", std::max(seconds, 0.0));
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return format("%lld s", whole);
  if (whole < 3600) return format("%lld min %02lld s", whole / 60, whole % 60);
  return format("%lld h %02lld min", whole / 3600, whole % 3600 / 60);
}

std::string progress_text(const gan::Progress& progress, size_t width) {
  std::vector<std::string> parts{
      format("%lld/%lld", static_cast<long long>(progress.step), static_cast<long long>(progress.steps))};
  for (const gan::Scalar& scalar : progress.scalars)
    if (std::string_view(scalar.name).starts_with("loss")) parts.push_back(scalar.name + format(" %.3f", scalar.value));
  // Behind the losses in importance, but always last on the line: what is left.
  std::vector<std::string> tail;
  if (progress.images_per_second > 0) {
    tail.push_back(format("%.0f images/s", progress.images_per_second));
    const double done = fraction_of(progress);
    if (done > 0 && done < 1) tail.push_back(duration(progress.seconds * (1 - done) / done) + " left");
  }
  parts.insert(parts.end(), tail.begin(), tail.end());

  std::string line;
  for (const std::string& part : parts) {
    const std::string piece = line.empty() ? part : "  " + part;
    if (line.size() + piece.size() > width) continue;
    line += piece;
  }
  return line;
}

Terminal::Terminal()
    : live_(isatty(STDERR_FILENO) && environment("TERM") != "dumb"),
      colours_(live_ && environment("NO_COLOR").empty()),
      unicode_(unicode_locale()),
      last_(Clock::now()) {}

Terminal::~Terminal() { finish(); }

void Terminal::progress(const gan::Progress& progress) {
  const auto now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_).count();
  const bool first = last_step_ < 0, end = progress.step >= progress.steps;
  const bool twentieth = (progress.step - last_step_) * 20 >= progress.steps;
  const bool due = live_ ? first || since >= redraw_seconds
                         : since >= plain_seconds || (!first && twentieth && since >= plain_seconds_least);
  if (first) last_step_ = progress.step - 1;
  if (!due && !end) return;
  last_ = now;
  last_step_ = progress.step;
  if (live_)
    draw(fraction_of(progress), [&](size_t columns) { return progress_text(progress, columns); });
  else
    write_error("step " + progress_text(progress, std::string::npos) + "\n");
}

void Terminal::work(const std::string& what, int64_t done, int64_t total) {
  const auto now = Clock::now();
  if (what != work_) work_ = what, began_ = last_ = now;
  if (done >= total) {
    if (drawn_) write_error("\r\x1b[K");
    drawn_ = false;
    work_.clear();
    return;
  }
  if (std::chrono::duration<double>(now - last_).count() < (live_ ? redraw_seconds : plain_seconds)) return;
  last_ = now;
  const double fraction = static_cast<double>(done) / static_cast<double>(total);
  const double seconds = std::chrono::duration<double>(now - began_).count();
  const std::string line =
      text(what, "  ", done, '/', total, "  ", duration(seconds * (1 - fraction) / fraction), " left");
  if (live_)
    draw(fraction, [&](size_t columns) { return line.substr(0, columns); });
  else
    write_error(line + "\n");
}

template <class Text>
void Terminal::draw(double fraction, const Text& text_for) {
  const size_t width = terminal_width() - 1;  // the last column would wrap on some terminals
  const size_t bar = width >= 60 ? std::min<size_t>(width / 4, 32) : 0;
  const auto filled = static_cast<size_t>(std::lround(fraction * static_cast<double>(bar)));
  line_.clear();
  if (bar > 0) {
    line_ = colours_ ? "\x1b[36m" : "";
    line_ += repeat(unicode_ ? "━" : "#", filled);
    line_ += colours_ ? "\x1b[2m" : "";
    line_ += repeat(unicode_ ? "─" : ".", bar - filled);
    line_ += colours_ ? "\x1b[0m  " : "  ";
  }
  line_ += text_for(width - (bar > 0 ? bar + 2 : 0));
  write_error("\r\x1b[K" + line_);
  drawn_ = true;
}

void Terminal::print_above(const std::string& line) {
  write_error(drawn_ ? "\r\x1b[K" + line + "\n" + line_ : line + "\n");
}

void Terminal::note(const std::string& line) { print_above(line); }

void Terminal::warning(const std::string& line) {
  print_above(colours_ ? "\x1b[33mwarning:\x1b[0m " + line : "warning: " + line);
}

void Terminal::finish() {
  if (drawn_) write_error("\n");
  drawn_ = false;
}

gan::Observer Terminal::observer() {
  return {.on_step = [this](const gan::Progress& now) { progress(now); },
          .on_note = [this](const std::string& line) { note(line); },
          .on_warning = [this](const std::string& line) { warning(line); }};
}

}  // namespace forger::apps
