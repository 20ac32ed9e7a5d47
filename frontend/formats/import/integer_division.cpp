#include "frontend/formats/import/integer_division.h"

namespace qlathe {
namespace {

/// a / b as float32 numbers, cut to int64: off by at most |a / b| * 2^-22 + 1.
TensorId estimate(ImportNode& node, TensorId a, TensorId b) {
  return node.cast(node.binary("div", node.cast(a, ValueType::kF32), node.cast(b, ValueType::kF32)), ValueType::kI64);
}

}  // namespace

FloorDivision import_floor_division(ImportNode& node, TensorId a, TensorId b) {
  const TensorId x = node.cast(a, ValueType::kI64), y = node.cast(b, ValueType::kI64);
  const TensorId zero = node.scalar(ValueType::kI64, 0), one = node.scalar(ValueType::kI64, 1);
  const auto left = [&](TensorId q) { return node.binary("sub", x, node.binary("mul", q, y)); };
  // The first estimate is off by at most 513, so the second, of what it leaves, by at most 1 either way.
  TensorId q = estimate(node, x, y);
  q = node.binary("add", q, estimate(node, left(q), y));
  TensorId r = left(q);
  const TensorId negative = node.compare("less", y, zero);
  // Both as if b were positive.
  const auto turned = [&](TensorId v) { return node.select(negative, node.binary("sub", zero, v), v); };
  const TensorId below = node.compare("less", turned(r), zero);
  q = node.select(below, node.binary("sub", q, one), q);
  r = left(q);
  const TensorId above = node.compare("greater_equal", turned(r), turned(y));
  q = node.select(above, node.binary("add", q, one), q);
  return {node.cast(q, ValueType::kI32), node.cast(left(q), ValueType::kI32)};
}

TensorId import_divide(ImportNode& node, TensorId a, TensorId b) {
  const FloorDivision down = import_floor_division(node, a, b);
  const TensorId zero = node.scalar(ValueType::kI32, 0);
  // Rounded down is one below where the exact quotient is negative and no integer.
  const TensorId inexact = node.compare("not_equal", down.remainder, zero);
  const TensorId below =
      node.pointwise(inexact, {import_step("and", ValueType::kBool, {1})}, {node.compare("less", down.quotient, zero)});
  return node.select(below, node.binary("add", down.quotient, node.scalar(ValueType::kI32, 1)), down.quotient);
}

}  // namespace qlathe
