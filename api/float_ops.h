#pragma once
#include <string>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

/// A node that computes with real numbers, and why.
struct FloatOp {
  std::string node;  ///< its name in the model
  std::string op;
  std::string reason;  ///< "sums in float32", "reads float32 x", …
  std::string place;   ///< in the user's file, where the node says it
};

/// What of a graph in the form that is lowered is no integer code: everything but nodes that read and write integers
/// (with a float multiplier per value at most), quantize the model's inputs, or dequantize its outputs; and what only
/// moves these.
std::vector<FloatOp> list_float_ops(const Graph& canonical);

}  // namespace qlathe
