#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"
#include "frontend/numerics/quantize.h"
#include "frontend/rules/match.h"
#include "frontend/rules/rule.h"
#include "frontend/rules/statistics.h"

namespace qlathe {

struct QuantizeOptions {
  /// Statistics of the activations with act_static_scale, by name ("linear1/dot_general0_lhs").
  const QuantStats* statistics = nullptr;
  /// Scales and zero points of such activations that are known already; they win over statistics.
  std::map<std::string, ScaleZeroPoint> static_scales;
  /// Weights that are quantized already, by the name of the float weight's tensor ("linear1/kernel").
  std::map<std::string, QuantizedTensor> params;
  /// Accept statistics, scales and params that nothing in the graph asks for.
  bool allow_extra_params = false;
};

/// What became of one operand.
struct OperandReport {
  bool weight = false;
  bool is_static = false;  ///< scale and zero point are constants from statistics
  HowToQuantize how;
  TensorId values, scale, zero_point;  ///< in the quantized graph
  TensorId multiplier;                 ///< of blocks of a weight under block_int: then the scale is per channel
  int64_t multiplied_sum = 0;          ///< largest_multiplied_sum of that weight
};

/// One op that a rule with a weight_qtype took.
struct OpReport {
  OpMatch match;
  std::optional<OperandReport> lhs, rhs;
  /// Sums of stored integers (or codes), scaled afterwards; otherwise operands are dequantized first.
  bool integer_path = false;
  TensorId result;  ///< of the op in the quantized graph
};

struct QuantizedGraph {
  Graph graph;
  RuleMatches matches;
  std::vector<OpReport> ops;
};

/// Applies a rule list to a float graph, with the semantics of Qwix's PtqProvider: weights (constant right operands)
/// are quantized now, activations at run time, or with static scales. Ops without a rule, or whose rule has no
/// weight_qtype, are left alone.
///
/// A weight may be given quantized already: in `options.params`, or in the graph as a constant behind a pointwise node
/// of one dequantize step.
///
/// Errors, all of them at once: the conditions of the reference (golden/qwix/errors), static activations without
/// statistics, parameters that do not fit or that nothing asks for, weights with NaN or infinite values. Rules of other
/// types than QuantizationRule are for their own passes: their ops are left alone.
Result<QuantizedGraph> quantize(const Graph& graph, const RuleList& rules, const QuantizeOptions& options = {});

}  // namespace qlathe
