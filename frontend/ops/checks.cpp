#include "frontend/ops/checks.h"

#include <algorithm>

namespace qlathe {

int64_t saturating_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return a > 0 ? kHugeSize : -kHugeSize;
  return std::clamp(sum, -kHugeSize, kHugeSize);
}

int64_t saturating_mul(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return (a > 0) == (b > 0) ? kHugeSize : -kHugeSize;
  return std::clamp(product, -kHugeSize, kHugeSize);
}

Status check_axes(const InferContext& ctx, const std::string& field, const std::vector<int64_t>& axes, int64_t rank) {
  std::vector<int64_t> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); i++) {
    if (sorted[i] < 0 || sorted[i] >= rank) {
      return ctx.error(
          field,
          "axis " + std::to_string(sorted[i]) + " is not one of the " + std::to_string(rank) + " axes of the operand",
          "give axes counted from 0");
    }
    if (i > 0 && sorted[i] == sorted[i - 1]) {
      return ctx.error(field, "axis " + std::to_string(sorted[i]) + " is given twice", "give every axis once");
    }
  }
  return {};
}

Status check_length(const InferContext& ctx, const std::string& field, size_t length, size_t expected) {
  if (length == expected) return {};
  return ctx.error(field, "has " + std::to_string(length) + " entries, expected " + std::to_string(expected),
                   "give one entry per axis");
}

Status check_rank(const InferContext& ctx, size_t i, size_t rank, const std::string& layout) {
  if (ctx.in(i).shape.size() == rank) return {};
  return ctx.error(
      operand_name(ctx.node, i),
      "has shape " + to_string(ctx.in(i).shape) + ", expected the " + std::to_string(rank) + " axes " + layout,
      "reshape it");
}

Result<int64_t> window_positions(const InferContext& ctx, const std::string& field, const Window& window,
                                 int64_t extent) {
  if (window.kernel < 1 || window.stride < 1 || window.dilation < 1) {
    return ctx.error(field, "kernel, stride and dilation must be at least 1, not " + std::to_string(window.kernel) +
                                ", " + std::to_string(window.stride) + ", " + std::to_string(window.dilation));
  }
  const int64_t covered = saturating_add(saturating_mul(window.kernel - 1, window.dilation), 1);
  if (extent < covered) {
    return ctx.error(
        field, "a window covers " + std::to_string(covered) + " elements of an axis that has " + std::to_string(extent),
        "pad the input or use a smaller kernel");
  }
  return (extent - covered) / window.stride + 1;
}

bool is_arithmetic_float(ValueType type) {
  return type == ValueType::kF32 || type == ValueType::kBF16 || type == ValueType::kF16;
}

std::string operand_name(const Node& node, size_t i) {
  const OpDef* def = OpRegistry::find(node.op);
  if (def == nullptr || def->operands.empty()) return "inputs[" + std::to_string(i) + "]";
  const std::string& last = def->operands.back();
  if (i >= def->operands.size() || (i + 1 == def->operands.size() && last.ends_with("..."))) {
    return "inputs[" + std::to_string(i) + "]";
  }
  return def->operands[i];
}

std::string to_string(const TensorType& type) {
  return std::string(name(type.type)) + "[" + to_string(type.shape) + "]";
}

}  // namespace qlathe
