#include "frontend/ops/product_checks.h"

#include "frontend/ops/checks.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

bool present(const Node& node, size_t i) { return i < node.inputs.size() && node.inputs[i].valid(); }

/// Values of int32: uint32 is none of these.
bool within_int32(ValueType type) { return is_integer(type) && info(type).max <= INT32_MAX; }

}  // namespace

bool has_scales(const Node& node) { return present(node, kLhsScale) || present(node, kRhsScale); }

Result<ValueType> check_product_types(const InferContext& ctx, ValueType accumulator, bool multipliers) {
  const bool to_float = accumulator == ValueType::kF32;
  if (!to_float && accumulator != ValueType::kI32 && accumulator != ValueType::kI64) {
    return ctx.error("accumulator", "is " + std::string(name(accumulator)), "use int32, int64 or float32");
  }
  for (size_t i : {kLhs, kRhs}) {
    const ValueType type = ctx.in(i).type;
    if (within_int32(type) || (to_float && (is_arithmetic_float(type) || is_code(type)))) continue;
    return ctx.error(operand_name(ctx.node, i),
                     "is " + std::string(name(type)) + ", which is not summed in " + name(accumulator),
                     to_float ? "cast it to float32" : "use a float32 accumulator or quantize the operand");
  }
  for (size_t i : {kLhsZeroPoint, kRhsZeroPoint}) {
    if (!ctx.has(i) || within_int32(ctx.in(i).type) || (to_float && is_arithmetic_float(ctx.in(i).type))) continue;
    return ctx.error(operand_name(ctx.node, i), "is " + std::string(name(ctx.in(i).type)),
                     "zero points are integers of at most 32 bits, or floats where the accumulator is float32");
  }
  int multiplier = 0, scale = 0;
  for (size_t i : {kLhsScale, kRhsScale}) {
    if (!ctx.has(i)) continue;
    if (is_arithmetic_float(ctx.in(i).type)) {
      scale++;
      continue;
    }
    if (multipliers && !to_float && is_multiplier(ctx.in(i).type) && multiplier++ == 0) continue;
    return ctx.error(operand_name(ctx.node, i), "is " + std::string(name(ctx.in(i).type)),
                     multipliers ? "scales are float32, bfloat16 or float16; one of them may be uint8 where the "
                                   "accumulator is an integer"
                                 : "scales are float32, bfloat16 or float16");
  }
  return scale > 0 ? ValueType::kF32 : accumulator;
}

Status check_parameter_shapes(const InferContext& ctx, const Shape& shape, const std::string& layout,
                              bool (*allowed)(size_t slot, size_t axis, size_t rank)) {
  for (size_t slot : {kLhsZeroPoint, kRhsZeroPoint, kLhsScale, kRhsScale}) {
    if (!ctx.has(slot)) continue;
    const Shape& own = ctx.in(slot).shape;
    if (own.size() != shape.size() || !broadcasts_plainly_to(own, shape)) {
      return ctx.error(operand_name(ctx.node, slot),
                       "has shape " + to_string(own) + ", expected " + to_string(shape) + " = " + layout +
                           " or 1 in place of any extent",
                       "reshape it");
    }
    for (size_t d = 0; d < own.size(); d++) {
      if (own[d] > 1 && !allowed(slot, d, shape.size())) {
        return ctx.error(operand_name(ctx.node, slot),
                         "has " + std::to_string(own[d]) + " values along axis " + std::to_string(d) + " of " + layout,
                         "its operand does not vary there: use extent 1");
      }
    }
  }
  return {};
}

Status check_tiled_parameters(const InferContext& ctx) {
  for (size_t slot : {kLhsZeroPoint, kRhsZeroPoint, kLhsScale, kRhsScale}) {
    if (!ctx.has(slot)) continue;
    const Shape& own = ctx.in(slot).shape;
    const size_t of = slot == kLhsZeroPoint || slot == kLhsScale ? kLhs : kRhs;
    const Shape& operand = ctx.in(of).shape;
    if (own.size() != operand.size() || !broadcasts_to(own, operand)) {
      return ctx.error(operand_name(ctx.node, slot),
                       "has shape " + to_string(own) + " for an operand of shape " + to_string(operand),
                       "give it the operand's rank and on every axis an extent that divides the operand's");
    }
  }
  return {};
}

}  // namespace qlathe
