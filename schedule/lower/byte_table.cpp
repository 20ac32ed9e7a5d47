#include "schedule/lower/byte_table.h"

#include <algorithm>
#include <set>

#include "frontend/ops/pointwise.h"
#include "schedule/lower/byte_values.h"

namespace qlathe {
namespace {

/// About what a step takes for an element, a look into a table taking 1: on vectors of 16 lanes, and one at a time.
struct StepCost {
  double vectorized, scalar;
};

StepCost cost_of(const PointwiseStep& step) {
  static const std::set<std::string> elementary = {"exp",        "log",      "sin",  "cos",       "erf",
                                                   "sigmoid",    "tanh",     "gelu", "gelu_tanh", "silu",
                                                   "hard_swish", "softplus", "elu",  "pow"};
  if (elementary.count(step.op) > 0) return {0.8, 15};
  // Multiplications in 64 bits, which have few lanes and no rounding shift.
  if (step.op.find("requantize") != std::string::npos) return {2, 6};
  if (step.op.starts_with("fixed_")) return {3, 20};
  if (reads_table(step)) return {1.5, 2};
  return {0.1, 1};
}

/// Whether all of a node's operands but the byte are the same for every element.
bool is_function_of_its_byte(const LoweringContext& context, const std::vector<PointwiseStep>& steps) {
  const ValueType type = context.in(0).type.type;
  if (type != ValueType::kI8 && type != ValueType::kU8) return false;
  if (context.out().shape() != context.in(0).shape()) return false;
  for (const PointwiseStep& step : steps) {
    for (size_t k = 0; k < step.operands.size(); k++) {
      const auto at = static_cast<size_t>(step.operands[k]);
      const bool itself = context.node.inputs[at] == context.node.inputs[0];
      const Tensor& tensor = context.in(at);
      const bool table = k == 0 && reads_table(step);
      if (itself && !table) continue;
      if (!tensor.is_constant() || (!table && element_count(tensor.shape()) != 1)) return false;
    }
  }
  return true;
}

}  // namespace

std::optional<PackedConstant> choose_byte_table(const LoweringContext& context, std::string& note) {
  const auto& steps = context.node.as<PointwiseAttrs>().steps;
  const Tensor& out = context.out();
  if (is_code(out.type.type) || !is_function_of_its_byte(context, steps)) return std::nullopt;
  double cost = 0;
  for (const PointwiseStep& step : steps)
    cost += context.target.vectorize ? cost_of(step).vectorized : cost_of(step).scalar;
  if (cost < 1.5 || element_count(out.shape()) < 256) return std::nullopt;
  const HostTensor results = values_of_bytes(context, steps, -1);
  note = "steps: a table of all 256 values";
  PackedConstant table{out.name + ".table", out.type.type, {256}, {}, "row-major"};
  table.bytes.assign(results.bytes(), results.bytes() + results.byte_size());
  return table;
}

}  // namespace qlathe
