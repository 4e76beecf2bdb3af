// What a run shows of itself as it goes: each view that has something to be compared with, always of the same noise and
// the same rows of data that it is not trained on.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "gan/data.h"
#include "gan/image.h"
#include "gan/recipe.h"
#include "gan/settings.h"

namespace forger::gan {

class Previews {
 public:
  // `previews` rows of each view. `held_out` is called where a view starts from data. UsageError when there are fewer.
  Previews(Recipe& recipe, const Settings& settings, const DataSet& data,
           const std::function<const DataSet&()>& held_out);
  bool empty() const { return previews_.empty(); }

  struct Made {
    Image picture;      // all views, one below the other
    std::string words;  // in its place, one a line, where the first view makes those
    Tensor first;       // what it made, numbers of letters as floating-point ones
  };
  Made make(Recipe& recipe) const;
  // As many real ones, of the column that the first view's are like.
  const Tensor& reals() const { return reals_; }

 private:
  struct Preview {
    View view;
    Batch from;
    std::optional<Column> words;  // that it makes words like
  };
  static Made spelled_out(Recipe& recipe, const Preview& preview);

  std::vector<Preview> previews_;
  Tensor reals_;
};

}  // namespace forger::gan
