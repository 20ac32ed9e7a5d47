// Operators that move elements by index tables: REVERSE_SEQUENCE, SCATTER_ND, DYNAMIC_UPDATE_SLICE, EMBEDDING_LOOKUP,
// CUMSUM of integers; and DENSIFY.
#include <algorithm>
#include <map>

#include "frontend/formats/import/index_ops.h"
#include "frontend/formats/tflite/blockwise.h"
#include "frontend/formats/tflite/quantized.h"
#include "frontend/ops/indexing.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

/// Sparse constants are written out when they are read.
void read_densify(TfliteNode& node) {
  if (!node.is_constant(0)) node.unsupported("input", "is sparse and no constant");
  node.result(node.in(0));
}

/// The first `lengths[b]` elements of every batch b turned around.
void read_reverse_sequence(TfliteNode& node) {
  const auto& o = node.options<tflite::ReverseSequenceOptions>();
  const TensorId x = node.in(0);
  const int64_t rank = node.rank(x), along = node.axis(o.seq_dim(), rank, "seq_dim"),
                batch = node.axis(o.batch_dim(), rank, "batch_dim");
  if (along == batch) node.problem("seq_dim", "is the batch axis");
  const auto lengths = node.constant_integers(1, "seq_lengths");
  std::vector<int64_t> to_front = {batch, along}, back(static_cast<size_t>(rank));
  for (int64_t d = 0; d < rank; d++)
    if (d != batch && d != along) to_front.push_back(d);
  for (size_t d = 0; d < to_front.size(); d++)
    back[static_cast<size_t>(to_front[d])] = static_cast<int64_t>(d);
  const TensorId front = node.transpose(x, to_front);
  const Shape s = node.shape(front);
  if (static_cast<int64_t>(lengths.size()) != s[0]) node.problem("seq_lengths", "does not fit the batch");
  std::vector<int64_t> index;
  for (int64_t b = 0; b < s[0]; b++) {
    const int64_t n = lengths[static_cast<size_t>(b)];
    if (n < 0 || n > s[1]) node.problem("seq_lengths", "has " + std::to_string(n) + ", which is out of range");
    for (int64_t i = 0; i < s[1]; i++)
      index.push_back(b * s[1] + (i < n ? n - 1 - i : i));
  }
  Shape rows = {s[0] * s[1]};
  rows.insert(rows.end(), s.begin() + 2, s.end());
  const TensorId chosen = node.gather(node.reshape(front, rows), node.integer_vector(index), 0);
  node.result(node.transpose(node.reshape(chosen, s), back));
}

/// Zeros, to which every row of the updates is added at its index; the indices are constants.
void read_scatter_nd(TfliteNode& node) {
  const TensorId updates = node.in(1);
  const ValueType type = node.in_type(1);
  const auto to = node.constant_integers(2, "shape");
  if (!node.is_constant(0)) node.unsupported("indices", "are computed; constants are supported");
  const HostTensor indices = *node.data(node.in(0));
  const Shape& at = indices.shape();
  const int64_t depth = at.empty() ? 0 : at.back();
  if (depth < 1 || depth > static_cast<int64_t>(to.size())) node.problem("indices", "do not fit the shape");
  int64_t places = 1, all = 1;
  for (size_t d = 0; d < to.size(); d++) {
    if (to[d] < 1 || to[d] > (1 << 24) / all)
      node.problem("shape", "is " + to_string(Shape(to)) + ", too large or empty");
    all *= to[d];
    if (static_cast<int64_t>(d) < depth) places = all;
  }
  const Shape rest(to.begin() + depth, to.end());
  const int64_t rows = indices.size() / depth, width = element_count(rest);
  if (element_count(node.shape(updates)) != rows * width)
    node.problem("updates", "do not fit the indices and the shape");
  // Of each place the rows that are added there, in their order.
  std::map<int64_t, std::vector<int64_t>> of_place;
  size_t most = 1;
  for (int64_t r = 0; r < rows; r++) {
    int64_t place = 0;
    for (int64_t d = 0; d < depth; d++) {
      const int64_t i = indices.int_at(r * depth + d), extent = to[static_cast<size_t>(d)];
      if (i < 0 || i >= extent) node.problem("indices", std::to_string(i) + " is out of range");
      place = place * extent + i;
    }
    of_place[place].push_back(r);
    most = std::max(most, of_place[place].size());
  }
  if (most > 64) node.unsupported("indices", "add more than 64 rows at one place");
  // One row of zeros behind the updates, for the places that get none.
  auto attrs = std::make_shared<PadAttrs>();
  attrs->lo = {0, 0};
  attrs->hi = {1, 0};
  const bool small = is_integer(type) && info(type).bits < 32;
  const TensorId wide = small ? node.cast(updates, ValueType::kI32) : updates;
  const TensorId table = node.add("pad", {node.reshape(wide, {rows, width})}, attrs);
  TensorId sum = kNone;
  for (size_t k = 0; k < most; k++) {
    std::vector<int64_t> index(static_cast<size_t>(places), rows);
    for (const auto& [place, from] : of_place)
      if (k < from.size()) index[static_cast<size_t>(place)] = from[k];
    const TensorId part = node.gather(table, node.integer_vector(index), 0);
    sum = sum.valid() ? node.binary("add", sum, part) : part;
  }
  node.result(node.cast(node.reshape(sum, Shape(to.begin(), to.end())), type));
}

/// The operand with a part replaced, which begins at computed indices, moved to where it fits.
void read_dynamic_update_slice(TfliteNode& node) {
  const TensorId x = node.in(0), start = node.cast(node.in(2), ValueType::kI32);
  TensorId update = node.in(1);
  const Shape s = node.shape(x), part = node.shape(update);
  if (part.size() != s.size() || node.shape(start) != Shape{static_cast<int64_t>(s.size())})
    node.problem("update", to_string(part) + " does not fit an operand of " + to_string(s));
  TensorId inside = kNone;
  for (size_t d = 0; d < s.size(); d++) {
    const auto axis = static_cast<int64_t>(d);
    if (part[d] < 1 || part[d] > s[d]) node.problem("update", "is larger than the operand, or empty");
    const auto number = [&](int64_t v) { return node.scalar(ValueType::kI32, static_cast<double>(v)); };
    const auto within = [&](TensorId v, int64_t largest) {
      return node.binary("min", node.binary("max", v, number(0)), number(largest));
    };
    const TensorId from = within(node.slice_axis(start, 0, axis, 1), s[d] - part[d]);
    const TensorId offset = node.binary("sub", import_iota(node, ValueType::kI32, s[d], 1, 0), from);
    const TensorId index = within(offset, part[d] - 1);
    Shape along(s.size(), 1);
    along[d] = s[d];
    const TensorId hit = node.reshape(node.compare("equal", offset, index), along);
    inside = inside.valid() ? node.pointwise(hit, {import_step("and", ValueType::kBool, {1})}, {inside}) : hit;
    update = node.gather(update, index, axis);
  }
  node.result(inside.valid() ? node.select(inside, update, x) : update);
}

/// Rows of a table; a quantized table may give floats.
void read_embedding_lookup(TfliteNode& node) {
  const TensorId table = node.in(1), index = node.in(0);
  const TensorId rows = node.gather(table, index, 0);
  if (is_float(node.in_type(1)) || node.output_type() == node.in_type(1)) return node.result(rows);
  if (node.output_type() != ValueType::kF32) node.unsupported("output", "is neither the table's type nor float32");
  if (const auto blocks = tflite_blocks(node, 1)) {
    Shape apart = node.shape(index), whole = node.shape(rows);
    apart.insert(apart.end(), {blocks->blocks, blocks->block});
    TensorId scale = node.gather(blocks->scales, index, 0);
    Shape one = node.shape(scale);
    one.push_back(1);
    const TensorId values = node.reshape(node.cast(rows, ValueType::kF32), apart);
    return node.result(node.reshape(node.binary("mul", values, node.reshape(scale, one)), whole));
  }
  const TfliteQuant q = node.in_quant(1);
  if (std::any_of(q.zero_point.begin(), q.zero_point.end(), [](int64_t z) { return z != 0; }))
    node.unsupported("value", "has a zero point");
  TensorId scale = node.scalar(q.scale[0]);
  if (q.scale.size() > 1 && node.numerics() != TfliteNumerics::kTflm) {
    if (static_cast<int64_t>(q.scale.size()) != node.in_shape(1)[0])
      node.problem("value", "has another number of scales than rows");
    if (q.axis != 0) node.unsupported("value", "has scales along another axis than the rows'");
    HostTensor all(ValueType::kF32, {static_cast<int64_t>(q.scale.size())});
    std::copy(q.scale.begin(), q.scale.end(), all.as<float>().begin());
    Shape per_row = node.shape(index);
    per_row.resize(node.shape(rows).size(), 1);
    scale = node.reshape(node.gather(node.constant(std::move(all), "scale"), index, 0), per_row);
  }
  node.result(node.binary("mul", node.cast(rows, ValueType::kF32), scale));
}

void read_cumsum(TfliteNode& node) {
  const auto& o = node.options<tflite::CumsumOptions>();
  const auto axes = node.constant_integers(1, "axis");
  if (axes.size() != 1) node.problem("axis", "is not one axis");
  const TensorId x = node.in(0);
  const ValueType type = node.in_type(0);
  if (type != ValueType::kF32 && type != ValueType::kI32 && type != ValueType::kI64)
    node.unsupported("input", std::string("is ") + name(type));
  auto attrs = std::make_shared<CumsumAttrs>();
  attrs->axis = node.axis(axes[0], node.rank(x));
  attrs->exclusive = o.exclusive();
  attrs->reverse = o.reverse();
  node.result(node.add("cumsum", {x}, attrs));
}

const TfliteOps::Add kOps({
    {"DENSIFY", read_densify},
    {"REVERSE_SEQUENCE", read_reverse_sequence},
    {"SCATTER_ND", read_scatter_nd},
    {"DYNAMIC_UPDATE_SLICE", read_dynamic_update_slice},
    {"EMBEDDING_LOOKUP", read_embedding_lookup},
    {"CUMSUM", read_cumsum},
});

}  // namespace
}  // namespace qlathe
