// The live view of a training run, on standard error.
//
// On a terminal it is one line, redrawn at most ten times a second and cut to the terminal's width:
//
//   ━━━━━━━━━━━━━━━━━━━━──────────────  1240/2500  loss_d 0.912  loss_g 1.374  812 images/s  1 min 38 s left
//
// Notes and warnings are printed above it. Into a file or a pipe it is a plain line about every ten seconds or every
// twentieth of the run, whichever comes first.
#pragma once
#include <chrono>
#include <string>

#include "gan/trainer.h"

namespace forger::apps {

std::string duration(double seconds);  // "8.2 s", "1 min 38 s", "2 h 05 min"

// What a line of progress says beside the bar, most important first, as much of it as fits into `width` columns.
std::string progress_text(const gan::Progress& progress, size_t width);

class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void progress(const gan::Progress& progress);
  // Any other long work: "looking at fashion-mnist (test)  2304/10000  4.1 s left". Its line goes when it is done.
  void work(const std::string& what, int64_t done, int64_t total);
  void note(const std::string& line);
  void warning(const std::string& line);
  void finish();  // leaves the last state on its line; further output starts below

  // What run() hands to the trainer; must not outlive this object.
  gan::Observer observer();

 private:
  using Clock = std::chrono::steady_clock;
  // The bar and the text that `text_for(columns)` makes for what is left of the line.
  template <class Text>
  void draw(double fraction, const Text& text_for);
  void print_above(const std::string& line);

  bool live_, colours_, unicode_;
  bool drawn_ = false;       // the cursor is on a progress line
  std::string line_;         // that line, to draw again below a note
  Clock::time_point last_;   // of the last line
  int64_t last_step_ = -1;   // -1: none yet
  std::string work_;         // what is being done
  Clock::time_point began_;  // doing it
};

}  // namespace forger::apps
