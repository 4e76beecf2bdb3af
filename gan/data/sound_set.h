// Sounds in memory as a set. A row is a picture of H x W pixels, which is H W samples (gan/sound.h): a longer sound is
// cut into several, and the last one is filled up with silence when it is at least half full, else left out.
//
//   image (H, W, 1)      levels of the spectrum, [-1, 1]
//   waveform (H W)       the samples
//   and what words there are of a sound: label, voice
//
// Each sound is brought to the usual loudness as a whole.
#pragma once
#include <string>
#include <vector>

#include "gan/data.h"
#include "gan/sound.h"

namespace forger::gan {

struct Recording {
  Sound sound;
  std::vector<int64_t> words = {};  // by column of words
};

// What a picture's column is called whose waveform is at hand, too: "source" has its "source_waveform".
inline std::string waveform_of(const std::string& column) {
  return column == "image" ? "waveform" : column + "_waveform";
}
Column waveform_column(const std::string& column, const Shape& picture);

class SoundSet : public DataSet {
 public:
  // words: the columns that recordings have words of. Size 0 is 64 x 64.
  SoundSet(std::string name, std::vector<Recording> recordings, const Columns& words, std::string hash,
           const DataOptions& options);

  int64_t count() const override { return std::ssize(rows_); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override;
  std::string name() const override { return name_; }
  std::string about() const override;
  std::string hash() const override { return hash_; }

 private:
  struct Row {
    size_t recording, begin;
  };
  std::string name_, hash_;
  std::vector<Recording> recordings_;
  Columns columns_;
  std::vector<Row> rows_;
};

}  // namespace forger::gan
