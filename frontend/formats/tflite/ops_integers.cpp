// BITWISE_XOR, RIGHT_SHIFT, BROADCAST_ARGS, MATRIX_DIAG, MATRIX_SET_DIAG.
#include "frontend/formats/import/index_ops.h"
#include "frontend/formats/tflite/quantized.h"

namespace qlathe {
namespace {

/// The bits of small integers, signed or not, are those of an int32.
TensorId bits_of(TfliteNode& node, size_t i) {
  const ValueType type = node.in_type(i);
  if (type != node.in_type(0)) node.problem("input", "the operands have different types");
  if (type != ValueType::kBool && (!is_integer(type) || info(type).bits > 32 || type == ValueType::kU32))
    node.unsupported("input", std::string("is ") + name(type) + "; bool and integers of at most 32 bits are supported");
  return node.cast(node.in(i), ValueType::kI32);
}

TensorId narrowed(TfliteNode& node, TensorId y) {
  const ValueType type = node.in_type(0);
  if (type == ValueType::kBool) return node.compare("not_equal", y, node.scalar(ValueType::kI32, 0));
  PointwiseStep cast = import_step("cast", type);
  cast.wraps = true;
  return node.pointwise(y, {cast});
}

void read_xor(TfliteNode& node) {
  const TensorId b = bits_of(node, 1);
  node.result(narrowed(node, node.binary("bitwise_xor", bits_of(node, 0), b)));
}

/// The sign is shifted in; shifts outside of the type's bits count as the nearest that is inside.
void read_right_shift(TfliteNode& node) {
  if (node.in_type(0) == ValueType::kBool) node.unsupported("input", "is bool");
  const double most = static_cast<double>(info(node.in_type(0)).bits - 1);
  const TensorId by = node.binary("max", bits_of(node, 1), node.scalar(ValueType::kI32, 0));
  const TensorId inside = node.binary("min", by, node.scalar(ValueType::kI32, most));
  node.result(narrowed(node, node.binary("bit_shift_right", bits_of(node, 0), inside)));
}

/// The shape that two shapes broadcast to.
void read_broadcast_args(TfliteNode& node) {
  const Shape a = node.constant_integers(0, "shape"), b = node.constant_integers(1, "shape");
  if (!check_shape(a).ok() || !check_shape(b).ok()) node.problem("shape", "is no shape");
  const Shape both = node.broadcast_shape(a, b);
  HostTensor out(node.output_type(), {static_cast<int64_t>(both.size())});
  for (size_t i = 0; i < both.size(); i++)
    out.set_int(static_cast<int64_t>(i), both[i]);
  node.result(node.constant(std::move(out), "shape"));
}

/// Whether row and column are the same, for the last two axes.
TensorId on_diagonal(TfliteNode& node, int64_t rows, int64_t columns) {
  return node.compare("equal", import_iota(node, ValueType::kI32, rows, 2, 0),
                      import_iota(node, ValueType::kI32, columns, 2, 1));
}

/// Vectors [.., n] on the diagonals of zeros [.., n, n].
void read_matrix_diag(TfliteNode& node) {
  const TensorId x = node.in(0);
  Shape s = node.shape(x);
  if (s.empty()) node.problem("input", "is a scalar");
  const int64_t n = s.back();
  s.push_back(1);
  const ValueType type = node.in_type(0);
  const TensorId zero = node.constant(HostTensor(type, {}), "zero");
  s.back() = n;
  Shape column = s;
  column.back() = 1;
  const TensorId spread = node.broadcast(node.reshape(x, column), s);
  node.result(node.select(on_diagonal(node, n, n), spread, zero));
}

/// Matrices [.., r, c] with other diagonals [.., min(r, c)].
void read_matrix_set_diag(TfliteNode& node) {
  const TensorId x = node.in(0), diagonal = node.in(1);
  const Shape s = node.shape(x), d = node.shape(diagonal);
  if (s.size() < 2) node.problem("input", "has the shape " + to_string(s) + "; matrices have two axes or more");
  const int64_t rows = s[s.size() - 2], columns = s.back();
  Shape expected(s.begin(), s.end() - 1);
  expected.back() = std::min(rows, columns);
  if (d != expected) node.problem("diagonal", "has the shape " + to_string(d) + ", expected " + to_string(expected));
  // Spread along the axis that is the longer one, so that every row (or column) has its own element.
  Shape apart = d;
  apart.insert(rows <= columns ? apart.end() : apart.end() - 1, 1);
  node.result(node.select(on_diagonal(node, rows, columns), node.reshape(diagonal, apart), x));
}

const TfliteOps::Add kOps({
    {"BITWISE_XOR", read_xor},
    {"RIGHT_SHIFT", read_right_shift},
    {"BROADCAST_ARGS", read_broadcast_args},
    {"MATRIX_DIAG", read_matrix_diag},
    {"MATRIX_SET_DIAG", read_matrix_set_diag},
});

}  // namespace
}  // namespace qlathe
