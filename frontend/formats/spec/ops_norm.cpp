// layer_norm, rms_norm, batch_norm.
#include <cmath>

#include "frontend/formats/spec/builder.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

/// Over the last `axes` axes (default 1); weights <module>/scale and <module>/bias where they are given.
void read_layer_norm(SpecNode& node) {
  auto attrs = std::make_shared<LayerNormAttrs>();
  attrs->axes = node.fields.integer("axes", 1, node.rank(0)).value_or(1);
  attrs->epsilon = node.fields.number("epsilon").value_or(node.op == "rms_norm" ? 1e-6 : 1e-5);
  attrs->rms = node.op == "rms_norm";
  if (!(attrs->epsilon >= 0)) node.problem("epsilon", "is negative");
  if (const ValueType type = node.type(0).type; type != ValueType::kF32 && is_float(type)) {
    PointwiseStep cast;
    cast.op = "cast";
    cast.type = type;
    attrs->steps = {cast};
  }
  std::vector<TensorId> operands = {node.inputs[0]};
  const bool scale = node.fields.has("scale") || node.has_weight("scale");
  const bool bias = node.fields.has("bias") || node.has_weight("bias");
  for (const char* parameter : {"scale", "bias"}) {
    if (parameter == std::string("scale") ? !scale : !bias) {
      operands.push_back(kNone);
      continue;
    }
    const auto tensor = node.weight(parameter);
    if (!tensor) return node.result(std::nullopt);
    operands.push_back(*tensor);
  }
  while (!operands.back().valid())
    operands.pop_back();
  node.result(node.add("layer_norm", std::move(operands), attrs));
}

/// One float32 vector of a batch_norm, [channels]; ones or zeros where it may be missing.
std::optional<std::vector<float>> channel_values(SpecNode& node, const char* parameter, int64_t channels,
                                                 std::optional<float> missing) {
  if (missing && !node.fields.has(parameter) && !node.has_weight(parameter)) {
    return std::vector<float>(static_cast<size_t>(channels), *missing);
  }
  const auto tensor = node.weight(parameter);
  if (!tensor) return std::nullopt;
  const Tensor& t = node.builder.graph[*tensor];
  if (!t.data || t.type.type != ValueType::kF32 || t.shape() != Shape{channels}) {
    node.problem(parameter, std::string("is ") + name(t.type.type) + " of shape " + to_string(t.shape()) +
                                ", expected float32 of shape " + std::to_string(channels));
    return std::nullopt;
  }
  const auto values = t.data->as<float>();
  return std::vector<float>(values.begin(), values.end());
}

/// The product that the batch_norm may change: float32 weights, used by nothing else.
const SpecBuilder::Product* foldable(SpecNode& node, int64_t channels) {
  SpecBuilder& b = node.builder;
  const auto found = b.products.find(node.inputs[0]);
  if (found == b.products.end() || b.uses[node.names[0]] != 1) return nullptr;
  const Node& product = b.graph.nodes[static_cast<size_t>(found->second.node)];
  const Tensor& kernel = b.graph[product.inputs[kRhs]];
  const bool float_kernel = kernel.data && kernel.type.type == ValueType::kF32;
  if (!float_kernel || kernel.shape().empty() || kernel.shape().back() != channels) return nullptr;
  // The kernel's last axis must be the result's last: not so for every dot_general and einsum.
  const auto* dot = dynamic_cast<const DotGeneralAttrs*>(product.attrs.get());
  const int64_t last = static_cast<int64_t>(kernel.shape().size()) - 1;
  if (dot && (!dot->output_permutation.empty() || !dot->rhs_batch.empty())) return nullptr;
  if (dot) {
    for (int64_t axis : dot->rhs_contracting) {
      if (axis == last) return nullptr;
    }
  }
  if (b.graph[node.inputs[0]].type.type != ValueType::kF32) return nullptr;
  if (found->second.bias_node >= 0) {
    const Tensor& bias = b.graph[b.graph.nodes[static_cast<size_t>(found->second.bias_node)].inputs[1]];
    if (!bias.data || bias.type.type != ValueType::kF32) return nullptr;
  }
  return &found->second;
}

/// y = (x - mean) * scale / sqrt(var + epsilon) + bias per channel. With a = scale / sqrt(var + epsilon), computed in
/// double and rounded to float32, it folds into a product before it that nothing else uses: kernel * a, (bias - mean) *
/// a + b. Otherwise it is y = fma(x, a, b - mean * a).
void read_batch_norm(SpecNode& node) {
  const double epsilon = node.fields.number("epsilon").value_or(1e-5);
  if (!(epsilon >= 0)) node.problem("epsilon", "is negative");
  const Shape& x = node.type(0).shape;
  if (x.empty() || node.type(0).type != ValueType::kF32) {
    node.problem("inputs", "takes float32 with channels last");
    return node.result(std::nullopt);
  }
  const int64_t channels = x.back();
  // The arrays first: they bound the number of channels by what a file really holds.
  const auto mean = channel_values(node, "mean", channels, std::nullopt),
             var = channel_values(node, "var", channels, std::nullopt);
  if (!mean || !var) return node.result(std::nullopt);
  const auto scale = channel_values(node, "scale", channels, 1.0f), bias = channel_values(node, "bias", channels, 0.0f);
  if (!scale || !bias || !node.ok()) return node.result(std::nullopt);
  const auto n = static_cast<size_t>(channels);
  std::vector<float> factor(n);
  for (size_t c = 0; c < n; ++c) {
    const double a = (*scale)[c] / std::sqrt(static_cast<double>((*var)[c]) + epsilon);
    factor[c] = static_cast<float>(a);
    if (!std::isfinite(factor[c])) {
      node.problem("var", "channel " + std::to_string(c) + " has the variance " + std::to_string((*var)[c]) +
                              ", which gives no finite factor");
      return node.result(std::nullopt);
    }
  }
  const auto offset = [&](size_t c, double x0) {
    return static_cast<float>((x0 - (*mean)[c]) * static_cast<double>(factor[c]) + (*bias)[c]);
  };
  Graph& graph = node.builder.graph;
  std::vector<float> offsets(n);
  const SpecBuilder::Product* product = foldable(node, channels);
  if (!product) {
    for (size_t c = 0; c < n; ++c)
      offsets[c] = offset(c, 0);
    PointwiseStep fma;
    fma.op = "fma";
    fma.operands = {1, 2};
    auto attrs = std::make_shared<PointwiseAttrs>();
    attrs->steps = {fma};
    const TensorId a = node.constant(".factor", HostTensor::of(ValueType::kF32, {channels}, factor));
    const TensorId b = node.constant(".offset", HostTensor::of(ValueType::kF32, {channels}, offsets));
    return node.result(node.add("pointwise", {node.inputs[0], a, b}, attrs));
  }
  // The kernel's last axis is the channel: a new constant, as another node may share the old one.
  const TensorId old_kernel = graph.nodes[static_cast<size_t>(product->node)].inputs[kRhs];
  HostTensor kernel = *graph[old_kernel].data;
  auto weights = kernel.as<float>();
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] *= factor[i % n];
  const TensorId folded = node.derived_constant(graph[old_kernel].name + ".folded", std::move(kernel));
  graph.nodes[static_cast<size_t>(product->node)].inputs[kRhs] = folded;
  std::vector<float> old_bias(n, 0.0f);
  if (product->bias_node >= 0) {
    const TensorId operand = graph.nodes[static_cast<size_t>(product->bias_node)].inputs[1];
    const auto values = graph[operand].data->as<float>();
    old_bias.assign(values.begin(), values.end());
  }
  for (size_t c = 0; c < n; ++c)
    offsets[c] = offset(c, old_bias[c]);
  const TensorId b = node.constant(".bias", HostTensor::of(ValueType::kF32, {channels}, offsets));
  if (product->bias_node >= 0) {
    graph.nodes[static_cast<size_t>(product->bias_node)].inputs[1] = b;
    return node.result(node.inputs[0]);
  }
  PointwiseStep add;
  add.op = "add";
  add.operands = {1};
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = {add};
  node.result(node.add("pointwise", {node.inputs[0], b}, attrs));
}

const SpecOps::Add kNorms({
    {"layer_norm", 1, 1, read_layer_norm, {"axes", "bias", "epsilon", "scale"}, true},
    {"rms_norm", 1, 1, read_layer_norm, {"axes", "bias", "epsilon", "scale"}, true},
    {"batch_norm", 1, 1, read_batch_norm, {"bias", "epsilon", "mean", "scale", "var"}, true},
});

}  // namespace
}  // namespace qlathe
