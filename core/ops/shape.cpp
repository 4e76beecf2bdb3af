// Ops that move elements and compute nothing. All are linear, and each one's gradient is another of them:
//
//   reshape  reshape back          concat  split            gather       scatter_add
//   permute  the inverse order     slice   pad              scatter_add  gather
//   cast     cast back             pad     slice
//
// reshape (and flatten) is a view of the same memory; everything else copies, since tensors are always contiguous.
// Along one axis a tensor is (outer, size, inner), so concat, slice and pad are copies of `outer` runs of size*inner
// elements.
#include <array>

#include "core/ops/common.h"
#include "core/trace.h"

namespace forger {
namespace {

using namespace ops;

// Elements per step along `axis`, and how many such stretches there are.
int64_t inner_of(const Shape& shape, int axis) {
  int64_t n = 1;
  for (int i = axis + 1; i < shape.rank(); i++) n *= shape[i];
  return n;
}
int64_t outer_of(const Shape& shape, int axis) {
  int64_t n = 1;
  for (int i = 0; i < axis; i++) n *= shape[i];
  return n;
}

Shape resized(Shape shape, int axis, int64_t size) {
  shape.set(axis, size);
  return shape;
}

// dst[:, to : to + count] = src[:, from : from + count] along `axis`; the other sizes are equal.
void copy_range(const Tensor& src, int64_t from, const Tensor& dst, int64_t to, int64_t count, int axis) {
  const int64_t inner = inner_of(src.shape(), axis);
  const kernels::StridedCopy s{.rank = 2,
                               .sizes = {outer_of(src.shape(), axis), count * inner},
                               .src_strides = {src.size(axis) * inner, 1},
                               .src_offset = from * inner,
                               .dst_strides = {dst.size(axis) * inner, 1},
                               .dst_offset = to * inner};
  dispatch_with_bf16(src, [&]<class K>() {
    using T = typename K::Scalar;
    K::strided_copy(s, src.data<T>(), dst.data<T>());
  });
}

void check_indices(const char* op, const Tensor& index, const Tensor& rows, int64_t entries) {
  check_index(op, index);
  check<ShapeError>(index.device() == rows.device(), "[", op, "] operands must be on one device");
  check<ShapeError>(index.rank() == 1, "[", op, "] indices must be a list, got ", index.shape());
  if (index.device() != Device::cpu) return;  // looking would wait for the device; what fills such lists has checked
  const int64_t* p = index.data<int64_t>();
  for (int64_t i = 0; i < index.numel(); i++) {
    check<ShapeError>(p[i] >= 0 && p[i] < entries, "[", op, "] index ", p[i], " at place ", i, " is not one of the ",
                      entries, " rows 0..", entries - 1);
  }
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  check<ShapeError>(x.defined(), "[reshape] was given an undefined tensor");
  check<ShapeError>(shape.numel() == x.numel(), "[reshape] ", x.shape(), " has ", x.numel(),
                    " elements, which do not fill ", shape);
  if (shape == x.shape()) return x;
  return record("reshape", Tensor(x.storage(), shape), {x},
                [from = x.shape()](const Incoming& in) { return Gradients{reshape(in.gy, from)}; });
}

Tensor reshape(const Tensor& x, std::initializer_list<int64_t> sizes) {
  std::vector<int64_t> full(sizes);
  const auto open = std::find(full.begin(), full.end(), -1);
  if (open == full.end()) return reshape(x, Shape(sizes));
  *open = 1;
  const int64_t known = Shape(full).numel();  // refuses a second -1
  check<ShapeError>(x.defined() && known > 0 && x.numel() % known == 0, "[reshape] ", x.shape(),
                    " cannot be dealt into parts of ", known, " elements");
  *open = x.numel() / known;
  return reshape(x, Shape(full));
}

Tensor flatten(const Tensor& x) {
  check<ShapeError>(x.defined() && x.rank() > 0, "[flatten] needs at least one axis (x: ", x.shape(), ")");
  return reshape(x, {x.size(0), inner_of(x.shape(), 0)});
}

Tensor permute(const Tensor& x, const Axes& order) {
  check_operand("permute", x);
  const int rank = x.rank();
  check<ShapeError>(static_cast<int>(order.size()) == rank, "[permute] expects an order of ", rank, " axes, got ",
                    order.size());
  Axes inverse(order.size(), -1);
  std::array<int64_t, kernels::max_rank> strides{};
  repeating_strides(x.shape(), x.shape(), strides.data());
  kernels::StridedCopy s{.rank = rank};
  Shape shape = x.shape();
  for (int i = 0; i < rank; i++) {
    const int from = normalize_axis(order[static_cast<size_t>(i)], rank, "permute");
    int& back = inverse[static_cast<size_t>(from)];
    check<ShapeError>(back < 0, "[permute] axis ", from, " is named twice");
    back = i;
    shape.set(i, x.size(from));
    s.sizes[i] = x.size(from);
    s.src_strides[i] = strides[static_cast<size_t>(from)];
  }
  repeating_strides(shape, shape, s.dst_strides);
  Tensor y = fresh(x, shape);
  dispatch_with_bf16(x, [&]<class K>() {
    using T = typename K::Scalar;
    K::strided_copy(s, x.data<T>(), y.data<T>());
  });
  if (Trace* const trace = Trace::active()) trace->announce({{"order", {order.begin(), order.end()}}});
  return record("permute", y, {x}, [inverse](const Incoming& in) { return Gradients{permute(in.gy, inverse)}; });
}

Tensor transpose(const Tensor& x) {
  check_operand("transpose", x);
  check<ShapeError>(x.rank() >= 2, "[transpose] needs two axes (x: ", x.shape(), ")");
  Axes order;
  for (int i = 0; i < x.rank(); i++) order.push_back(i);
  std::swap(order.end()[-1], order.end()[-2]);
  return permute(x, order);
}

Tensor concat(std::span<const Tensor> parts, int axis) {
  check<ShapeError>(!parts.empty(), "[concat] needs at least one tensor");
  constexpr size_t most = 64;  // inputs of one node
  if (parts.size() > most) {
    const size_t half = parts.size() / 2;
    return concat(std::array{concat(parts.first(half), axis), concat(parts.subspan(half), axis)}, axis);
  }
  check_operand("concat", parts[0]);
  if (const auto narrow = std::count_if(parts.begin(), parts.end(), is_bf16);
      narrow > 0 && narrow < std::ssize(parts)) {
    std::vector<Tensor> alike;
    for (const Tensor& part : parts) alike.push_back(widened(part));
    return concat(alike, axis);
  }
  const int at = normalize_axis(axis, parts[0].rank(), "concat");
  int64_t total = 0;
  for (const Tensor& part : parts) {
    check_operands("concat", parts[0], part);
    check<ShapeError>(
        part.rank() == parts[0].rank() && resized(part.shape(), at, 0) == resized(parts[0].shape(), at, 0),
        "[concat] sizes may differ along axis ", at, " only, got ", parts[0].shape(), " and ", part.shape());
    total += part.size(at);
  }
  Tensor y = fresh(parts[0], resized(parts[0].shape(), at, total));
  std::vector<int64_t> sizes;
  int64_t begin = 0;
  for (const Tensor& part : parts) {
    copy_range(part, 0, y, begin, part.size(at), at);
    begin += part.size(at);
    sizes.push_back(part.size(at));
  }
  if (Trace* const trace = Trace::active()) trace->announce({{"axis", Trace::numbers(at)}});
  return record("concat", y, parts, [sizes, at](const Incoming& in) {
    Gradients g(sizes.size());
    int64_t from = 0;
    for (size_t i = 0; i < sizes.size(); from += sizes[i++]) {
      if (in.needs(static_cast<int>(i))) g[i] = slice(in.gy, at, from, from + sizes[i]);
    }
    return g;
  });
}

std::vector<Tensor> split(const Tensor& x, int axis, std::span<const int64_t> sizes) {
  check_operand("split", x);
  const int at = normalize_axis(axis, x.rank(), "split");
  int64_t total = 0;
  for (const int64_t size : sizes) {
    check<ShapeError>(size >= 0, "[split] sizes cannot be negative, got ", size);
    total += size;
  }
  check<ShapeError>(total == x.size(at), "[split] sizes add up to ", total, ", axis ", at, " has ", x.size(at),
                    " (x: ", x.shape(), ")");
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (const int64_t size : sizes) {
    parts.push_back(slice(x, at, begin, begin + size));
    begin += size;
  }
  return parts;
}

Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end) {
  check_operand("slice", x);
  const int at = normalize_axis(axis, x.rank(), "slice");
  const int64_t size = x.size(at);
  check<ShapeError>(0 <= begin && begin <= end && end <= size, "[slice] range ", begin, "..", end,
                    " is not inside axis ", at, " (x: ", x.shape(), ")");
  if (begin == 0 && end == size) return x;
  Tensor y = fresh(x, resized(x.shape(), at, end - begin));
  copy_range(x, begin, y, 0, end - begin, at);
  if (Trace* const trace = Trace::active()) {
    const double from = static_cast<double>(begin), to_end = std::numeric_limits<double>::infinity();
    trace->announce({{"axis", Trace::numbers(at)}, {"range", {from, end == size ? to_end : static_cast<double>(end)}}});
  }
  return record("slice", y, {x}, [at, begin, after = size - end](const Incoming& in) {
    return Gradients{pad(in.gy, at, begin, after)};
  });
}

Tensor pad(const Tensor& x, int axis, int64_t before, int64_t after) {
  check_operand("pad", x);
  const int at = normalize_axis(axis, x.rank(), "pad");
  check<ShapeError>(before >= 0 && after >= 0, "[pad] cannot pad by a negative number: ", before, ", ", after);
  if (before == 0 && after == 0) return x;
  const int64_t size = x.size(at);
  const Tensor y = zeros(resized(x.shape(), at, before + size + after), x.dtype(), x.device());
  copy_range(x, 0, y, before, size, at);
  if (Trace* const trace = Trace::active())
    trace->announce({{"axis", Trace::numbers(at)}, {"by", Trace::numbers(before, after)}});
  return record("pad", y, {x},
                [at, before, size](const Incoming& in) { return Gradients{slice(in.gy, at, before, before + size)}; });
}

Tensor gather(const Tensor& table, const Tensor& index) {
  check_operand("gather", table);
  if (is_bf16(table)) return gather(widened(table), index);
  check<ShapeError>(table.rank() > 0, "[gather] needs a table of rows, got a scalar");
  const int64_t entries = table.size(0);
  check_indices("gather", index, table, entries);
  Tensor rows = fresh(table, resized(table.shape(), 0, index.numel()));
  dispatch(table, [&]<class K>() {
    using T = typename K::Scalar;
    K::gather(index.numel(), inner_of(table.shape(), 0), table.data<T>(), index.data<int64_t>(), rows.data<T>());
  });
  if (Trace* const trace = Trace::active()) trace->announce({}, {index});
  return record("gather", rows, {table}, [entries, index_ = Saved(index)](const Incoming& in) {
    return Gradients{scatter_add(in.gy, *index_, entries)};
  });
}

Tensor scatter_add(const Tensor& rows, const Tensor& index, int64_t entries) {
  check_operand("scatter_add", rows);
  if (is_bf16(rows)) return scatter_add(widened(rows), index, entries);
  check<ShapeError>(entries >= 0, "[scatter_add] the table cannot have ", entries, " entries");
  check_indices("scatter_add", index, rows, entries);
  check<ShapeError>(rows.rank() > 0 && rows.size(0) == index.numel(), "[scatter_add] ", index.numel(),
                    " indices came with rows ", rows.shape());
  Tensor table = fresh(rows, resized(rows.shape(), 0, entries));
  dispatch(rows, [&]<class K>() {
    using T = typename K::Scalar;
    K::scatter_add(index.numel(), inner_of(rows.shape(), 0), entries, rows.data<T>(), index.data<int64_t>(),
                   table.data<T>());
  });
  return record("scatter_add", table, {rows},
                [index_ = Saved(index)](const Incoming& in) { return Gradients{gather(in.gy, *index_)}; });
}

Tensor widened(const Tensor& x) { return is_bf16(x) ? cast(x, DType::f32) : x; }

Tensor cast(const Tensor& x, DType dtype) {
  check_operand("cast", x);
  check<ShapeError>(dtype != DType::i64, "[cast] goes between floating types only");
  if (x.dtype() == dtype) return x;
  Tensor y(x.shape(), dtype, x.device());
  dispatch_with_bf16(y, [&]<class K>() {
    auto* out = y.data<typename K::Scalar>();
    if (x.dtype() == DType::f32) {
      K::from_float(x.numel(), x.data<float>(), out);
    } else if (x.dtype() == DType::f64) {
      K::from_double(x.numel(), x.data<double>(), out);
    } else {
      K::from_bfloat16(x.numel(), x.data<bfloat16>(), out);
    }
  });
  return record("cast", y, {x}, [from = x.dtype()](const Incoming& in) { return Gradients{cast(in.gy, from)}; });
}

}  // namespace forger
