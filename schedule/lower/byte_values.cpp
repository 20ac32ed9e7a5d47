#include "schedule/lower/byte_values.h"

#include <utility>

#include "frontend/ops/pointwise_steps.h"

namespace qlathe {
namespace {

HostTensor all_bytes(ValueType type, Shape shape) {
  HostTensor out(type, std::move(shape));
  for (int i = 0; i < 256; i++)
    out.set_int(i, least_byte(type) + i);
  return out;
}

}  // namespace

int32_t least_byte(ValueType type) { return type == ValueType::kI8 ? -128 : 0; }

HostTensor values_of_bytes(const LoweringContext& context, const std::vector<PointwiseStep>& steps, int64_t other) {
  std::vector<HostTensor> values(context.node.inputs.size());
  std::vector<const HostTensor*> inputs(context.node.inputs.size());
  for (size_t i = 0; i < inputs.size(); i++) {
    if (!context.has(i)) continue;
    const Tensor& tensor = context.in(i);
    if (static_cast<int64_t>(i) == other)
      values[i] = all_bytes(tensor.type.type, {1, 256});
    else if (context.node.inputs[i] == context.node.inputs[0])
      values[i] = all_bytes(tensor.type.type, {256, 1});
    else if (tensor.is_constant())
      values[i] = tensor.data->size() == 1 ? tensor.data->reshaped({}) : *tensor.data;
    inputs[i] = &values[i];
  }
  HostTensor results(context.out().type.type, {256, other >= 0 ? 256 : 1});
  run_steps(steps, inputs, values[0], results);
  return results;
}

}  // namespace qlathe
