#include "frontend/formats/import/integer_division.h"

namespace qlathe {

TensorId import_divide(ImportNode& node, TensorId a, TensorId b) { return node.binary("div", a, b); }

FloorDivision import_floor_division(ImportNode& node, TensorId a, TensorId b) {
  const ValueType type = node.type(a).type;
  const TensorId zero = node.scalar(type, 0);
  const TensorId quotient = node.binary("div", a, b), rest = node.binary("rem", a, b);
  // One less, and a divisor more left, where something is left whose sign is not the divisor's.
  const TensorId opposite = node.compare("less", node.binary("bitwise_xor", rest, b), zero);
  const TensorId below = node.binary("and", node.compare("not_equal", rest, zero), opposite);
  return {node.select(below, node.binary("sub", quotient, node.scalar(type, 1)), quotient),
          node.select(below, node.binary("add", rest, b), rest)};
}

}  // namespace qlathe
