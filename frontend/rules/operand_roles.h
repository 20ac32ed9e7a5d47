#pragma once
#include <vector>

#include "frontend/ir/graph.h"
#include "frontend/numerics/quant_axes.h"
#include "frontend/rules/rule.h"

namespace qlathe {

enum class Side { kLeft, kRight };

/// Which axes of an operand are channelwise and tiled, by the op that rules know it as (golden/README, "Which axes a
/// provider picks"):
///
///   dot_general  every axis that is not contracted is channelwise; the last in the list of contracting axes is tiled
///   einsum       the same, but the contracted axis that comes last in the operand is tiled
///   conv         left: the image axis, right: the result channels; never tiled
///
/// `node` is a dot_general or a conv of the float graph, `rank` the operand's.
struct OperandAxes {
  std::vector<int> channelwise;
  int tiled = -1;  ///< -1: none can be
};
OperandAxes operand_axes(const Node& node, Side side, int rank);

/// How an operand is quantized: `axes` with the rule's tile size.
HowToQuantize how_to_quantize(const OperandAxes& axes, const QuantFormat& format, const CalibrationMethod& method,
                              const std::optional<TileSize>& tile_size);

/// The method and the axes in words: equal exactly when the scales are made in the same way.
std::string describe_how(const HowToQuantize& how);

/// Whether sums of stored values can be scaled afterwards (dot_general.py): both operands are quantized, neither is a
/// table (nf4), and no contracted axis has several scales with a tile below 128 elements. `scale` is the scale's
/// shape.
bool can_scale_afterwards(const Node& node, Side side, const QuantFormat& format, const Shape& shape,
                          const Shape& scale);

/// Contracted axes of a dot_general's operand.
const std::vector<int64_t>& contracted_axes(const Node& node, Side side);

}  // namespace qlathe
