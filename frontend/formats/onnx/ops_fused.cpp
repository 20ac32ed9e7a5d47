// com.microsoft: operators that ONNX Runtime's optimizer makes of several.
#include <limits>

#include "frontend/formats/onnx/node.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

TensorId add(OnnxNode& node, TensorId a, TensorId b) { return node.binary("add", a, b); }
TensorId mul(OnnxNode& node, TensorId a, TensorId b) { return node.binary("mul", a, b); }

/// x / 2 (1 + erf(x / sqrt 2)), or with tanh in its place.
TensorId gelu(OnnxNode& node, TensorId x, bool approximate) {
  const TensorId one = node.scalar(1.0f), half = mul(node, node.scalar(0.5f), x);
  if (!approximate) return mul(node, half, add(node, one, node.unary("erf", mul(node, x, node.scalar(0.70710678f)))));
  const TensorId cube = mul(node, x, mul(node, x, x));
  const TensorId inner = mul(node, node.scalar(0.79788456f), add(node, x, mul(node, node.scalar(0.044715f), cube)));
  return mul(node, half, add(node, one, node.unary("tanh", inner)));
}

void read_gelu(OnnxNode& node) {
  TensorId x = node.in(0);
  if (node.has(1)) x = add(node, x, node.in(1));
  node.result(gelu(node, x, node.op() == "FastGelu"));
}

void read_quick_gelu(OnnxNode& node) {
  const TensorId x = node.in(0), alpha = node.scalar(static_cast<float>(node.number("alpha", 1.702f)));
  node.result(mul(node, x, node.unary("sigmoid", mul(node, x, alpha))));
}

/// Over the last axis.
TensorId normalize(OnnxNode& node, TensorId x, TensorId scale, TensorId bias, bool rms) {
  auto attrs = std::make_shared<LayerNormAttrs>();
  attrs->axes = 1;
  attrs->epsilon = node.number("epsilon", rms ? static_cast<double>(1e-5f) : static_cast<double>(1e-12f));
  attrs->rms = rms;
  std::vector<TensorId> operands = {x, scale};
  if (bias.valid()) operands.push_back(bias);
  return node.add("layer_norm", std::move(operands), attrs);
}

/// The sum of input, skip and bias, normalized; the fourth result is the sum.
void read_skip_layer_norm(OnnxNode& node) {
  const bool rms = node.op() == "SkipSimplifiedLayerNormalization";
  TensorId sum = add(node, node.in(0), node.in(1));
  const size_t bias = rms ? 3 : 4;
  if (node.has(bias)) sum = add(node, sum, node.in(bias));
  node.result(normalize(node, sum, node.in(2), !rms && node.has(3) ? node.in(3) : kNone, rms));
  for (int i : {1, 2}) {
    if (node.wants_output(i)) node.unsupported("output", "mean and deviation are results of training only");
    node.result(node.results[0]);
  }
  node.result(sum);
}

/// Embeddings of words, positions and segments, added and normalized. The mask's result is the number of its ones.
void read_embed_layer_norm(OnnxNode& node) {
  const TensorId ids = node.in(0);
  const Shape s = node.shape(ids);
  if (s.size() != 2) node.problem("input_ids", "of shape " + to_string(s) + " is not [batch, words]");
  TensorId places = kNone;
  if (node.has(8)) {
    places = node.in(8);
  } else {
    HostTensor order(ValueType::kI64, {s[1]});
    for (int64_t i = 0; i < s[1]; i++)
      order.set_int(i, i);
    places = node.constant(std::move(order), "places");
  }
  TensorId sum = add(node, node.gather(node.in(2), ids, 0), node.gather(node.in(3), places, 0));
  if (node.has(1) && node.has(4)) sum = add(node, sum, node.gather(node.in(4), node.in(1), 0));
  node.result(normalize(node, sum, node.in(5), node.in(6), false));
  node.integer("mask_index_type", 0);
  if (node.output_count() < 2) return;
  TensorId count = node.constant(HostTensor(ValueType::kI32, {s[0]}), "mask_index");
  if (node.has(7)) {
    auto attrs = std::make_shared<ReduceAttrs>();
    attrs->axes = {1};
    count = node.add("reduce", {node.cast(node.in(7), ValueType::kI32)}, attrs);
  }
  node.result(count);
  node.result(sum);
}

TensorId activate(OnnxNode& node, TensorId x, const std::string& name, const std::vector<double>& parameters) {
  const auto parameter = [&](size_t i, double fallback) { return i < parameters.size() ? parameters[i] : fallback; };
  if (name.empty()) return x;
  if (name == "Relu") return node.unary("relu", x);
  if (name == "Sigmoid") return node.unary("sigmoid", x);
  if (name == "Tanh") return node.unary("tanh", x);
  if (name == "HardSwish") return node.unary("hard_swish", x);
  if (name == "LeakyRelu") {
    PointwiseStep step = onnx_step("leaky_relu", node.type(x).type);
    step.alpha = parameter(0, 0.01);
    return node.pointwise(x, {step});
  }
  PointwiseStep clamp = onnx_step("clamp", node.type(x).type);
  if (name == "Clip") {
    clamp.lo = parameter(0, -std::numeric_limits<double>::infinity());
    clamp.hi = parameter(1, std::numeric_limits<double>::infinity());
    return node.pointwise(x, {clamp});
  }
  if (name == "HardSigmoid") {
    clamp.lo = 0;
    clamp.hi = 1;
    const ValueType type = node.type(x).type;
    return node.pointwise(x, {onnx_step("mul", type, {1}), onnx_step("add", type, {2}), clamp},
                          {node.scalar(type, parameter(0, 0.2)), node.scalar(type, parameter(1, 0.5))});
  }
  node.unsupported("activation", "'" + name + "' is not supported");
}

/// FusedConv and FusedGemm: the operator, of a convolution also a sum with a further operand, then the activation.
void read_fused(OnnxNode& node) {
  const bool conv = node.op() == "FusedConv";
  OnnxOps::find(conv ? "Conv" : "Gemm")->read(node);
  if (node.results.empty()) return;
  std::vector<double> parameters = node.numbers("activation_params", {});
  if (!conv) {
    for (const char* name : {"activation_alpha", "activation_beta"}) {
      if (node.has_attribute(name)) parameters.push_back(node.number(name, 0));
    }
  }
  TensorId& y = node.results[0];
  if (conv && node.has(3)) y = add(node, y, node.in(3));
  y = activate(node, y, node.string("activation", ""), parameters);
}

const OnnxOps::Add kOps({{"com.microsoft:BiasGelu", read_gelu},
                         {"com.microsoft:FastGelu", read_gelu},
                         {"com.microsoft:QuickGelu", read_quick_gelu},
                         {"com.microsoft:SkipLayerNormalization", read_skip_layer_norm},
                         {"com.microsoft:SkipSimplifiedLayerNormalization", read_skip_layer_norm},
                         {"com.microsoft:EmbedLayerNormalization", read_embed_layer_norm},
                         {"com.microsoft:FusedConv", read_fused},
                         {"com.microsoft:FusedGemm", read_fused}});

}  // namespace
}  // namespace qlathe
