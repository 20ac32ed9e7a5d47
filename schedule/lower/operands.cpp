#include "schedule/lower/operands.h"

#include <algorithm>
#include <cmath>

#include "frontend/ops/pointwise_steps.h"

namespace qlathe {
namespace {

/// A readable parameter name for the i-th operand of a step.
std::string operand_name(const PointwiseStep& step, size_t i) {
  if (step.op == "quantize" || step.op == "dequantize") return i == 0 ? "scale" : "zero_point";
  if (step.op == "requantize") return i == 0 ? "multiplier" : i == 1 ? "shift" : "zero_point";
  if (step.op == "add_requantized" || step.op == "sub_requantized" || step.op == "mul_centered") {
    if (i == 0) return "other";
    return step.op == "mul_centered" || i == 3 ? "zero_point" : i == 1 ? "multiplier" : "shift";
  }
  if (reads_table(step)) return "table";
  if (step.op == "mul") return "factor";
  if (step.op == "add") return "addend";
  return "operand";
}

}  // namespace

Shape padded_shape(const Shape& shape, size_t rank) {
  QL_CHECK(shape.size() <= rank, to_string(shape));
  Shape out(rank - shape.size(), 1);
  out.insert(out.end(), shape.begin(), shape.end());
  return out;
}

Halide::ImageParam KernelBindings::add(ValueType type, const Shape& extents, const std::string& name,
                                       KernelOperand operand) {
  const auto taken = [&](const std::string& wanted) {
    return std::any_of(inputs_.begin(), inputs_.end(),
                       [&](const KernelInput& in) { return in.param.name() == wanted; });
  };
  std::string unique = name;
  for (int suffix = 2; taken(unique); suffix++)
    unique = name + std::to_string(suffix);
  std::vector<int32_t> inner_first;
  for (size_t d = extents.size(); d-- > 0;)
    inner_first.push_back(static_cast<int32_t>(extents[d]));
  if (inner_first.empty()) inner_first.push_back(1);
  Halide::ImageParam param(storage_type(type), static_cast<int>(inner_first.size()), unique);
  inputs_.push_back({param, dense_dims(inner_first), storage_bytes(type)});
  operands_.push_back(operand);
  return param;
}

Halide::ImageParam KernelBindings::tensor(TensorId id, const std::string& name, const Shape& extents) {
  QL_CHECK(element_count(extents) == element_count(context_.graph[id].shape()), context_.graph[id].name);
  return add(context_.graph[id].type.type, extents, name, KernelOperand::of(id));
}

Halide::ImageParam KernelBindings::constant(const PackedConstant& packed, int index, const std::string& name) {
  return add(packed.type, packed.shape, name, KernelOperand::constant(index));
}

StepBindings::StepBindings(const LoweringContext& context, KernelBindings& bindings,
                           const std::vector<PointwiseStep>& steps, Shape result, const Extents& extents_of)
    : result_(std::move(result)) {
  for (const PointwiseStep& step : steps) {
    for (size_t i = 0; i < step.operands.size(); i++) {
      const int64_t input = step.operands[i];
      if (std::any_of(bound_.begin(), bound_.end(), [&](const Bound& b) { return b.input == input; })) continue;
      const Tensor& tensor = context.in(static_cast<size_t>(input));
      const bool table = reads_table(step) && i == 0;
      Shape extents;
      if (table)
        extents = {element_count(tensor.shape())};
      else
        extents = extents_of ? extents_of(input) : padded_shape(tensor.shape(), result_.size());
      const ElementBounds bounds = element_bounds(tensor);
      const TensorId id = context.node.inputs[static_cast<size_t>(input)];
      bound_.push_back({input, bindings.tensor(id, operand_name(step, i), extents), extents, tensor.type.type, bounds});
      key_ += ";" + std::to_string(input) + ":" + name(tensor.type.type) + "[" + to_string(extents) + "]<" +
              to_string(bounds);
    }
  }
}

const StepBindings::Bound& StepBindings::find(int64_t input) const {
  for (const Bound& b : bound_) {
    if (b.input == input) return b;
  }
  internal_error(__FILE__, __LINE__, "operand is bound", std::to_string(input));
}

StepOperands StepBindings::at(const std::vector<Halide::Expr>& coordinates) const {
  QL_CHECK(coordinates.size() == result_.size(), std::to_string(coordinates.size()));
  StepOperands out;
  out.at = [this, coordinates](int64_t input) {
    const Bound& b = find(input);
    std::vector<Halide::Expr> index;
    for (size_t d = result_.size(); d-- > 0;)
      index.push_back(broadcast_index(coordinates[d], result_[d], b.extents[d]));
    if (index.empty()) index.push_back(0);
    FlightValue value = load_value(b.type, b.param(index));
    value.bound = std::min(value.bound, b.bounds.bound);
    value.least = b.bounds.least;
    return value;
  };
  out.table = [this](int64_t input, Halide::Expr i) {
    const Bound& b = find(input);
    return load_value(b.type, b.param(Halide::clamp(i, 0, static_cast<int32_t>(b.extents[0]) - 1)));
  };
  return out;
}

Halide::Expr broadcast_index(const Halide::Expr& i, int64_t n, int64_t p) {
  if (p == 1) return 0;
  if (p == n) return i;
  return i / static_cast<int32_t>(n / p);
}

}  // namespace qlathe
