// Polyphase Winograd: the convolution triangle as a batch of matrix products between transformed tiles.
//
// Polyphase. With a stride of S, tap S*a + r of the kernel meets image row S*(p + a) + r - pad at map row p. So the
// image splits into S phases per axis, r = 0..S-1, and the convolution is a sum over the S*S phases of stride-1
// convolutions with ceil(kernel/S) taps per axis; the phases are S*S times as many channels. A 4x4 stride-2
// convolution becomes 2x2 taps on 4*C channels. Many taps are split likewise, into groups of R: taps R*g + a, a < R,
// are a phase of their own, whose pixels begin S*R*g further on. A row of 7 taps becomes 4 taps on 2*C channels.
//
// Winograd. A tile of M map pixels along an axis needs N = M + R - 1 phase pixels. F(M, R) (winograd_matrices.h),
// nested over both axes, computes it from N*N products per pair of channels, where the direct form takes M*M*R*R: 25
// for 64 with F(4, 2), 36 for 144 with F(4, 3). The axes may differ: a kernel of one row has F(1, 1), which is nothing,
// along the columns, and F(5, 4), 8 products for 20, along the rows. For each of the points the products of all tiles
// and channels are one matrix product:
//
//   image tiles  d -> B^T d B   V (points, tiles, K)       K = phases*C, ordered (row phase, column phase, channel)
//   map tiles    y -> A y A^T   W (points, tiles, OC)
//   weights      g -> G g G^T   U (points, K, OC)
//
//   conv2d             map    = A^T [V U] A          gathered: every map pixel belongs to one tile
//   conv_transpose2d   image  = B [W U^T] B^T        scattered: tiles overlap by R - 1 phase pixels, and are added
//   conv_weight_grad   weight = G^T [V^T W] G        summed over tiles
//
// The three are one trilinear form, <conv(image, weight), map> = sum over points and tiles of V U W, so the second and
// third line are the first one transposed, and exact derivatives of it. Groups of taps share pixels, which the second
// line would have to add up in an order of its own for each number of threads: it leaves those layers to the direct
// way.
//
// In memory. The first two are one loop nest over blocks of tiles, slices of the output's channels and slices of depth.
// Of the two factors the smaller one stays, transformed once, and the other passes by in pieces that fit the L2: U
// stays while blocks of tiles pass, or the tiles stay while slices of U pass, each packed right before it is
// multiplied. Threads stand in a grid: some share out the tiles, some the output's channels, whichever repeats less
// transforming. None waits for another, and every sum runs in an order that depends on the shape alone.
//
// Transforms wait for memory, which products leave idle. So the pixels that a block of tiles will become, and those of
// the next block, are fetched while their tiles are multiplied (gemm::Wanted).
//
// Transformed values of neighbouring points lie a `plane` apart, an odd number of cache lines, so that the 25 streams
// of a tile's stores fall into different sets of the L1.
#include "kernels/cpu/winograd.h"

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/winograd_matrices.h"

namespace forger::kernels {
namespace {

using gemm::Matrix;
using gemm::MatrixOut;
using gemm::Operand;
using gemm::Range;

constexpr int64_t all_columns = INT64_MAX;
constexpr int64_t max_depth = 256;          // what one pass of a product sums
constexpr int64_t passing_width = 64;       // columns of a slice of U that passes
constexpr int64_t staying_bytes = 8 << 20;  // of a factor that stays
constexpr int64_t grad_tiles = 64;          // tiles of a block where they are the depth of the product
constexpr int64_t grad_bytes = 3 << 20;     // of a slice of the transformed weight gradient

// ---- transforms -----------------------------------------------------------------------------------------------------

// Row I of m times the vectors x: only what is not zero, signs instead of multiplications by -1.
template <const auto& m, int I, int J, bool Started, class V>
inline V add_terms(V sum, const V* x) {
  if constexpr (J == std::remove_cvref_t<decltype(m)>::cols) {
    return sum;
  } else {
    constexpr auto factor = m.at[I][J];
    if constexpr (factor == 0) {
      return add_terms<m, I, J + 1, Started>(sum, x);
    } else if constexpr (factor == 1) {
      return add_terms<m, I, J + 1, true>(Started ? sum + x[J] : x[J], x);
    } else if constexpr (factor == -1) {
      return add_terms<m, I, J + 1, true>(Started ? sum - x[J] : -x[J], x);
    } else {
      return add_terms<m, I, J + 1, true>(Started ? sum + factor * x[J] : factor * x[J], x);
    }
  }
}

// y (v rows, h rows) = v x h^T for x (v cols, h cols), element i being read by get(i) and written by put(i, value) when
// it is due: all that lives in between fits the registers.
template <const auto& v, const auto& h, class V, size_t... I, size_t... J, class Get, class Put>
inline void sandwich(std::index_sequence<I...>, std::index_sequence<J...>, const Get& get, const Put& put) {
  using Down = std::remove_cvref_t<decltype(v)>;
  using Across = std::remove_cvref_t<decltype(h)>;
  V half[Down::rows * Across::cols];
#pragma GCC unroll 8
  for (int j = 0; j < Across::cols; j++) {
    V column[Down::cols];
#pragma GCC unroll 8
    for (int l = 0; l < Down::cols; l++) column[l] = get(l * Across::cols + j);
    ((half[static_cast<int>(I) * Across::cols + j] = add_terms<v, static_cast<int>(I), 0, false>(V{}, column)), ...);
  }
#pragma GCC unroll 8
  for (int i = 0; i < Down::rows; i++)
    (put(i * Across::rows + static_cast<int>(J),
         add_terms<h, static_cast<int>(J), 0, false>(V{}, half + i * Across::cols)),
     ...);
}
template <const auto& v, const auto& h, class V, class Get, class Put>
inline void sandwich(const Get& get, const Put& put) {
  sandwich<v, h, V>(std::make_index_sequence<std::remove_cvref_t<decltype(v)>::rows>{},
                    std::make_index_sequence<std::remove_cvref_t<decltype(h)>::rows>{}, get, put);
}

// A filter's matrices as numbers.
template <class T, class Filter>
struct Transforms {
  static constexpr Filter exact{};
  static constexpr auto a = exact.a.template as<T>(), b = exact.b.template as<T>();
  static constexpr auto g = exact.g.template as<T>();
  static constexpr auto a_t = a.transposed(), b_t = b.transposed();
  static constexpr auto g_t = g.transposed();
};

// Transformed values: points x (rows, columns). By panels of `panel` columns as gemm packs B, or plainly by rows.
template <class T>
struct Points {
  T* data;
  int64_t plane;  // from a point to the next
  int64_t row;    // from a row to the next
  int64_t panel;  // columns of a panel; `all_columns` for plain rows
  int64_t panel_step;

  T* at(int64_t i, int64_t column) const {
    if (panel == all_columns) return data + i * row + column;
    return data + column / panel * panel_step + i * row + column % panel;
  }
};

int64_t odd_lines(int64_t elements, size_t size) {
  const int64_t line = 64 / static_cast<int64_t>(size);
  return ((elements + line - 1) / line | 1) * line;
}

template <class T>
Points<T> plain_points(Scratch slot, int64_t points, int64_t rows, int64_t columns) {
  const int64_t plane = odd_lines(rows * columns, sizeof(T));
  T* const data = static_cast<T*>(scratch(slot, static_cast<size_t>(points * plane) * sizeof(T)));
  return {data, plane, columns, all_columns, 0};
}
// Rows as the micro-kernels read them in place (gemm.h).
template <class T>
Points<T> row_points(Scratch slot, int64_t points, int64_t rows, int64_t columns) {
  constexpr int64_t panel = gemm::max_kc<T>, row = gemm::row_step<T>;
  const int64_t plane = odd_lines(gemm::blocks(columns, panel) * rows * row, sizeof(T));
  T* const data = static_cast<T*>(scratch(slot, static_cast<size_t>(points * plane) * sizeof(T)));
  return {data, plane, row, panel, rows * row};
}
template <class T>
Points<T> packed_points(Scratch slot, int64_t points, int64_t rows, int64_t columns, int64_t panel) {
  const int64_t plane = odd_lines(rows * gemm::blocks(columns, panel) * panel, sizeof(T));
  T* const data = static_cast<T*>(scratch(slot, static_cast<size_t>(points * plane) * sizeof(T)));
  return {data, plane, panel, panel, rows * panel};
}

// ---- geometry -------------------------------------------------------------------------------------------------------

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
        tile_rows(gemm::blocks(s.oh, Down::m)),
        tile_cols(gemm::blocks(s.ow, Across::m)),
        tiles(s.n * tile_rows * tile_cols) {}

  bool shares_pixels() const { return phase_rows * phase_cols > stride * stride; }  // phases of one tile

  void conv2d(const T* image, const T* weight, const BiasActivation<T>* epilogue, T* map) const;
  void conv_transpose2d(const T* map, const T* weight, T* image) const;
  void weight_grad(const T* image, const T* map, T* weight) const;

  double multiply_adds() const { return double(points) * double(tiles) * double(depth) * double(s.oc); }
  double transformed_values() const {
    return double(points) *
           (double(tiles) * double(depth) + double(tiles) * double(s.oc) + double(depth) * double(s.oc));
  }

 private:
  using V = Vec<T, Bytes>;
  static constexpr int lanes = gemm::Tile<T, Bytes>::lanes, nr = gemm::Tile<T, Bytes>::nr;

  using V_ = Transforms<T, Down>;
  using H_ = Transforms<T, Across>;
  // Tiles of a block that passes: panels of 14 rows, so that the block and its piece of U share the L2.
  static constexpr int64_t passing_tiles = 14 * std::max(2, 50 / points);

  int64_t groups(int64_t kernel, int taps) const { return gemm::blocks(gemm::blocks(kernel, stride), taps); }

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
    const auto steps = [&](int64_t pixels) { return pixels > 0 ? gemm::blocks(pixels, stride) : 0; };
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
        return whole || t.inside(i / Across::n, i % Across::n) ? load<V>(at) : V{};
      };
      sandwich<V_::b_t, H_::b_t, V>(get, [&](int i, V v) { store(to + i * out.plane, v); });
    });
  }

  // image (+)= B v B^T. Tiles of an image must come in order: a pixel's first tile stores, the others add.
  void points_to_image(const Points<T>& in, Range block, Range slice, T* image) const {
    const int64_t line = image_line(), pixel = image_pixel();
    for_phase_vectors(block, slice, [&](int64_t row, const PhaseTile& t, auto whole, int64_t k, int64_t channel) {
      const T* const from = in.at(row, k);
      T* const to = image + t.origin + channel;
      const auto put = [&](int i, V v) {
        T* const at = to + i / Across::n * line + i % Across::n * pixel;
        if (!whole && !t.inside(i / Across::n, i % Across::n)) return;
        store(at, t.shared(i / Across::n, i % Across::n) ? load<V>(at) + v : v);
      };
      sandwich<V_::b, H_::b, V>([&](int i) { return load<V>(from + i * in.plane); }, put);
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
        return whole || (i / Across::m < rows && i % Across::m < cols) ? load<V>(at) : V{};
      };
      sandwich<V_::a, H_::a, V>(get, [&](int i, V v) { store(to + i * out.plane, v); });
    });
  }

  // map = A^T w A for the channels of `slice`, or what the epilogue makes of it.
  void points_to_map(const Points<T>& in, Range block, Range slice, const BiasActivation<T>* epilogue, T* map) const {
    const int64_t line = map_line(), pixel = s.oc;
    for_map_vectors(block, slice, [&](int64_t row, int64_t origin, int64_t rows, int64_t cols, auto whole, int64_t o) {
      const T* const from = in.at(row, o - slice.begin);
      T* const to = map + origin + o;
      const V bias = epilogue && epilogue->bias ? load<V>(epilogue->bias + o) : V{};
      const auto put = [&](int i, V v) {
        if (!whole && (i / Across::m >= rows || i % Across::m >= cols)) return;
        store(to + i / Across::m * line + i % Across::m * pixel, epilogue ? (*epilogue)(v, bias) : v);
      };
      sandwich<V_::a_t, H_::a_t, V>([&](int i) { return load<V>(from + i * in.plane); }, put);
    });
  }

  // ---- the two ends of a convolution ----
  //
  //   load(tiles, slice, points)   transforms tiles, for some channels
  //   store(points, tiles, slice)  and back
  //   want(to, tiles, slice)       lists addresses of their pixels and returns the end of the list: nearly all that no
  //                                other tile has, and a few beyond the array, which fetches do not mind

  template <class Pixel>
  struct ImageEnd {
    const Polyphase& of;
    Pixel* image;
    void load(Range block, Range slice, const Points<T>& v) const { of.image_to_points(image, block, slice, v); }
    void store(const Points<T>& v, Range block, Range slice) const { of.points_to_image(v, block, slice, image); }
    const void** want(const void** to, Range block, Range slice) const {
      of.for_phase_vectors(block, slice, [&](int64_t, const PhaseTile& t, auto, int64_t, int64_t channel) {
        to = want_pixels(to, image + t.origin + t.skipped + channel, of.image_line(), of.image_pixel());
      });
      return to;
    }
  };

  template <class Pixel>
  struct MapEnd {
    const Polyphase& of;
    Pixel* map;
    const BiasActivation<T>* epilogue = nullptr;
    void load(Range block, Range slice, const Points<T>& w) const { of.map_to_points(map, block, slice, w); }
    void store(const Points<T>& w, Range block, Range slice) const { of.points_to_map(w, block, slice, epilogue, map); }
    const void** want(const void** to, Range block, Range slice) const {
      of.for_map_vectors(block, slice, [&](int64_t, int64_t origin, int64_t, int64_t, auto, int64_t o) {
        to = want_pixels(to, map + origin + o, of.map_line(), of.s.oc);
      });
      return to;
    }
  };

  static const void** want_pixels(const void** to, const T* first, int64_t line, int64_t pixel) {
    for (int i = 0; i < Down::m; i++)
      for (int j = 0; j < Across::m; j++) *to++ = first + i * line + j * pixel;
    return to;
  }
  // Addresses of a block of tiles, for so many channels.
  static int64_t most_wanted(int64_t block, int64_t channels) {
    return block * gemm::blocks(channels, lanes) * Down::m * Across::m;
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
      return odd_lines(rows * gemm::blocks(columns, nr) * nr, sizeof(T));
    }
    T* point(int i) const { return data + i * plane(rows.size(), columns.size()); }
    T* at(int64_t row, int64_t column) const {  // of the first point
      column -= columns.begin;
      return data + (column / nr * rows.size() + row - rows.begin) * nr + column % nr;
    }
  };

  // U = G g G^T at a place of a piece, for as many columns as there are lanes.
  void store_points(const V* taps, const Packed& packed, int64_t row, int64_t column) const {
    T* const to = packed.at(row, column);
    const int64_t plane = packed.point(1) - packed.point(0);
    sandwich<V_::g, H_::g, V>([&](int i) { return taps[i]; }, [&](int i, V u) { store(to + i * plane, u); });
  }

  // (OC, K).
  void pack_transposed(const T* weight, const Packed& packed) const {
    const int64_t filter = s.kh * s.kw * s.c;
    for (int64_t o = packed.rows.begin; o < packed.rows.end; o++) {
      for (int64_t k = packed.columns.begin; k < packed.columns.end; k += lanes) {
        V taps[taps_of_phase] = {};
        for_taps(o, k, [&](int i, int64_t offset) {
          taps[i] = load<V>(weight + offset);
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
        V square[taps_of_phase][lanes] = {};  // taps, channels
        for_taps(o, k, [&](int i, int64_t offset) {
#pragma GCC unroll 16
          for (int64_t l = 0; l < lanes; l++) {
            square[i][l] = load<V>(weight + offset + l * filter);
            __builtin_prefetch(weight + offset + l * filter + lanes);  // what the next square needs
          }
          gemm::transpose<V, lanes>(square[i]);
        });
        for (int64_t l = 0; l < lanes; l++) {
          V taps[taps_of_phase];
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
        V taps[taps_of_phase];
        const T* const data = from.at(o, k - slice.begin);
        sandwich<V_::g_t, H_::g_t, V>([&](int i) { return load<V>(data + i * from.plane); },
                                      [&](int i, V tap) { taps[i] = tap; });
        for_taps(o, k, [&](int i, int64_t offset) { store(weight + offset, taps[i]); });
      }
    }
  }

  // ---- products of points ----

  // to (tiles, width) = from (tiles, length) x U (length, width), for all points. `pack` makes a piece of U.
  // Tiles are dealt to threads in multiples of `grain`.
  template <class From, class Pack, class To>
  void multiply_points(int64_t length, int64_t width, int64_t grain, const From& from, const Pack& pack,
                       const To& to) const {
    // Each thread transforms (tiles/teams)*length values of the input and length*width/members of U.
    const int64_t count = worthwhile_threads();
    int64_t teams = 1, members = 1;
    const auto transformed = [&](int64_t t, int64_t m) {
      return double(tiles) / double(t) + double(width) / double(m);
    };
    for (int64_t t = 1; t <= std::min(count, tiles / grain); t++) {
      const int64_t m = std::min(count / t, gemm::blocks(width, nr));
      if (t * m > teams * members || (t * m == teams * members && transformed(t, m) < transformed(teams, members)))
        teams = t, members = m;
    }
    parallel_jobs(teams * members, [&](int64_t job) {
      const Range mine = Range{0, tiles}.part(job / members, teams, grain);
      const Range wide = Range{0, width}.part(job % members, members, nr);
      if (mine.size() > 0 && wide.size() > 0) multiply_share(length, mine, wide, from, pack, to);
    });
  }

  template <class From, class Pack, class To>
  void multiply_share(int64_t length, Range mine, Range wide, const From& from, const Pack& pack, const To& to) const {
    const int64_t size = int64_t{sizeof(T)}, parts = gemm::blocks(length, max_depth);
    const auto part_of_u = [&](int64_t width) { return points * Packed::plane(std::min(max_depth, length), width); };
    const bool u_is_smaller = wide.size() <= mine.size() && mine.size() > passing_tiles;
    const bool u_stays = u_is_smaller && parts * part_of_u(wide.size()) * size <= staying_bytes;
    const int64_t most_tiles = u_stays ? passing_tiles : std::max<int64_t>(staying_bytes / (points * length * size), 1);
    const int64_t most_columns = u_stays ? all_columns : std::max<int64_t>(passing_width / nr, 1) * nr;
    const int64_t columns = std::min(most_columns, wide.size()), block_rows = std::min(most_tiles, mine.size());
    const Points<T> in = row_points<T>(Scratch::winograd_in, points, block_rows, u_stays ? max_depth : length);
    const auto input = [&](Range part) {  // those columns of `in`
      Points<T> columns_of = in;
      columns_of.data = in.at(0, u_stays ? 0 : part.begin);
      return columns_of;
    };
    const Points<T> out = plain_points<T>(Scratch::winograd_out, points, block_rows, columns);
    const int64_t u_part = part_of_u(columns);
    T* const u =
        static_cast<T*>(scratch(Scratch::winograd_weight, static_cast<size_t>((u_stays ? parts : 1) * u_part * size)));
    const auto piece = [&](Range part, Range slice) {
      return Packed{u_stays ? u + part.begin / max_depth * u_part : u, part, slice};
    };
    if (u_stays) for_blocks({0, length}, max_depth, [&](Range part) { pack(piece(part, wide)); });

    const int64_t most = most_wanted(block_rows, columns) + most_wanted(u_stays ? block_rows : 0, length);
    for_shares(mine, most_tiles, [&](Range block) {
      if (!u_stays) for_blocks({0, length}, max_depth, [&](Range part) { from.load(block, part, input(part)); });
      for_blocks(wide, most_columns, [&](Range slice) {
        const int64_t steps = points * gemm::steps_of<T, Bytes>(block.size(), slice.size(), length);
        gemm::Wanted wanted(most, steps, [&](const void** list) {
          list = to.want(list, block, slice);
          if (!u_stays) return list;
          return from.want(list, {block.end, std::min(mine.end, block.end + block_rows)}, {0, length});
        });
        for_blocks({0, length}, max_depth, [&](Range part) {
          const Packed right = piece(part, slice);
          u_stays ? from.load(block, part, input(part)) : pack(right);
          for (int i = 0; i < points; i++) {
            const Operand<Matrix<const T>> left{{input(part).data + i * in.plane, in.row}};
            MatrixOut<T> c{out.data + i * out.plane, out.row};
            gemm::multiply_block<T, Bytes>(left, right.point(i), {0, block.size()}, {0, slice.size()}, {0, part.size()},
                                           part.begin > 0, c, wanted);
          }
        });
        to.store(out, block, slice);
      });
    });
  }

  int worthwhile_threads() const { return gemm::useful_threads(multiply_adds()); }

  // f(piece) for pieces of `step` and a rest, or for equal pieces of at most `step`.
  template <class F>
  static void for_blocks(Range range, int64_t step, const F& f) {
    for (int64_t i = range.begin, end; i < range.end; i = end) {
      end = range.end - i > step ? i + step : range.end;
      f(Range{i, end});
    }
  }
  template <class F>
  static void for_shares(Range range, int64_t step, const F& f) {
    const int64_t count = gemm::blocks(range.size(), step);
    for (int64_t i = 0; i < count; i++) f(range.part(i, count));
  }

  ConvShape s;
  int64_t stride, phase_rows, phase_cols, depth, tile_rows, tile_cols, tiles;
};

template <class T, int Bytes, class Down, class Across>
void Polyphase<T, Bytes, Down, Across>::conv2d(const T* image, const T* weight, const BiasActivation<T>* epilogue,
                                               T* map) const {
  multiply_points(
      depth, s.oc, 1, ImageEnd<const T>{*this, image}, [&](const Packed& u) { pack_forward(weight, u); },
      MapEnd<T>{*this, map, epilogue});
}

template <class T, int Bytes, class Down, class Across>
void Polyphase<T, Bytes, Down, Across>::conv_transpose2d(const T* map, const T* weight, T* image) const {
  clear_uncovered(image);
  multiply_points(
      s.oc, depth, tile_rows * tile_cols, MapEnd<const T>{*this, map},
      [&](const Packed& u) { pack_transposed(weight, u); }, ImageEnd<T>{*this, image});
}

// Threads take channels: each transforms its own part of the image, and all of the map.
template <class T, int Bytes, class Down, class Across>
void Polyphase<T, Bytes, Down, Across>::weight_grad(const T* image, const T* map, T* weight) const {
  const int64_t width = std::max<int64_t>(1, grad_bytes / (points * s.oc * int64_t{sizeof(T)}) / nr) * nr;
  const int64_t panels = gemm::blocks(depth, nr), block_rows = std::min(grad_tiles, tiles);
  const int64_t jobs = std::min<int64_t>(worthwhile_threads(), panels);
  const ImageEnd<const T> image_end{*this, image};
  const MapEnd<const T> map_end{*this, map};
  parallel_jobs(jobs, [&](int64_t job) {
    const Range mine = Range{0, depth}.part(job, jobs, nr);
    const Points<T> w = plain_points<T>(Scratch::winograd_out, points, block_rows, s.oc);
    int64_t transformed = -1;  // the block that w holds
    for_blocks(mine, width, [&](Range slice) {
      const Points<T> u = plain_points<T>(Scratch::winograd_weight, points, s.oc, slice.size());
      for_shares({0, tiles}, grad_tiles, [&](Range block) {
        const Points<T> v = packed_points<T>(Scratch::winograd_in, points, block.size(), slice.size(), nr);
        if (std::exchange(transformed, block.begin) != block.begin) map_end.load(block, {0, s.oc}, w);
        image_end.load(block, slice, v);
        const int64_t steps = points * gemm::steps_of<T, Bytes>(s.oc, slice.size(), block.size());
        gemm::Wanted wanted(most_wanted(block_rows, slice.size() + s.oc), steps, [&](const void** list) {
          const Range next{block.end, std::min(tiles, block.end + block_rows)};
          return map_end.want(image_end.want(list, next, slice), next, {0, s.oc});
        });
        for (int i = 0; i < points; i++) {
          const Operand<Matrix<const T>> in{{w.data + i * w.plane, w.row}, true};
          MatrixOut<T> out{u.data + i * u.plane, u.row};
          gemm::multiply_block<T, Bytes>(in, v.data + i * v.plane, {0, s.oc}, {0, slice.size()}, {0, block.size()},
                                         block.begin > 0, out, wanted);
        }
      });
      points_to_weight(u, slice, weight);
    });
  });
}

// ---- the choice -----------------------------------------------------------------------------------------------------

// Calls f with the algorithm to take, or returns false.
//
// The cost model counts multiply-adds. A transformed value costs as much as `transform` of them, in arithmetic and
// traffic: measured on layers of DCGAN, where transforms take a fifth to a third of the time.
template <class T, class F>
bool with_algorithm(const ConvShape& s, const F& f, bool transposed = false) {
  constexpr double transform = 8;
  if (conv_method() == ConvMethod::direct || s.flops() == 0 || s.stride_h != s.stride_w) return false;
  const int64_t down = gemm::blocks(s.kh, s.stride_h), across = gemm::blocks(s.kw, s.stride_w);
  const int64_t taps = std::max(down, across);
  if (taps == 1) return false;
  bool done = false;
  with_simd([&](auto bytes) {
    constexpr int lanes = gemm::Tile<T, bytes>::lanes;
    if (s.c % lanes != 0 || s.oc % lanes != 0) return;
    const auto consider = [&](const auto& algorithm) {
      if (transposed && algorithm.shares_pixels()) return;
      const double cost = algorithm.multiply_adds() + transform * algorithm.transformed_values();
      if (conv_method() == ConvMethod::automatic && cost > s.flops() / 2) return;
      f(algorithm);
      done = true;
    };
    using One = MinimalFilter<1, 1>;
    using Two = MinimalFilter<4, 2>;
    using Three = MinimalFilter<4, 3>;
    using Four = MinimalFilter<5, 4>;
    if (down > 1 && across > 1) {
      taps == 2 ? consider(Polyphase<T, bytes, Two, Two>(s)) : consider(Polyphase<T, bytes, Three, Three>(s));
    } else if (down > 1) {
      taps <= 3 ? consider(Polyphase<T, bytes, Three, One>(s)) : consider(Polyphase<T, bytes, Four, One>(s));
    } else {
      taps <= 3 ? consider(Polyphase<T, bytes, One, Three>(s)) : consider(Polyphase<T, bytes, One, Four>(s));
    }
  });
  return done;
}

}  // namespace

template <class T>
bool winograd_conv2d(const ConvShape& s, const T* image, const T* weight, const BiasActivation<T>* epilogue, T* map) {
  return with_algorithm<T>(s, [&](const auto& algorithm) { algorithm.conv2d(image, weight, epilogue, map); });
}
template <class T>
bool winograd_conv_transpose2d(const ConvShape& s, const T* map, const T* weight, T* image) {
  const auto run = [&](const auto& algorithm) { algorithm.conv_transpose2d(map, weight, image); };
  return with_algorithm<T>(s, run, /*transposed=*/true);
}
template <class T>
bool winograd_weight_grad(const ConvShape& s, const T* image, const T* map, T* weight) {
  return with_algorithm<T>(s, [&](const auto& algorithm) { algorithm.weight_grad(image, map, weight); });
}

template <class T>
double Cpu<T>::conv_multiply_adds(const ConvShape& s, bool transposed) {
  double count = s.flops() / 2;
  with_algorithm<T>(
      s, [&](const auto& algorithm) { count = algorithm.multiply_adds(); }, transposed);
  return count;
}

#define FORGER_WINOGRAD(T)                                                                              \
  template bool winograd_conv2d<T>(const ConvShape&, const T*, const T*, const BiasActivation<T>*, T*); \
  template bool winograd_conv_transpose2d<T>(const ConvShape&, const T*, const T*, T*);                 \
  template bool winograd_weight_grad<T>(const ConvShape&, const T*, const T*, T*)
FORGER_WINOGRAD(float);
FORGER_WINOGRAD(double);
FORGER_KERNEL(Cpu, conv_multiply_adds);

}  // namespace forger::kernels
