#include "schedule/lower/flat_operands.h"

#include <algorithm>
#include <cmath>

namespace qlathe {
Halide::ImageParam FlatOperands::add(ValueType type, int64_t elements, const std::string& name, KernelOperand operand,
                                     int32_t alignment) {
  const auto taken = [&](const std::string& wanted) {
    return std::any_of(inputs_.begin(), inputs_.end(),
                       [&](const KernelInput& in) { return in.param.name() == wanted; });
  };
  std::string unique = name;
  for (int suffix = 2; taken(unique); suffix++)
    unique = name + std::to_string(suffix);
  Halide::ImageParam param(storage_type(type), 1, unique);
  inputs_.push_back({param, dense_dims({static_cast<int32_t>(elements)}), alignment});
  operands_.push_back(operand);
  key_ += std::string(";") + qlathe::name(type) + "[" + std::to_string(elements) + "]";
  return param;
}

Halide::ImageParam FlatOperands::tensor(TensorId id, const std::string& name) {
  const auto known = tensors_.find(id);
  if (known != tensors_.end()) return known->second;
  const Tensor& t = context_.graph[id];
  Halide::ImageParam param =
      add(t.type.type, element_count(t.shape()), name, KernelOperand::of(id), storage_bytes(t.type.type));
  tensors_.emplace(id, param);
  const ElementBounds bounds = element_bounds(t);
  bounds_[id] = bounds;
  key_ += ":" + to_string(t.shape()) + "<" + to_string(bounds);
  return param;
}

Halide::ImageParam FlatOperands::constant(const PackedConstant& packed, int index, const std::string& name) {
  return add(packed.type, element_count(packed.shape), name, KernelOperand::constant(index), 64);
}

Halide::ImageParam FlatOperands::temporary(ValueType type, int64_t elements, int index, const std::string& name) {
  return add(type, elements, name, KernelOperand::temporary(index), 64);
}

FlightValue FlatOperands::value(TensorId id, const Halide::Expr& stored) {
  FlightValue out = load_value(context_.graph[id].type.type, stored);
  out.bound = std::min(out.bound, bounds_[id].bound);
  out.least = bounds_[id].least;
  return out;
}

FlightValue FlatOperands::at(TensorId id, const std::string& name, const std::vector<int64_t>& extents,
                             const std::vector<int64_t>& result, const std::vector<Halide::Expr>& coordinates) {
  Halide::Expr index = 0;
  for (size_t d = 0; d < extents.size(); d++) {
    if (extents[d] == 1) continue;
    Halide::Expr i = coordinates[d];
    if (extents[d] != result[d]) i = i / static_cast<int32_t>(result[d] / extents[d]);
    index = index * static_cast<int32_t>(extents[d]) + i;
  }
  return value(id, tensor(id, name)(index));
}

FlightValue FlatOperands::table(TensorId id, const Halide::Expr& index) {
  const auto last = static_cast<int32_t>(element_count(context_.graph[id].shape()) - 1);
  return value(id, tensor(id, "table")(Halide::clamp(index, 0, last)));
}

}  // namespace qlathe
