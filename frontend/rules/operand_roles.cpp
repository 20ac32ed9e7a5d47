#include "frontend/rules/operand_roles.h"

#include <algorithm>
#include <cstdio>

#include "frontend/ops/contraction.h"

namespace qlathe {

const std::vector<int64_t>& contracted_axes(const Node& node, Side side) {
  const auto& attrs = node.as<DotGeneralAttrs>();
  return side == Side::kLeft ? attrs.lhs_contracting : attrs.rhs_contracting;
}

OperandAxes operand_axes(const Node& node, Side side, int rank) {
  OperandAxes out;
  if (node.op == "conv") {
    out.channelwise = {side == Side::kLeft ? 0 : rank - 1};
    return out;
  }
  const std::vector<int64_t>& contracted = contracted_axes(node, side);
  for (int axis = 0; axis < rank; ++axis) {
    if (!std::count(contracted.begin(), contracted.end(), axis)) out.channelwise.push_back(axis);
  }
  if (!contracted.empty()) {
    const bool einsum = node.origin.rule_op == "einsum";
    out.tiled = static_cast<int>(einsum ? *std::max_element(contracted.begin(), contracted.end()) : contracted.back());
  }
  return out;
}

HowToQuantize how_to_quantize(const OperandAxes& axes, const QuantFormat& format, const CalibrationMethod& method,
                              const std::optional<TileSize>& tile_size) {
  HowToQuantize how{&format, method, axes.channelwise, {}};
  if (tile_size && axes.tiled >= 0) how.tiled_axes[axes.tiled] = *tile_size;
  return how;
}

std::string describe_how(const HowToQuantize& how) {
  const CalibrationMethod& method = how.method;
  std::string out = " method " + std::to_string(static_cast<int>(method.kind));
  char buffer[96];
  std::snprintf(buffer, sizeof buffer, " %a %a %a", method.factor ? *method.factor : 0.0f, method.lo, method.hi);
  out += std::string(method.factor ? " factor" : "") + buffer + " channelwise";
  for (int axis : how.channelwise_axes)
    out += " " + std::to_string(axis);
  out += " tiled";
  for (const auto& [axis, tile] : how.tiled_axes)
    out += " " + std::to_string(axis) + ":" + tile.text();
  return out;
}

bool can_scale_afterwards(const Node& node, Side side, const QuantFormat& format, const Shape& shape,
                          const Shape& scale) {
  constexpr int64_t kSmallestTile = 128;
  if (!format.uniform()) return false;
  if (node.op == "conv") return true;
  for (int64_t axis : contracted_axes(node, side)) {
    const auto d = static_cast<size_t>(axis);
    if (scale[d] > 1 && shape[d] / scale[d] < kSmallestTile) return false;
  }
  return true;
}

}  // namespace qlathe
