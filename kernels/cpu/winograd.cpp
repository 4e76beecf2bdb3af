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
#include "kernels/cpu/winograd_tiles.h"

namespace forger::kernels {
namespace {

using namespace winograd;
using gemm::Matrix;
using gemm::MatrixOut;
using gemm::Operand;

constexpr int64_t max_depth = 256;          // what one pass of a product sums
constexpr int64_t passing_width = 64;       // columns of a slice of U that passes
constexpr int64_t staying_bytes = 8 << 20;  // of a factor that stays
constexpr int64_t grad_tiles = 64;          // tiles of a block where they are the depth of the product
constexpr int64_t grad_bytes = 3 << 20;     // of a slice of the transformed weight gradient

template <class T, int Bytes, class Down, class Across>
class Winograd : public Polyphase<T, Bytes, Down, Across> {
 public:
  using Base = Polyphase<T, Bytes, Down, Across>;
  using Base::Base;  // Winograd(ConvShape)

  void conv2d(const T* image, const T* weight, const BiasActivation<T>* epilogue, T* map) const;
  void conv_transpose2d(const T* map, const T* weight, T* image) const;
  void weight_grad(const T* image, const T* map, T* weight) const;

 private:
  using Base::clear_uncovered, Base::pack_forward, Base::pack_transposed, Base::points_to_weight;
  using Base::points, Base::depth, Base::tiles, Base::tile_rows, Base::tile_cols;
  using Base::s, Base::lanes, Base::nr;
  using typename Base::Packed, typename Base::PhaseTile;

  // Tiles of a block that passes: panels of 14 rows, so that the block and its piece of U share the L2.
  static constexpr int64_t passing_tiles = 14 * std::max(2, 50 / points);

  // ---- the two ends of a convolution ----
  //
  //   load(tiles, slice, points)   transforms tiles, for some channels
  //   store(points, tiles, slice)  and back
  //   want(to, tiles, slice)       lists addresses of their pixels and returns the end of the list: nearly all that no
  //                                other tile has, and a few beyond the array, which fetches do not mind

  template <class Pixel>
  struct ImageEnd {
    const Winograd& of;
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
    const Winograd& of;
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
    return block * gemm::block_count(channels, lanes) * Down::m * Across::m;
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
      const int64_t m = std::min(count / t, gemm::block_count(width, nr));
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
    const int64_t size = int64_t{sizeof(T)}, parts = gemm::block_count(length, max_depth);
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

  int worthwhile_threads() const { return gemm::useful_threads(this->multiply_adds()); }

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
    const int64_t count = gemm::block_count(range.size(), step);
    for (int64_t i = 0; i < count; i++) f(range.part(i, count));
  }
};

template <class T, int Bytes, class Down, class Across>
void Winograd<T, Bytes, Down, Across>::conv2d(const T* image, const T* weight, const BiasActivation<T>* epilogue,
                                              T* map) const {
  multiply_points(
      depth, s.oc, 1, ImageEnd<const T>{*this, image}, [&](const Packed& u) { pack_forward(weight, u); },
      MapEnd<T>{*this, map, epilogue});
}

template <class T, int Bytes, class Down, class Across>
void Winograd<T, Bytes, Down, Across>::conv_transpose2d(const T* map, const T* weight, T* image) const {
  clear_uncovered(image);
  multiply_points(
      s.oc, depth, tile_rows * tile_cols, MapEnd<const T>{*this, map},
      [&](const Packed& u) { pack_transposed(weight, u); }, ImageEnd<T>{*this, image});
}

// Threads take channels: each transforms its own part of the image, and all of the map.
template <class T, int Bytes, class Down, class Across>
void Winograd<T, Bytes, Down, Across>::weight_grad(const T* image, const T* map, T* weight) const {
  const int64_t width = std::max<int64_t>(1, grad_bytes / (points * s.oc * int64_t{sizeof(T)}) / nr) * nr;
  const int64_t panels = gemm::block_count(depth, nr), block_rows = std::min(grad_tiles, tiles);
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
  const int64_t down = gemm::block_count(s.kh, s.stride_h), across = gemm::block_count(s.kw, s.stride_w);
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
      taps == 2 ? consider(Winograd<T, bytes, Two, Two>(s)) : consider(Winograd<T, bytes, Three, Three>(s));
    } else if (down > 1) {
      taps <= 3 ? consider(Winograd<T, bytes, Three, One>(s)) : consider(Winograd<T, bytes, Four, One>(s));
    } else {
      taps <= 3 ? consider(Winograd<T, bytes, One, Three>(s)) : consider(Winograd<T, bytes, One, Four>(s));
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
