#pragma once
// Division of integers, of any file format, as nodes of the graph.
#include "frontend/formats/import/import_node.h"

namespace qlathe {

/// a / b rounded down, and what is left of a, which has the sign of b. Both of int32, exact; where b is 0 neither means
/// anything.
struct FloorDivision {
  TensorId quotient, remainder;
};
FloorDivision import_floor_division(ImportNode& node, TensorId a, TensorId b);

/// a / b towards zero, of int32.
TensorId import_divide(ImportNode& node, TensorId a, TensorId b);

}  // namespace qlathe
