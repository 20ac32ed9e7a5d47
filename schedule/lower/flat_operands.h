#pragma once
/// Parameters of kernels whose buffers are one-dimensional. Only .cpp files that build pipelines include this.
#include <map>
#include <string>
#include <vector>

#include "schedule/kernel.h"
#include "schedule/lower/lowering.h"
#include "schedule/lower/steps.h"

namespace qlathe {

/// The pointer parameters of a kernel under construction, in the order of first use, and the operands they are bound
/// to.
class FlatOperands {
 public:
  explicit FlatOperands(const LoweringContext& context) : context_(context) {}

  Halide::ImageParam tensor(TensorId id, const std::string& name);
  Halide::ImageParam constant(const PackedConstant& packed, int index, const std::string& name);
  Halide::ImageParam temporary(ValueType type, int64_t elements, int index, const std::string& name);

  /// Operand `id`, of row-major `extents`, at these coordinates of a result of `result` extents, broadcast.
  FlightValue at(TensorId id, const std::string& name, const std::vector<int64_t>& extents,
                 const std::vector<int64_t>& result, const std::vector<Halide::Expr>& coordinates);
  /// Element `index` of a table operand.
  FlightValue table(TensorId id, const Halide::Expr& index);

  const std::vector<KernelInput>& inputs() const { return inputs_; }
  const std::vector<KernelOperand>& operands() const { return operands_; }
  /// Types, extents and bounds of the operands: what of them is part of the code.
  const std::string& key() const { return key_; }

 private:
  Halide::ImageParam add(ValueType type, int64_t elements, const std::string& name, KernelOperand operand,
                         int32_t alignment);
  FlightValue value(TensorId id, const Halide::Expr& stored);

  const LoweringContext& context_;
  std::vector<KernelInput> inputs_;
  std::vector<KernelOperand> operands_;
  std::map<TensorId, Halide::ImageParam> tensors_;
  std::map<TensorId, ElementBounds> bounds_;
  std::string key_;
};

}  // namespace qlathe
