#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "frontend/ir/op_registry.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {

/// An element in flight. Which member counts follows from its type: f for float32, bfloat16 and float16 (widened), i
/// for integers, bool (0 or 1) and codes.
union Value {
  int64_t i;
  float f;
};

/// What a step's type check may look at.
struct StepTypes {
  const PointwiseStep& step;
  ValueType value;  ///< of the value in flight before the step
  std::vector<ValueType> operands;
};

/// What a step's scalar reference needs beside the values.
struct StepArgs {
  const PointwiseStep& step;
  ValueType value;                    ///< type before the step
  std::vector<ValueType> operands;    ///< types
  const HostTensor* table = nullptr;  ///< operand 0 as a whole, for steps that say so
  int64_t lo = 0, hi = 0;             ///< [step.lo, step.hi] cut with the range of step.type, where that is an integer
};

/// One kind of step: a registration in frontend/ops/steps/.
struct StepDef {
  std::string name;
  int min_operands = 0, max_operands = 0;
  int64_t table = 0;  ///< not 0: operand 0 is not broadcast but used whole, with this many elements
  /// What is wrong with the types, or "".
  std::string (*check)(const StepTypes&) = nullptr;
  /// The step on one element; `operands` has one value per operand.
  Value (*apply)(const StepArgs&, Value v, const Value* operands) = nullptr;
};

class StepRegistry {
 public:
  static const StepDef* find(const std::string& name);
  static std::vector<std::string> names();  ///< sorted

  struct Add {
    explicit Add(StepDef def);
    explicit Add(const std::vector<StepDef>& defs);
  };
};

/// Checks a chain on values of type `initial`; operands must be inputs from `first_operand` on and broadcast to
/// `result`. Gives the type after the last step.
Result<ValueType> check_steps(const InferContext& ctx, const std::vector<PointwiseStep>& steps, ValueType initial,
                              const Shape& result, size_t first_operand);

/// Inputs of the node that steps read element by element (tables are not), ascending.
std::vector<size_t> broadcast_operands(const std::vector<PointwiseStep>& steps);

/// Runs a chain over `from` (broadcast to the result's shape) and writes `to`.
void run_steps(const std::vector<PointwiseStep>& steps, const std::vector<const HostTensor*>& inputs,
               const HostTensor& from, HostTensor& to);

/// OpDef::steps of an op whose attributes hold them as `steps`.
template <class OpAttributes>
std::vector<PointwiseStep>* steps_of(OpAttrs& attrs) {
  return &dynamic_cast<OpAttributes&>(attrs).steps;
}

/// Row `layout.follows` of ops with steps: all operands are laid out like the result but tables.
bool follows_steps(const std::vector<PointwiseStep>& steps, size_t operand);
template <class OpAttributes>
bool follows_steps(const Node& node, size_t operand) {
  return follows_steps(node.as<OpAttributes>().steps, operand);
}

/// Row `accumulator` of products.
template <class OpAttributes>
ValueType accumulator_of(const OpAttrs& attrs) {
  return dynamic_cast<const OpAttributes&>(attrs).accumulator;
}

/// Elements of a tensor as values in flight, and back.
void load_values(const HostTensor& tensor, const int64_t* at, size_t count, Value* out);
void store_values(const Value* values, size_t count, int64_t begin, HostTensor& tensor);

}  // namespace qlathe
