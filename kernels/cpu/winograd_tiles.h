// The tiles of a polyphase Winograd convolution: where they lie in the image, the map and the weight, and how they become
// transformed values and come back (winograd.cpp has the whole picture).
#pragma once
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/winograd_transform.h"

namespace forger::kernels::winograd {

using gemm::Range;

// Down and Across: the minimal filters of the two axes.
template <class T, int Bytes, class Down, class Across>
class Polyphase {
 public:
  static constexpr int points = Down::n * Across::n;

  explicit Polyphase(const ConvShape& shape)
      : s(shape),
        stride(s.stride_h),
        phase_rows(stride * groups(s.kh, Down::r)),
        phase_cols(stride * groups(s.kw, Across::r)),
        depth(phase_rows * phase_cols * s.c),
        tile_rows(gemm::block_count(s.oh, Down::m)),
        tile_cols(gemm::block_count(s.ow, Across::m)),
        tiles(s.n * tile_rows * tile_cols) {}

  bool shares_pixels() const { return phase_rows * phase_cols > stride * stride; }  // phases of one tile

  double multiply_adds() const { return double(points) * double(tiles) * double(depth) * double(s.oc); }
  double transformed_values() const {
    return double(points) *
           (double(tiles) * double(depth) + double(tiles) * double(s.oc) + double(depth) * double(s.oc));
  }

 protected:
  using Lanes = Vec<T, Bytes>;
  static constexpr int lanes = gemm::Tile<T, Bytes>::lanes, nr = gemm::Tile<T, Bytes>::nr;

  using Vertical = Transforms<T, Down>;
  using Horizontal = Transforms<T, Across>;
  int64_t groups(int64_t kernel, int taps) const { return gemm::block_count(gemm::block_count(kernel, stride), taps); }

  struct Tile {
    int64_t n, row, col;  // row and col of its first map pixel
  };
  Tile tile(int64_t t) const {
    const int64_t line = t / tile_cols;
    return {line / tile_rows, line % tile_rows * Down::m, t % tile_cols * Across::m};
  }

  // The pixels of a tile in one phase. Those outside [row_begin, row_end) x [col_begin, col_end) are not in the image;
  // the first R - 1 rows or columns may belong to an earlier tile, too.
  struct PhaseTile {
    int64_t origin;  // offset of pixel (0, 0) in the image
    int64_t row_begin, row_end, col_begin, col_end;
    bool rows_shared, cols_shared;
    int64_t skipped;  // offset of the first pixel that no earlier tile has

    bool inside(int i, int j) const { return i >= row_begin && i < row_end && j >= col_begin && j < col_end; }
    bool whole() const { return row_begin <= 0 && row_end >= Down::n && col_begin <= 0 && col_end >= Across::n; }
    bool shared(int i, int j) const { return (rows_shared && i < Down::r - 1) || (cols_shared && j < Across::r - 1); }
  };
  // Where the first tap of a phase stands in the kernel.
  int64_t first_row(int64_t phase) const { return first_tap(phase / phase_cols, Down::r); }
  int64_t first_col(int64_t phase) const { return first_tap(phase % phase_cols, Across::r); }
  int64_t first_tap(int64_t phase, int taps) const { return phase % stride + phase / stride * stride * taps; }

  PhaseTile phase_tile(const Tile& t, int64_t phase) const {
    const int64_t top = first_row(phase) - s.pad_h, left = first_col(phase) - s.pad_w;
    const int64_t y = stride * t.row + top, x = stride * t.col + left;
    const auto steps = [&](int64_t pixels) { return pixels > 0 ? gemm::block_count(pixels, stride) : 0; };
    return {((t.n * s.h + y) * s.w + x) * s.c,
            steps(-y),
            steps(covered_rows() - y),
            steps(-x),
            steps(covered_cols() - x),
            t.row > 0,
            t.col > 0,
            stride * (steps(-top) * s.w + steps(-left)) * s.c};
  }
  // Pixels under some window; the image may have a few more.
  int64_t covered_rows() const { return std::min(s.h, stride * (s.oh - 1) + s.kh - s.pad_h); }
  int64_t covered_cols() const { return std::min(s.w, stride * (s.ow - 1) + s.kw - s.pad_w); }

  // f(tile index, phase tile, is it whole, k, channel) for the vectors of channels k of `slice`.
  template <class F>
  void for_phase_vectors(Range block, Range slice, const F& f) const {
    for (int64_t t = block.begin; t < block.end; t++) {
      const Tile at = tile(t);
      for (int64_t k = slice.begin; k < slice.end;) {
        const int64_t phase = k / s.c, end = std::min(slice.end, (phase + 1) * s.c);
        const PhaseTile pixels = phase_tile(at, phase);
        with_flag(pixels.whole(), [&](auto all) {
          for (; k < end; k += lanes) f(t - block.begin, pixels, all, k - slice.begin, k - phase * s.c);
        });
      }
    }
  }
  // f(tile index, its offset in the map, rows and columns in the map, is it whole, channel), likewise.
  template <class F>
  void for_map_vectors(Range block, Range slice, const F& f) const {
    for (int64_t t = block.begin; t < block.end; t++) {
      const Tile at = tile(t);
      const int64_t rows = s.oh - at.row, cols = s.ow - at.col;
      const int64_t origin = ((at.n * s.oh + at.row) * s.ow + at.col) * s.oc;
      with_flag(rows >= Down::m && cols >= Across::m, [&](auto all) {
        for (int64_t o = slice.begin; o < slice.end; o += lanes) f(t - block.begin, origin, rows, cols, all, o);
      });
    }
  }
  template <class F>
  static void with_flag(bool flag, const F& f) {
    flag ? f(std::true_type{}) : f(std::false_type{});
  }

  // Pixels under no window are zeros.
  void clear_uncovered(T* image) const {
    const int64_t rows = covered_rows(), cols = covered_cols();
    if (rows == s.h && cols == s.w) return;
    for (int64_t line = 0; line < s.n * s.h; line++) {
      const int64_t from = line % s.h < rows ? cols : 0;
      std::fill_n(image + (line * s.w + from) * s.c, (s.w - from) * s.c, T{0});
    }
  }

  // From a pixel of a phase to the one below it and to the one beside it; of the map likewise, whose pixels are
  // adjacent.
  int64_t image_line() const { return stride * s.w * s.c; }
  int64_t image_pixel() const { return stride * s.c; }
  int64_t map_line() const { return s.ow * s.oc; }

  // How far the pixels of the tile that usually comes next are, so that they can be fetched ahead: the image and the
  // map are what comes from far.
  int64_t next_image_tile() const { return tile_cols > 1 ? Across::m * stride * s.c : s.h * s.w * s.c; }
  int64_t next_map_tile() const { return tile_cols > 1 ? Across::m * s.oc : s.oh * s.ow * s.oc; }

  // ---- tiles to points and back ----

  // V: B^T d B of the tiles of `block`, channels of `slice`.
  void image_to_points(const T* image, Range block, Range slice, const Points<T>& out) const {
    const int64_t line = image_line(), pixel = image_pixel(), next_tile = next_image_tile();
    for_phase_vectors(block, slice, [&](int64_t row, const PhaseTile& t, auto whole, int64_t k, int64_t channel) {
      const T* const from = image + t.origin + channel;
      T* const to = out.at(row, k);
      const auto get = [&](int i) {
        const T* const at = from + i / Across::n * line + i % Across::n * pixel;
        if (i % Across::n >= Across::r - 1) __builtin_prefetch(at + next_tile, 0, 2);
        return whole || t.inside(i / Across::n, i % Across::n) ? load<Lanes>(at) : Lanes{};
      };
      sandwich<Vertical::b_t, Horizontal::b_t, Lanes>(get, [&](int i, Lanes v) { store(to + i * out.plane, v); });
    });
  }

  // image (+)= B v B^T. Tiles of an image must come in order: a pixel's first tile stores, the others add.
  void points_to_image(const Points<T>& in, Range block, Range slice, T* image) const {
    const int64_t line = image_line(), pixel = image_pixel();
    for_phase_vectors(block, slice, [&](int64_t row, const PhaseTile& t, auto whole, int64_t k, int64_t channel) {
      const T* const from = in.at(row, k);
      T* const to = image + t.origin + channel;
      const auto put = [&](int i, Lanes v) {
        T* const at = to + i / Across::n * line + i % Across::n * pixel;
        if (!whole && !t.inside(i / Across::n, i % Across::n)) return;
        store(at, t.shared(i / Across::n, i % Across::n) ? load<Lanes>(at) + v : v);
      };
      sandwich<Vertical::b, Horizontal::b, Lanes>([&](int i) { return load<Lanes>(from + i * in.plane); }, put);
    });
  }

  // W: A y A^T of the tiles of `block`, channels of `slice`.
  void map_to_points(const T* map, Range block, Range slice, const Points<T>& out) const {
    const int64_t line = map_line(), pixel = s.oc, next_tile = next_map_tile();
    for_map_vectors(block, slice, [&](int64_t row, int64_t origin, int64_t rows, int64_t cols, auto whole, int64_t o) {
      const T* const from = map + origin + o;
      T* const to = out.at(row, o - slice.begin);
      const auto get = [&](int i) {
        const T* const at = from + i / Across::m * line + i % Across::m * pixel;
        __builtin_prefetch(at + next_tile, 0, 2);
        return whole || (i / Across::m < rows && i % Across::m < cols) ? load<Lanes>(at) : Lanes{};
      };
      sandwich<Vertical::a, Horizontal::a, Lanes>(get, [&](int i, Lanes v) { store(to + i * out.plane, v); });
    });
  }

  // map = A^T w A for the channels of `slice`, or what the epilogue makes of it.
  void points_to_map(const Points<T>& in, Range block, Range slice, const BiasActivation<T>* epilogue, T* map) const {
    const int64_t line = map_line(), pixel = s.oc;
    for_map_vectors(block, slice, [&](int64_t row, int64_t origin, int64_t rows, int64_t cols, auto whole, int64_t o) {
      const T* const from = in.at(row, o - slice.begin);
      T* const to = map + origin + o;
      const Lanes bias = epilogue && epilogue->bias ? load<Lanes>(epilogue->bias + o) : Lanes{};
      const auto put = [&](int i, Lanes v) {
        if (!whole && (i / Across::m >= rows || i % Across::m >= cols)) return;
        store(to + i / Across::m * line + i % Across::m * pixel, epilogue ? (*epilogue)(v, bias) : v);
      };
      sandwich<Vertical::a_t, Horizontal::a_t, Lanes>([&](int i) { return load<Lanes>(from + i * in.plane); }, put);
    });
  }

  // ---- weights to points and back ----

  static constexpr int taps_of_phase = Down::r * Across::r;

  // f(tap, its offset in the weight) for the taps of filter o and channel k that exist.
  template <class F>
  void for_taps(int64_t o, int64_t k, const F& f) const {
    const int64_t phase = k / s.c, c = k % s.c;
    for (int i = 0; i < taps_of_phase; i++) {
      const int64_t y = stride * (i / Across::r) + first_row(phase), x = stride * (i % Across::r) + first_col(phase);
      if (y < s.kh && x < s.kw) f(i, ((o * s.kh + y) * s.kw + x) * s.c + c);
    }
  }

  // A piece of U as the B of products: points x panels (columns/nr, rows, nr) of `rows` x `columns`.
  struct Packed {
    T* data;
    Range rows, columns;

    static int64_t plane(int64_t rows, int64_t columns) {
      return odd_lines(rows * gemm::block_count(columns, nr) * nr, sizeof(T));
    }
    T* point(int i) const { return data + i * plane(rows.size(), columns.size()); }
    T* at(int64_t row, int64_t column) const {  // of the first point
      column -= columns.begin;
      return data + (column / nr * rows.size() + row - rows.begin) * nr + column % nr;
    }
  };

  // U = G g G^T at a place of a piece, for as many columns as there are lanes.
  void store_points(const Lanes* taps, const Packed& packed, int64_t row, int64_t column) const {
    T* const to = packed.at(row, column);
    const int64_t plane = packed.point(1) - packed.point(0);
    sandwich<Vertical::g, Horizontal::g, Lanes>([&](int i) { return taps[i]; },
                                                [&](int i, Lanes u) { store(to + i * plane, u); });
  }

  // (OC, K).
  void pack_transposed(const T* weight, const Packed& packed) const {
    const int64_t filter = s.kh * s.kw * s.c;
    for (int64_t o = packed.rows.begin; o < packed.rows.end; o++) {
      for (int64_t k = packed.columns.begin; k < packed.columns.end; k += lanes) {
        Lanes taps[taps_of_phase] = {};
        for_taps(o, k, [&](int i, int64_t offset) {
          taps[i] = load<Lanes>(weight + offset);
          __builtin_prefetch(weight + offset + filter);  // what the next row needs
        });
        store_points(taps, packed, o, k);
      }
    }
  }

  // (K, OC), whose columns are filters: squares of filters and channels are transposed first.
  void pack_forward(const T* weight, const Packed& packed) const {
    const int64_t filter = s.kh * s.kw * s.c;
    for (int64_t o = packed.columns.begin; o < packed.columns.end; o += lanes) {
      for (int64_t k = packed.rows.begin; k < packed.rows.end; k += lanes) {
        Lanes square[taps_of_phase][lanes] = {};  // taps, channels
        for_taps(o, k, [&](int i, int64_t offset) {
#pragma GCC unroll 16
          for (int64_t l = 0; l < lanes; l++) {
            square[i][l] = load<Lanes>(weight + offset + l * filter);
            __builtin_prefetch(weight + offset + l * filter + lanes);  // what the next square needs
          }
          gemm::transpose<Lanes, lanes>(square[i]);
        });
        for (int64_t l = 0; l < lanes; l++) {
          Lanes taps[taps_of_phase];
#pragma GCC unroll 9
          for (int i = 0; i < taps_of_phase; i++) taps[i] = square[i][l];
          store_points(taps, packed, k + l, o);
        }
      }
    }
  }

  // weight = G^T u G for the channels of `slice`, all filters.
  void points_to_weight(const Points<T>& from, Range slice, T* weight) const {
    for (int64_t o = 0; o < s.oc; o++) {
      for (int64_t k = slice.begin; k < slice.end; k += lanes) {
        Lanes taps[taps_of_phase];
        const T* const data = from.at(o, k - slice.begin);
        sandwich<Vertical::g_t, Horizontal::g_t, Lanes>([&](int i) { return load<Lanes>(data + i * from.plane); },
                                                        [&](int i, Lanes tap) { taps[i] = tap; });
        for_taps(o, k, [&](int i, int64_t offset) { store(weight + offset, taps[i]); });
      }
    }
  }

  ConvShape s;
  int64_t stride, phase_rows, phase_cols, depth, tile_rows, tile_cols, tiles;
};

}  // namespace forger::kernels::winograd
