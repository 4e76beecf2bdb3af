#include "metrics/memorisation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random.h"
#include "metrics/distances.h"

namespace forger::metrics {
namespace {

using kernels::parallel_for;

constexpr double infinity = std::numeric_limits<double>::infinity();

size_t at(int64_t i) { return static_cast<size_t>(i); }

// Rows to be compared, and how: `moves` versions of a sample, of which the one nearest to a row counts.
struct Search {
  int64_t dims = 0, moves = 1;
  std::function<void(int64_t sample, float* out)> versions;  // (moves, dims)
};

struct References {
  int64_t count = 0;
  std::vector<float> rows;     // (count, dims), as they are
  std::vector<float> centred;  // (count, dims + 1), less the centre; the last is 1
  std::vector<float> squares;  // of the centred rows
};

struct Found {
  double square = infinity;   // distance to the nearest, squared
  std::vector<int64_t> ties;  // all rows at that distance, ascending
};

// sum (a - b)^2, or infinity once it is above the limit
double squared_distance(int64_t dims, const float* a, const float* b, double limit) {
  constexpr int64_t piece = 64;
  double sums[4] = {};
  for (int64_t begin = 0; begin < dims; begin += piece) {
    const int64_t end = std::min(dims, begin + piece);
    int64_t i = begin;
    for (; i + 4 <= end; i += 4) {
      for (int l = 0; l < 4; l++) {
        const double difference = double{a[i + l]} - double{b[i + l]};
        sums[l] += difference * difference;
      }
    }
    for (; i < end; i++) sums[0] += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
    if ((sums[0] + sums[1]) + (sums[2] + sums[3]) > limit) return infinity;
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void centre_and_extend(int64_t dims, const std::vector<double>& centre, const float* row, float* out, float& square) {
  double sum = 0;
  for (int64_t i = 0; i < dims; i++) {
    out[i] = static_cast<float>(row[i] - centre[at(i)]);
    sum += double{out[i]} * out[i];
  }
  square = static_cast<float>(sum);
}

// Two steps. Matrix products in float32 give |b|^2 - 2 max over versions of (a.b - |a|^2/2), the -|a|^2/2 riding along
// as one more element; rows that rounding may have kept from being the nearest are then compared exactly.
class Neighbours {
 public:
  Neighbours(const Search& search, const std::vector<double>& centre) : search_(search), centre_(centre) {}

  // Per sample of [begin, end): the nearest rows of each of the references.
  void find(int64_t begin, int64_t end, std::span<const References> references,
            std::vector<std::vector<Found>>& found) {
    const int64_t n = end - begin, moves = search_.moves, dims = search_.dims, wide = dims + 1;
    versions_.resize(at(n * moves * dims)), centred_.resize(at(n * moves * wide)), largest_.assign(at(n), 0);
    parallel_for(n, 1, [&](int64_t from, int64_t to) {
      for (int64_t s = from; s < to; s++) {
        float* const rows = versions_.data() + s * moves * dims;
        search_.versions(begin + s, rows);
        for (int64_t v = 0; v < moves; v++) {
          float *const out = centred_.data() + (s * moves + v) * wide, square;
          centre_and_extend(dims, centre_, rows + v * dims, out, square);
          out[dims] = -square / 2;
          largest_[at(s)] = std::max(largest_[at(s)], square);
        }
      }
    });
    for (size_t set = 0; set < references.size(); set++) find_in(references[set], n, found[set].data() + begin);
  }

 private:
  struct Candidate {
    int64_t row;
    float lowest;  // that its squared distance may be
  };

  void find_in(const References& b, int64_t n, Found* found) {
    constexpr int64_t columns = 1024;
    const int64_t moves = search_.moves, wide = search_.dims + 1;
    // Four times the typical error of a sum of so many rounded products, relative to |a|^2 + |b|^2.
    const float error = 4 * std::sqrt(static_cast<float>(wide)) * std::numeric_limits<float>::epsilon() / 2;
    std::vector<std::vector<Candidate>> candidates(at(n));
    std::vector<float> highest(at(n), std::numeric_limits<float>::infinity());  // that the nearest may be away
    for (int64_t j = 0; j < b.count; j += columns) {
      const int64_t cols = std::min(columns, b.count - j);
      products_.resize(at(n * moves * cols)), best_.resize(at(n * cols));
      kernels::Cpu<float>::matmul({.m = n * moves, .n = cols, .k = wide, .trans_b = true}, centred_.data(),
                                  b.centred.data() + j * wide, products_.data());
      kernels::ReduceShape over_moves{.rank = 3, .sizes = {n, moves, cols}, .reduced = {false, true, false}};
      kernels::Cpu<float>::reduce(kernels::Reduce::max, over_moves, products_.data(), best_.data());
      parallel_for(n, 16384 / cols + 1, [&](int64_t begin, int64_t end) {
        for (int64_t s = begin; s < end; s++) {
          for (int64_t c = 0; c < cols; c++) {
            const float square = b.squares[at(j + c)], margin = error * (square + largest_[at(s)]);
            const float distance = square - 2 * best_[at(s * cols + c)];
            if (distance - margin > highest[at(s)]) continue;
            highest[at(s)] = std::min(highest[at(s)], distance + margin);
            candidates[at(s)].push_back({j + c, distance - margin});
          }
        }
      });
    }
    parallel_for(n, 1, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; s++) {
        for (const Candidate& candidate : candidates[at(s)]) {
          if (candidate.lowest <= highest[at(s)]) compare(s, candidate.row, b, found[s]);
        }
      }
    });
  }

  void compare(int64_t s, int64_t row, const References& b, Found& found) const {
    const int64_t dims = search_.dims;
    double square = infinity;
    for (int64_t v = 0; v < search_.moves && square > 0; v++) {
      square = std::min(square, squared_distance(dims, versions_.data() + (s * search_.moves + v) * dims,
                                                 b.rows.data() + row * dims, std::min(square, found.square)));
    }
    if (square > found.square) return;
    if (square < found.square) found.ties.clear();
    found.square = square;
    found.ties.push_back(row);
  }

  const Search& search_;
  const std::vector<double>& centre_;
  std::vector<float> versions_, centred_, largest_, products_, best_;
};

// P(sum of the weights that are drawn >= least), each drawn by itself with probability q.
double tail_probability(const std::vector<int64_t>& weights, double q, int64_t least) {
  std::vector<double> p{1};  // of each sum so far
  for (const int64_t weight : weights) {
    if (weight == 0) continue;
    p.resize(p.size() + at(weight));
    for (int64_t sum = std::ssize(p) - 1; sum >= 0; sum--) {
      p[at(sum)] = p[at(sum)] * (1 - q) + (sum >= weight ? p[at(sum - weight)] * q : 0);
    }
  }
  double tail = 0;
  for (int64_t sum = std::ssize(p) - 1; sum >= least; sum--) tail += p[at(sum)];  // the smallest first
  return std::min(1.0, tail);
}

Memorisation compared(int64_t count, const Search& search, References train, References held_out,
                      const Ticker& ticker) {
  const int64_t dims = search.dims;
  std::vector<References> references;
  references.push_back(std::move(train)), references.push_back(std::move(held_out));
  const int64_t train_count = references[0].count, pool = train_count + references[1].count;
  std::vector<double> centre(at(dims));
  for (const References& set : references) {
    for (int64_t r = 0; r < set.count; r++) {
      for (int64_t i = 0; i < dims; i++) centre[at(i)] += set.rows[at(r * dims + i)];
    }
  }
  for (double& x : centre) x /= static_cast<double>(pool);
  for (References& set : references) {
    set.centred.resize(at(set.count * (dims + 1))), set.squares.resize(at(set.count));
    parallel_for(set.count, 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        float* const out = set.centred.data() + r * (dims + 1);
        centre_and_extend(dims, centre, set.rows.data() + r * dims, out, set.squares[at(r)]);
        out[dims] = 1;
      }
    });
  }

  std::vector<std::vector<Found>> found(2, std::vector<Found>(at(count)));
  const int64_t group = std::max<int64_t>(1, 784 / search.moves);  // products of 784 rows at a time: 3 MiB
  Neighbours neighbours(search, centre);
  for (int64_t begin = 0; begin < count; begin += group) {
    const int64_t end = std::min(count, begin + group);
    neighbours.find(begin, end, references, found);
    if (ticker) ticker(end, count);
  }

  Memorisation result;
  result.count = count;
  result.expected = static_cast<double>(train_count) / static_cast<double>(pool);
  std::vector<int64_t> chosen(at(pool));  // how many samples a row is the nearest of
  std::vector<double> ratios;
  for (int64_t s = 0; s < count; s++) {
    const Found &in_train = found[0][at(s)], &in_held = found[1][at(s)];
    ratios.push_back(in_train.square == in_held.square ? 1 : std::sqrt(in_train.square / in_held.square));
    result.nearest.push_back(in_train.ties.front());
    result.distance.push_back(std::sqrt(in_train.square / static_cast<double>(dims)));
    std::vector<int64_t> nearest;
    if (in_train.square <= in_held.square) nearest = in_train.ties;
    if (in_held.square <= in_train.square) {
      for (const int64_t row : in_held.ties) nearest.push_back(train_count + row);
    }
    Random lot(0, static_cast<uint64_t>(s));
    const int64_t row = nearest[lot.below(nearest.size())];
    result.in_train += row < train_count;
    chosen[at(row)]++;
  }
  result.distinct = std::count_if(chosen.begin(), chosen.end(), [](int64_t n) { return n > 0; });
  result.p = tail_probability(chosen, result.expected, result.in_train);
  result.median_ratio = median(ratios);
  return result;
}

void check_float_rows(const Tensor& x, const std::string& caller, const std::string& name) {
  check_rows(x, caller, name, 1);
  check<ShapeError>(x.dtype() == DType::f32, "[", caller, "] ", name, " must be float32, got ", name_of(x.dtype()));
}

void check_sets(const Tensor& samples, const Tensor& train, const Tensor& held_out) {
  check_float_rows(samples, "memorisation", "samples");
  check_float_rows(train, "memorisation", "train");
  check_float_rows(held_out, "memorisation", "held_out");
  for (const Tensor& x : {train, held_out}) {
    bool same = x.rank() == samples.rank();
    for (int axis = 1; same && axis < x.rank(); axis++) same = x.size(axis) == samples.size(axis);
    check<ShapeError>(same, "[memorisation] rows differ in shape: samples ", samples.shape(), ", train ", train.shape(),
                      ", held_out ", held_out.shape());
  }
}

// What is compared of images (N, H, W, C): their pixels but for a frame of `shift`, and of samples every window of that
// size, mirrored and not.
struct Windows {
  int64_t w, channels, shift, height, width, image, dims;

  Windows(const Tensor& images, int64_t frame)
      : w(images.size(2)),
        channels(images.size(3)),
        shift(frame),
        height(images.size(1) - 2 * shift),
        width(w - 2 * shift),
        image(images.size(1) * w * channels),
        dims(height * width * channels) {
    check<ShapeError>(shift >= 0 && height >= 1 && width >= 1, "[memorisation] images of ", images.size(1), "x", w,
                      " have nothing left within ", shift, " pixels of each side");
  }

  // -> (height, width, C), from left to right or the other way round
  void copy(const float* from, int64_t top, int64_t left, bool mirrored, float* out) const {
    for (int64_t y = 0; y < height; y++) {
      for (int64_t x = 0; x < width; x++) {
        const int64_t column = mirrored ? left + width - 1 - x : left + x;
        out = std::copy_n(from + ((top + y) * w + column) * channels, channels, out);
      }
    }
  }

  Search moved(const Tensor& samples) const {
    const auto versions = [*this, pixels = samples.data<float>()](int64_t sample, float* out) {
      for (const bool mirrored : {false, true}) {
        for (int64_t top = 0; top <= 2 * shift; top++) {
          for (int64_t left = 0; left <= 2 * shift; left++, out += dims)
            copy(pixels + sample * image, top, left, mirrored, out);
        }
      }
    };
    return {.dims = dims, .moves = 2 * (2 * shift + 1) * (2 * shift + 1), .versions = versions};
  }

  // (count, dims)
  std::vector<float> middles(const Tensor& x) const {
    std::vector<float> rows(at(x.size(0) * dims));
    for (int64_t i = 0; i < x.size(0); i++)
      copy(x.data<float>() + i * image, shift, shift, false, rows.data() + i * dims);
    return rows;
  }
};

}  // namespace

Memorisation memorisation(const Tensor& samples, const Tensor& train, const Tensor& held_out, const Ticker& ticker) {
  check_sets(samples, train, held_out);
  const int64_t dims = samples.numel() / samples.size(0);
  const auto references = [&](const Tensor& x) {
    return References{x.size(0), {x.data<float>(), x.data<float>() + x.numel()}, {}, {}};
  };
  const Search search{.dims = dims, .moves = 1, .versions = [&](int64_t sample, float* out) {
                        std::copy_n(samples.data<float>() + sample * dims, dims, out);
                      }};
  return compared(samples.size(0), search, references(train), references(held_out), ticker);
}

Memorisation memorisation_of_images(const Tensor& samples, const Tensor& train, const Tensor& held_out, int64_t shift,
                                    const Ticker& ticker) {
  check_sets(samples, train, held_out);
  check<ShapeError>(samples.rank() == 4, "[memorisation] images must be (N, H, W, C), got ", samples.shape());
  const Windows windows(samples, shift);
  const auto references = [&](const Tensor& x) { return References{x.size(0), windows.middles(x), {}, {}}; };
  return compared(samples.size(0), windows.moved(samples), references(train), references(held_out), ticker);
}

std::vector<std::vector<Neighbour>> nearest_images(const Tensor& samples, const Tensor& train, int64_t k, int64_t shift,
                                                   const Ticker& ticker) {
  check_sets(samples, train, train);
  check<ShapeError>(samples.rank() == 4, "[nearest_images] images must be (N, H, W, C), got ", samples.shape());
  const int64_t count = samples.size(0), rows = train.size(0);
  check<DataError>(k >= 1 && k <= rows, "[nearest_images] ", k, " neighbours of ", rows, " images");
  const Windows windows(samples, shift);
  const Search search = windows.moved(samples);
  const std::vector<float> middles = windows.middles(train);
  const int64_t dims = search.dims;
  std::vector<float> versions(at(search.moves * dims));
  std::vector<std::vector<Neighbour>> nearest(at(count));
  for (int64_t s = 0; s < count; s++) {
    search.versions(s, versions.data());
    constexpr int64_t piece = 1024;  // training images that one list of the nearest is made of
    std::vector<std::vector<Neighbour>> lists(at((rows + piece - 1) / piece));
    parallel_for(std::ssize(lists), 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; p++) {
        std::vector<Neighbour>& list = lists[at(p)];
        for (int64_t r = p * piece; r < std::min(rows, (p + 1) * piece); r++) {
          double square = std::ssize(list) < k ? infinity : list.back().distance;
          const double before = square;
          for (int64_t v = 0; v < search.moves; v++) {
            square =
                std::min(square, squared_distance(dims, versions.data() + v * dims, middles.data() + r * dims, square));
          }
          if (!(square < before)) continue;
          const auto place = std::upper_bound(list.begin(), list.end(), square,
                                              [](double d, const Neighbour& n) { return d < n.distance; });
          list.insert(place, {r, square});
          if (std::ssize(list) > k) list.pop_back();
        }
      }
    });
    std::vector<Neighbour>& all = nearest[at(s)];
    for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
    std::stable_sort(all.begin(), all.end(),
                     [](const Neighbour& a, const Neighbour& b) { return a.distance < b.distance; });
    all.resize(at(k));
    for (Neighbour& n : all) n.distance = std::sqrt(n.distance / static_cast<double>(dims));
    if (ticker) ticker(s + 1, count);
  }
  return nearest;
}

}  // namespace forger::metrics
