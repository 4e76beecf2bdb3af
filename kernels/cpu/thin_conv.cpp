// Convolutions of images with few channels, c <= 4: a discriminator's first layer and a generator's last.
//
// As matrix products (conv.cpp) these have one short side, kh*kw*c, and gathering patches costs more than multiplying
// them. Here only the image is rearranged, which is small beside the map: its lines are copied into a padded buffer, so
// that no window sticks out. One micro-kernel then serves the whole triangle,
//
//   out(i, j) = sum over k of a[at[k] + i] * b[k*b_step + j]      i: broadcasts, j: vectors
//
//                      i                       j         k                a                b
//   conv2d             windows of a line       filters   taps             lines, phased    weight^T
//   conv_weight_grad   taps of a window's row  filters   windows          lines            map in place
//   conv_transpose2d   taps                    windows   filters          weight in place  map^T of a line
//
// and what it makes goes to its place from the registers: to the map, to sums over windows, to lines of the image
// where windows overlap.
//
// Phased lines. A row of a window is kw*c neighbouring numbers of a line, and the next window's row begins S =
// stride_w*c further on. Number x of a phased line stands at place x / S of phase x mod S: tap t of neighbouring
// windows, the numbers t, t + S, ..., are then neighbours, as broadcasts of conv2d and vectors of conv_transpose2d want
// them.
#include "kernels/cpu/thin_conv.h"

#include <array>

#include "kernels/cpu/gemm.h"
#include "kernels/plain_conv.h"

namespace forger::kernels {
namespace {

using gemm::block_count;
using gemm::Range;

constexpr int64_t most_channels = 4;
constexpr int64_t least_broadcasts = 4;   // per vector, for fewer it does not pay
constexpr int64_t band_bytes = 16 << 10;  // of lines or of the map that are gone over several times: half of an L1

// out[i][col + j] (+)= epilogue(sum over k of a[at[k] + i] * b[k*b_step + j]) for M rows and NV vectors. `epilogue` may
// be null; it belongs to whole sums, not to accumulated ones.
template <class T>
using ThinKernel = void (*)(int64_t depth, const T* a, const int64_t* at, const T* b, int64_t b_step, T* const* out,
                            int64_t col, bool accumulate, const BiasActivation<T>* epilogue);

template <class T, int Bytes, int M, int NV>
void thin_kernel(int64_t depth, const T* a, const int64_t* at, const T* b, int64_t b_step, T* const* out, int64_t col,
                 bool accumulate, const BiasActivation<T>* epilogue) {
  using V = Vec<T, Bytes>;
  constexpr int lanes = gemm::Tile<T, Bytes>::lanes;
  V acc[M][NV] = {};
#pragma GCC unroll 16
  for (int i = 0; i < M; i++) {  // where the sums go arrives while they are made
    for (int j = 0; j < NV; j++) __builtin_prefetch(out[i] + col + j * lanes, 1);
  }
  for (int64_t k = 0; k < depth; k++, b += b_step) {
    const T* const left = a + at[k];
    V right[NV];
#pragma GCC unroll 2
    for (int j = 0; j < NV; j++) right[j] = load<V>(b + j * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < M; i++) {
#pragma GCC unroll 2
      for (int j = 0; j < NV; j++) acc[i][j] += left[i] * right[j];
    }
  }
#pragma GCC unroll 2
  for (int j = 0; j < NV; j++) {
    const int64_t column = col + j * lanes;
    const V bias = epilogue && epilogue->bias ? load<V>(epilogue->bias + column) : V{};
#pragma GCC unroll 16
    for (int i = 0; i < M; i++) {
      T* const to = out[i] + column;
      const V sum = accumulate ? load<V>(to) + acc[i][j] : acc[i][j];
      store(to, epilogue ? (*epilogue)(sum, bias) : sum);
    }
  }
}

template <class T, int Bytes, int NV, int... I>
constexpr std::array<ThinKernel<T>, sizeof...(I)> thin_kernels(std::integer_sequence<int, I...>) {
  return {thin_kernel<T, Bytes, I + 1, NV>...};
}

template <class T, int Bytes>
class ThinConv {
 public:
  static constexpr int lanes = gemm::Tile<T, Bytes>::lanes, most_rows = gemm::Tile<T, Bytes>::mr;

  explicit ThinConv(const ConvShape& shape)
      : s(shape),
        row(s.kw * s.c),
        step(s.stride_w * s.c),
        taps(s.kh * row),
        wide(block_count(s.ow, lanes) * lanes),
        places(wide + block_count(row, step)),
        line(places * step),
        lines((s.oh - 1) * s.stride_h + s.kh) {}

  void conv2d(const T* image, const T* weight, const BiasActivation<T>* epilogue, T* map) const {
    T* const filters = numbers(Scratch::gemm_b, taps * s.oc);
    for (int64_t o = 0; o < s.oc; o++)
      for (int64_t k = 0; k < taps; k++) filters[k * s.oc + o] = weight[o * taps + k];
    int64_t* const at = offsets(taps);
    for (int64_t k = 0; k < taps; k++) at[k] = k / row * line + phased(k % row);

    const int64_t most_lines = band(s.stride_h * line);
    parallel_for(
        s.n * block_count(s.oh, most_lines), grain(block_count(s.oh, most_lines)), [&](int64_t begin, int64_t end) {
          T *const copy = numbers(Scratch::gemm_a, band_lines(most_lines) * line), *out[gemm::max_mr];
          for_bands({begin, end}, most_lines, [&](int64_t n, Range band) {
            copy_lines<true>(image, n, band, copy);
            for (int64_t p = band.begin; p < band.end; p++) {
              const T* const from = copy + (p - band.begin) * s.stride_h * line;
              for_parts(s.ow, [&](Range windows) {
                for (int64_t i = 0; i < windows.size(); i++)
                  out[i] = map + ((n * s.oh + p) * s.ow + windows.begin + i) * s.oc;
                multiply(windows.size(), s.oc, taps, from + windows.begin, at, filters, s.oc, out, false, epilogue);
              });
            }
          });
        });
  }

  // Each thread sums over its share of the windows; the shares are added in the order of the threads.
  void weight_grad(const T* image, const T* map, T* weight) const {
    const int64_t most_lines = band(s.ow * s.oc), bands = s.n * block_count(s.oh, most_lines), size = taps * s.oc;
    const int64_t jobs = std::min<int64_t>(useful_threads(), bands);
    int64_t* const at = offsets(most_lines * s.ow);
    for (int64_t k = 0; k < most_lines * s.ow; k++) at[k] = k / s.ow * s.stride_h * line + k % s.ow * step;
    T* const shares = numbers(Scratch::partial_sums, jobs * size);
    parallel_for(jobs, 1, [&](int64_t job, int64_t) {
      T *const copy = numbers(Scratch::gemm_a, band_lines(most_lines) * line), *out[gemm::max_mr];
      T* const sums = shares + job * size;
      std::fill_n(sums, size, T{0});
      for_bands(Range{0, bands}.part(job, jobs), most_lines, [&](int64_t n, Range band) {
        copy_lines<false>(image, n, band, copy);
        const T* const from = map + (n * s.oh + band.begin) * s.ow * s.oc;
        for (int64_t y = 0; y < s.kh; y++) {
          for_parts(row, [&](Range part) {
            for (int64_t i = 0; i < part.size(); i++) out[i] = sums + (y * row + part.begin + i) * s.oc;
            multiply(part.size(), s.oc, band.size() * s.ow, copy + y * line + part.begin, at, from, s.oc, out, true);
          });
        }
      });
    });
    for (int64_t k = 0; k < taps; k++) {
      for (int64_t o = 0; o < s.oc; o++) {
        T sum = shares[k * s.oc + o];
        for (int64_t job = 1; job < jobs; job++) sum += shares[job * size + k * s.oc + o];
        weight[o * taps + k] = sum;
      }
    }
  }

  void conv_transpose2d(const T* map, const T* weight, T* image) const {
    int64_t* const at = offsets(s.oc);
    for (int64_t o = 0; o < s.oc; o++) at[o] = o * taps;
    parallel_for(s.n, grain(1), [&](int64_t begin, int64_t end) {
      T* const columns = numbers(Scratch::gemm_b, s.oc * wide);  // filters x windows of a line of the map
      T *const sums = numbers(Scratch::gemm_a, lines * line), *out[gemm::max_mr];
      for (int64_t n = begin; n < end; n++) {
        std::fill_n(sums, lines * line, T{0});
        for (int64_t p = 0; p < s.oh; p++) {
          transpose(map + (n * s.oh + p) * s.ow * s.oc, columns);
          for_parts(taps, [&](Range part) {
            for (int64_t k = part.begin; k < part.end; k++)
              out[k - part.begin] = sums + (p * s.stride_h + k / row) * line + phased(k % row);
            multiply(part.size(), wide, s.oc, weight + part.begin, at, columns, wide, out, true);
          });
        }
        copy_back(sums, image + n * s.h * s.w * s.c);
      }
    });
  }

 private:
  using V = Vec<T, Bytes>;

  static T* numbers(Scratch slot, int64_t count) {
    return static_cast<T*>(scratch(slot, static_cast<size_t>(count) * sizeof(T)));
  }
  static int64_t* offsets(int64_t count) {
    return static_cast<int64_t*>(scratch(Scratch::gemm_c, static_cast<size_t>(count) * sizeof(int64_t)));
  }
  int useful_threads() const { return gemm::useful_threads(s.flops() / 2); }
  // The least units of work for a thread, of which an image has `units`.
  int64_t grain(int64_t units) const { return block_count(s.n * units, useful_threads()); }

  int64_t phased(int64_t x) const { return x % step * places + x / step; }

  // ---- bands: some lines of a map, and the lines of the image that they see ----

  // Lines of the map in a band, of which each takes `count` numbers.
  int64_t band(int64_t count) const { return std::clamp<int64_t>(band_bytes / (count * int64_t{sizeof(T)}), 1, s.oh); }
  int64_t band_lines(int64_t size) const { return (size - 1) * s.stride_h + s.kh; }

  // f(image, lines of its map) for some of all bands.
  template <class F>
  void for_bands(Range some, int64_t most_lines, const F& f) const {
    const int64_t count = block_count(s.oh, most_lines);
    for (int64_t i = some.begin; i < some.end; i++) f(i / count, Range{0, s.oh}.part(i % count, count));
  }

  template <bool Phased>
  void copy_lines(const T* image, int64_t n, Range band, T* to) const {
    std::fill_n(to, band_lines(band.size()) * line, T{0});
    for (int64_t i = 0; i < band_lines(band.size()); i++, to += line) {
      const int64_t y = band.begin * s.stride_h + i - s.pad_h;
      if (y < 0 || y >= s.h) continue;
      const T* const from = image + (n * s.h + y) * s.w * s.c;
      if constexpr (!Phased) {
        std::copy_n(from, s.w * s.c, to + s.pad_w * s.c);
      } else {
        for_phases([&](int64_t x, int64_t place, int64_t run) {
          for (int64_t j = 0; j < run; j++) to[place + j] = from[x + j * step];
        });
      }
    }
  }

  // Pixels under no window are zeros.
  void copy_back(const T* sums, T* image) const {
    for (int64_t y = 0; y < s.h; y++, image += s.w * s.c) {
      if (y + s.pad_h >= lines) {
        std::fill_n(image, s.w * s.c, T{0});
        continue;
      }
      const T* const from = sums + (y + s.pad_h) * line;
      for_phases([&](int64_t x, int64_t place, int64_t run) {
        for (int64_t j = 0; j < run; j++) image[x + j * step] = from[place + j];
      });
    }
  }

  // f(x, place, run) for each phase of a line of the image: its numbers x, x + step, ... stand at place, place + 1, ...
  // of a phased line.
  template <class F>
  void for_phases(const F& f) const {
    const int64_t count = s.w * s.c;
    for (int64_t x = 0; x < std::min(step, count); x++) f(x, phased(x + s.pad_w * s.c), (count - x + step - 1) / step);
  }

  // (windows, filters) -> (filters, windows), zeros beyond the last window.
  void transpose(const T* from, T* columns) const {
    const int64_t next = s.ow * s.oc;  // line of the map, fetched ahead
    for (int64_t q = 0; q < wide; q += lanes) {
      for (int64_t o = 0; o < s.oc; o += lanes) {
        const T* const at = from + q * s.oc + o;
        V square[lanes] = {};
        if (q + lanes <= s.ow) {
#pragma GCC unroll 16
          for (int64_t l = 0; l < lanes; l++) {
            square[l] = load<V>(at + l * s.oc);
            __builtin_prefetch(at + l * s.oc + next, 0, 2);
          }
        } else {
          for (int64_t l = 0; q + l < s.ow; l++) square[l] = load<V>(at + l * s.oc);
        }
        gemm::transpose<V, lanes>(square);
#pragma GCC unroll 16
        for (int64_t l = 0; l < lanes; l++) store(columns + (o + l) * wide + q, square[l]);
      }
    }
  }

  // ---- the product ----

  template <class F>
  static void for_parts(int64_t count, const F& f) {
    const int64_t parts = block_count(count, most_rows);
    for (int64_t i = 0; i < parts; i++) f(Range{0, count}.part(i, parts));
  }

  static void multiply(int64_t rows, int64_t width, int64_t depth, const T* a, const int64_t* at, const T* b,
                       int64_t b_step, T* const* out, bool accumulate, const BiasActivation<T>* epilogue = nullptr) {
    using Counts = std::make_integer_sequence<int, most_rows>;
    static constexpr auto one = thin_kernels<T, Bytes, 1>(Counts{}), two = thin_kernels<T, Bytes, 2>(Counts{});
    const auto i = static_cast<size_t>(rows - 1);
    int64_t j = 0;
    for (; j + 2 * lanes <= width; j += 2 * lanes) two[i](depth, a, at, b + j, b_step, out, j, accumulate, epilogue);
    if (j < width) one[i](depth, a, at, b + j, b_step, out, j, accumulate, epilogue);
  }

  ConvShape s;
  int64_t row;     // numbers of a window's row
  int64_t step;    // from a window to the next one, the number of phases
  int64_t taps;    // numbers of a window
  int64_t wide;    // windows of a line, in whole vectors
  int64_t places;  // of a phase
  int64_t line;    // numbers of a padded line, more than w + 2*pad_w pixels
  int64_t lines;   // of an image, all that windows see
};

// Calls f with the algorithm, or returns false.
template <class T, class F>
bool if_thin(const ConvShape& s, const F& f) {
  if (s.c > most_channels || s.flops() == 0 || window_is_image(s)) return false;
  if (s.kw * s.c < least_broadcasts || s.ow < least_broadcasts) return false;
  bool done = false;
  with_simd([&](auto bytes) {
    if (s.oc % gemm::Tile<T, bytes>::lanes != 0) return;
    f(ThinConv<T, bytes>(s));
    done = true;
  });
  return done;
}

}  // namespace

template <class T>
bool thin_conv2d(const ConvShape& s, const T* image, const T* weight, const BiasActivation<T>* epilogue, T* map) {
  return if_thin<T>(s, [&](const auto& thin) { thin.conv2d(image, weight, epilogue, map); });
}
template <class T>
bool thin_conv_transpose2d(const ConvShape& s, const T* map, const T* weight, T* image) {
  return if_thin<T>(s, [&](const auto& thin) { thin.conv_transpose2d(map, weight, image); });
}
template <class T>
bool thin_weight_grad(const ConvShape& s, const T* image, const T* map, T* weight) {
  return if_thin<T>(s, [&](const auto& thin) { thin.weight_grad(image, map, weight); });
}

#define FORGER_THIN(T)                                                                              \
  template bool thin_conv2d<T>(const ConvShape&, const T*, const T*, const BiasActivation<T>*, T*); \
  template bool thin_conv_transpose2d<T>(const ConvShape&, const T*, const T*, T*);                 \
  template bool thin_weight_grad<T>(const ConvShape&, const T*, const T*, T*)
FORGER_THIN(float);
FORGER_THIN(double);

}  // namespace forger::kernels
