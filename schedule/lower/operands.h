#pragma once
/// Binding of a node's extra operands (scales, biases, residuals, tables) to kernel parameters. Only .cpp files that
/// build pipelines include this.
#include <string>
#include <vector>

#include "schedule/kernel.h"
#include "schedule/lower/lowering.h"
#include "schedule/lower/steps.h"

namespace qlathe {

/// Row-major shape of a tensor, axes of extent 1 before it added up to `rank`.
Shape padded_shape(const Shape& shape, size_t rank);

/// The pointer parameters of a kernel under construction, in the order of declaration, and the operands they are bound
/// to.
class KernelBindings {
 public:
  explicit KernelBindings(const LoweringContext& context) : context_(context) {}

  /// A dense parameter of the given row-major extents (outermost first) over a graph tensor.
  Halide::ImageParam tensor(TensorId id, const std::string& name, const Shape& extents);
  /// A dense parameter over a packed constant that `lowering.constants[index]` holds.
  Halide::ImageParam constant(const PackedConstant& packed, int index, const std::string& name);

  const std::vector<KernelInput>& inputs() const { return inputs_; }
  const std::vector<KernelOperand>& operands() const { return operands_; }

 private:
  Halide::ImageParam add(ValueType type, const Shape& extents, const std::string& name, KernelOperand operand);

  const LoweringContext& context_;
  std::vector<KernelInput> inputs_;
  std::vector<KernelOperand> operands_;
};

/// Operands of steps, read by broadcasting: declares a parameter for every node input that the steps use (once), and
/// gives their values at result coordinates.
class StepBindings {
 public:
  /// `result` is the shape that operands broadcast to, outermost axis first. `extents` gives an operand's extents along
  /// those axes where they are not the tensor's own (padded) shape, for example after axes were merged.
  using Extents = std::function<Shape(int64_t input)>;
  StepBindings(const LoweringContext& context, KernelBindings& bindings, const std::vector<PointwiseStep>& steps,
               Shape result, const Extents& extents = nullptr);

  /// Operands at the element with these coordinates (outermost first, one per axis of the result).
  StepOperands at(const std::vector<Halide::Expr>& coordinates) const;
  /// Types, extents and magnitudes of the operands: what of them is baked into the code.
  const std::string& key() const { return key_; }

 private:
  struct Bound {
    int64_t input;
    Halide::ImageParam param;
    Shape extents;  ///< padded to the result's rank
    ValueType type;
    ElementBounds bounds;
  };
  const Bound& find(int64_t input) const;

  Shape result_;
  std::vector<Bound> bound_;
  std::string key_;
};

/// Index of an operand axis of extent `p` at coordinate `i` of a result axis of extent `n` (frontend/ops/pointwise.h).
Halide::Expr broadcast_index(const Halide::Expr& i, int64_t n, int64_t p);

}  // namespace qlathe
