#pragma once
#include <memory>
#include <optional>
#include <string>

#include "frontend/formats/spec/builder.h"
#include "frontend/ops/contraction.h"

namespace qlathe {

/// The right operand of a product and whether it is a weight.
struct RightOperand {
  TensorId tensor;
  bool is_weight = false;
};

/// The second input, or the weight `kernel` where there is one input.
std::optional<RightOperand> right_operand(SpecNode& node);

/// Appends the product of node.inputs[0] and `rhs` with what belongs to every product: the accumulator for the operand
/// types, zero points of integer operands (fields lhs_zero_point, rhs_zero_point), rounding of narrow floats, the bias
/// (field bias: true, false, a name; default: whether the weights have it). `attrs` is a DotGeneralAttrs or ConvAttrs.
template <class A>
void add_product(SpecNode& node, TensorId rhs, std::shared_ptr<A> attrs, const std::string& op,
                 const std::string& rule_op);

/// The kernel with its axes in another order: the constant itself, or a transposed copy. A quantized kernel is not
/// permuted (a problem).
std::optional<TensorId> permuted_kernel(SpecNode& node, TensorId kernel, const std::vector<int64_t>& permutation);

inline const std::vector<std::string> kProductFields = {"bias", "kernel", "lhs_zero_point", "rhs_zero_point"};

}  // namespace qlathe
