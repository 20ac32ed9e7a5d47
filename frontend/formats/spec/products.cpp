#include "frontend/formats/spec/products.h"

#include "frontend/ops/pointwise.h"

namespace qlathe {
namespace {

/// A zero point of an integer operand as a constant of the operand's rank; kNone without the field.
std::optional<TensorId> zero_point(SpecNode& node, const char* key, TensorId of) {
  const auto value = node.fields.integer(key, INT32_MIN, INT32_MAX);
  if (!value) return kNone;
  if (!is_integer(node.type_of(of).type)) {
    node.problem(key, std::string("belongs to integer operands; this one is ") + name(node.type_of(of).type));
    return std::nullopt;
  }
  HostTensor data(ValueType::kI32, Shape(node.type_of(of).shape.size(), 1));
  data.set_int(0, *value);
  return node.constant(std::string(".") + key, std::move(data));
}

/// The bias as an operand; nothing after a problem.
std::optional<TensorId> bias(SpecNode& node, int64_t features) {
  const auto tensor = node.weight("bias");
  if (!tensor) return std::nullopt;
  const Shape& shape = node.type_of(*tensor).shape;
  if (shape != Shape{features}) {
    node.problem("bias",
                 "has shape " + to_string(shape) + ", the result has " + std::to_string(features) + " features");
    return std::nullopt;
  }
  return tensor;
}

/// The field `bias`: true, false, or the name of an array; by default whether the weights have one.
bool wants_bias(SpecNode& node) {
  const JsonValue* field = node.fields.find("bias");
  if (!field) return node.has_weight("bias");
  if (field->boolean()) return *field->boolean();
  if (!field->string()) {
    node.problem("bias", std::string("expected true, false or the name of an array, found ") + field->kind());
  }
  return true;
}

}  // namespace

std::optional<RightOperand> right_operand(SpecNode& node) {
  if (node.inputs.size() == 2) return RightOperand{node.inputs[1], false};
  const auto kernel = node.weight("kernel");
  if (!kernel) return std::nullopt;
  return RightOperand{*kernel, true};
}

template <class A>
void add_product(SpecNode& node, TensorId rhs, std::shared_ptr<A> attrs, const std::string& op,
                 const std::string& rule_op) {
  const TensorId lhs = node.inputs[0];
  const ValueType a = node.type_of(lhs).type, b = node.type_of(rhs).type;
  if (is_integer(a) != is_integer(b)) {
    node.problem("", std::string("multiplies ") + name(a) + " with " + name(b),
                 "give both as floats or both as integers; quantized weights of a float layer are <name>.qvalue and "
                 "<name>.scale");
    return node.result(std::nullopt);
  }
  const bool integer = is_integer(a);
  attrs->accumulator = integer ? ValueType::kI32 : ValueType::kF32;
  const ValueType result_type = integer ? ValueType::kI32 : float_result(a, b);
  std::vector<TensorId> operands = {lhs, rhs};
  const auto lhs_zero = zero_point(node, "lhs_zero_point", lhs), rhs_zero = zero_point(node, "rhs_zero_point", rhs);
  if (!lhs_zero || !rhs_zero) return node.result(std::nullopt);
  if (lhs_zero->valid() || rhs_zero->valid()) operands.push_back(*lhs_zero);
  if (rhs_zero->valid()) operands.push_back(*rhs_zero);
  if (result_type != attrs->accumulator) {
    PointwiseStep cast;
    cast.op = "cast";
    cast.type = result_type;
    attrs->steps = {cast};
  }
  const bool with_bias = wants_bias(node);
  SpecBuilder::Product info{static_cast<int>(node.builder.graph.nodes.size()), -1};
  auto out = node.add(op, std::move(operands), std::move(attrs), with_bias ? ".product" : "", rule_op);
  if (out && with_bias) {
    const Shape& shape = node.type_of(*out).shape;
    const auto added = bias(node, shape.empty() ? 0 : shape.back());
    if (!added) return node.result(std::nullopt);
    PointwiseStep add;
    add.op = "add";
    add.type = integer ? ValueType::kI32 : float_result(result_type, node.type_of(*added).type);
    add.operands = {1};
    auto steps = std::make_shared<PointwiseAttrs>();
    steps->steps = {add};
    info.bias_node = static_cast<int>(node.builder.graph.nodes.size());
    out = node.add("pointwise", {*out, *added}, steps);
  }
  if (out) node.builder.products[*out] = info;
  node.result(out);
}

template void add_product(SpecNode&, TensorId, std::shared_ptr<DotGeneralAttrs>, const std::string&,
                          const std::string&);
template void add_product(SpecNode&, TensorId, std::shared_ptr<ConvAttrs>, const std::string&, const std::string&);

std::optional<TensorId> permuted_kernel(SpecNode& node, TensorId kernel, const std::vector<int64_t>& permutation) {
  Graph& graph = node.builder.graph;
  const auto data = graph[kernel].data;
  if (!data) {
    node.problem("kernel_layout", "only kernels that are not quantized already can be given in another layout");
    return std::nullopt;
  }
  const std::string wanted = graph[kernel].name + ".permuted";
  if (const TensorId made = node.builder.find(wanted); made.valid()) return made;
  Shape shape;
  for (int64_t axis : permutation)
    shape.push_back(data->shape()[static_cast<size_t>(axis)]);
  HostTensor out(data->type(), shape);
  const auto strides = row_major_strides(data->shape());
  const auto width = static_cast<size_t>(storage_bytes(data->type()));
  std::vector<int64_t> index(shape.size(), 0);
  int64_t from = 0;
  for (int64_t i = 0; i < out.size(); ++i) {
    std::memcpy(out.bytes() + static_cast<size_t>(i) * width, data->bytes() + static_cast<size_t>(from) * width, width);
    for (size_t d = shape.size(); d-- > 0;) {
      const int64_t stride = strides[static_cast<size_t>(permutation[d])];
      from += stride;
      if (++index[d] < shape[d]) break;
      from -= stride * index[d];
      index[d] = 0;
    }
  }
  return node.derived_constant(wanted, std::move(out));
}

}  // namespace qlathe
