#include "frontend/rules/quantizer.h"

#include <algorithm>

#include "frontend/ir/live_nodes.h"
#include "frontend/ir/suggest.h"
#include "frontend/ops/contraction.h"

namespace qlathe {
namespace {

bool is_product(const Node& node) { return node.op == "dot_general" || node.op == "conv"; }

/// No contracted axis has several scales.
bool scales_once(const Graph& graph, const Node& node, const OperandReport& operand, Side side) {
  if (node.op == "conv") return true;
  for (int64_t axis : contracted_axes(node, side)) {
    if (graph[operand.scale].shape()[static_cast<size_t>(axis)] > 1) return false;
  }
  return true;
}

}  // namespace

TensorId Quantizer::mapped(TensorId id) {
  if (!id.valid()) return kNone;
  const auto found = ids_.find(id);
  if (found != ids_.end()) return found->second;
  // Constants are copied when they are first read, so that replaced weights do not travel on.
  const Tensor& old = from_[id];
  QL_CHECK(old.is_constant(), old.name);
  const TensorId made = out_.graph.add_tensor(old.name, old.type);
  out_.graph[made].data = old.data;
  ids_[id] = made;
  return made;
}

void Quantizer::rename_result(TensorId id, TensorId old) {
  // The old name, unless a constant or an earlier node has it.
  if (!out_.graph.find(from_[old].name).valid()) out_.graph.rename(id, from_[old].name);
  ids_[old] = id;
}

void Quantizer::copy_node(const Node& node) {
  Node copy = node;
  for (TensorId& input : copy.inputs)
    input = mapped(input);
  for (TensorId& output : copy.outputs) {
    const TensorId old = output;
    output = out_.graph.add_tensor(from_[old].name, from_[old].type);
    ids_[old] = output;
    if (const auto& quantization = from_[old].quantization) {
      out_.graph[output].quantization =
          Quantization{mapped(quantization->scale), mapped(quantization->zero_point), quantization->tile};
    }
  }
  out_.graph.nodes.push_back(std::move(copy));
}

Result<QuantizedGraph> Quantizer::run() {
  QL_ASSIGN(out_.matches, match_rules(from_, rules_));
  out_.graph.name = from_.name;
  for (TensorId id : from_.inputs)
    ids_[id] = out_.graph.add_input(from_[id].name, from_[id].type);
  for (const State& state : from_.states)
    ids_[state.current] = out_.graph.add_tensor(from_[state.current].name, from_[state.current].type);

  Status problems;
  size_t next_match = 0;
  for (size_t i = 0; i < from_.nodes.size(); ++i) {
    const Node& node = from_.nodes[i];
    const OpMatch* match = nullptr;
    if (next_match < out_.matches.ops.size() && out_.matches.ops[next_match].node == static_cast<int>(i)) {
      match = &out_.matches.ops[next_match++];
    }
    const auto& qwix =
        match && match->rule >= 0 ? rules_.rules[static_cast<size_t>(match->rule)].qwix : std::optional<QwixRule>();
    if (!qwix || !qwix->weight || !is_product(node)) {
      copy_node(node);
      continue;
    }
    Status status = quantize_node(node, *match, *qwix);
    if (status.ok()) continue;
    problems.merge(status.at({node.origin.place, node.origin.name, ""}));
    copy_node(node);  // so that the rest can be checked
  }
  for (TensorId id : from_.outputs)
    out_.graph.outputs.push_back(mapped(id));
  for (const State& state : from_.states)
    out_.graph.states.push_back({mapped(state.current), mapped(state.next), state.initial});
  problems.merge(finish());
  if (problems.ok()) problems.merge(check_extra_params());
  if (!problems.ok()) return problems;
  remove_dead_nodes();
  return std::move(out_);
}

void Quantizer::remove_dead_nodes() {
  Graph& graph = out_.graph;
  const std::vector<bool> live = live_nodes(graph);
  std::vector<Node> kept;
  for (size_t n = 0; n < live.size(); n++) {
    if (live[n]) kept.push_back(std::move(graph.nodes[n]));
  }
  graph.nodes = std::move(kept);
}

Status Quantizer::check_conv(const Site& site) const {
  if (site.node.op != "conv") return {};
  if (site.rule.activation != site.rule.weight) {
    const std::string activation = site.rule.activation ? site.rule.activation->name : "none";
    return Status::user(
        {"", "", "act_qtype"},
        "a convolution needs one type for weights and activations; weight_qtype is " +
            std::string(site.rule.weight->name) + ", act_qtype " + activation,
        "set act_qtype to " + std::string(site.rule.weight->name) + ", or exclude convolutions with op_names");
  }
  if (site.rule.weight_method.asymmetric()) {
    return Status::user({"", "", "weight_calibration_method"}, "a convolution's weights cannot have zero points",
                        "use absmax, rms or a symmetric fixed range");
  }
  return {};
}

Status Quantizer::quantize_node(const Node& node, const OpMatch& match, const QwixRule& rule) {
  // Static activations change no result's shape, and checks of both operands are reported together.
  Site site{node, match, rule, NodeBuilder(out_.graph, node.origin), {}};
  QL_RETURN_IF_ERROR(check_conv(site));
  const TensorId old_rhs = node.inputs[kRhs];
  std::string stored_name;
  const bool stored = stored_weight(old_rhs, stored_name).has_value();
  const bool weight = from_[old_rhs].is_constant() || stored;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    site.inputs.push_back(i == kRhs && weight ? kNone : mapped(node.inputs[i]));

  OpReport report;
  report.match = match;
  Status problems;
  const auto axes = [&](Side side) {
    const TensorId id = node.inputs[side == Side::kLeft ? kLhs : kRhs];
    return operand_axes(node, side, static_cast<int>(from_[id].shape().size()));
  };
  // Convolutions have no tiles; two activations are tiled as without block_int.
  const bool block_int = rule.block_int && weight && node.op == "dot_general" && axes(Side::kRight).tiled >= 0;
  if (block_int) {
    auto rhs = quantize_block_weight(
        site, how_to_quantize(axes(Side::kRight), *rule.weight, rule.weight_method, rule.tile_size));
    if (rhs.ok())
      report.rhs = std::move(*rhs);
    else
      problems.merge(rhs.status());
  } else if (weight) {
    auto rhs =
        quantize_weight(site, how_to_quantize(axes(Side::kRight), *rule.weight, rule.weight_method, rule.tile_size));
    if (rhs.ok())
      report.rhs = std::move(*rhs);
    else
      problems.merge(rhs.status());
  } else if (node.op == "conv") {
    return Status::unsupported({"", "", "weight"}, "a quantized convolution whose kernel is computed at run time");
  } else if (rule.activation) {
    auto rhs = quantize_activation(
        site, site.inputs[kRhs], Side::kRight,
        how_to_quantize(axes(Side::kRight), *rule.activation, rule.activation_method, rule.tile_size));
    if (rhs.ok())
      report.rhs = std::move(*rhs);
    else
      problems.merge(rhs.status());
  }
  if (rule.activation) {
    auto lhs = quantize_activation(site, site.inputs[kLhs], Side::kLeft,
                                   how_to_quantize(axes(Side::kLeft), *rule.activation, rule.activation_method,
                                                   block_int ? std::nullopt : rule.tile_size));
    if (lhs.ok())
      report.lhs = std::move(*lhs);
    else
      problems.merge(lhs.status());
  }
  if (!problems.ok()) return problems;
  if (!quantizes()) return copy_node(node), Status();
  const auto afterwards = [&](Side side, const std::optional<OperandReport>& operand) {
    return operand && can_scale_afterwards(node, side, *operand->how.format, site.builder.shape(operand->values),
                                           site.builder.shape(operand->scale));
  };
  report.integer_path = block_int || (afterwards(Side::kLeft, report.lhs) && afterwards(Side::kRight, report.rhs));
  if (block_int) {
    QL_ASSIGN(report.result, add_block_product(site, report));
  } else {
    QL_ASSIGN(report.result, add_product(site, report));
  }
  rename_result(report.result, node.outputs[0]);
  out_.ops.push_back(std::move(report));
  return {};
}

Result<OperandReport> Quantizer::quantize_activation(Site& site, TensorId x, Side side, const HowToQuantize& how) {
  const std::string which = side == Side::kLeft ? "lhs" : "rhs";
  // The checks that hold for dynamic and static scales alike, before any node is added.
  QL_RETURN_IF_ERROR(tile_shape(site.builder.shape(x), how).status());
  if (how.method.asymmetric() && !how.format->asymmetric) {
    return Status::user({"", "", "act_calibration_method"},
                        std::string(how.format->name) + " has no zero point, so its range must be symmetric",
                        "use absmax, rms or fixed,a; or int8 or int4");
  }
  const std::string key = std::to_string(x.index) + " " + how.format->name + describe_how(how);
  if (!site.rule.static_activations) {
    if (const auto known = dynamic_activations_.find(key); known != dynamic_activations_.end()) return known->second;
  }
  OperandReport out;
  out.how = how;
  out.is_static = site.rule.static_activations;
  ScaleTensors scale;
  const std::string suffix = "/" + which;
  if (out.is_static) {
    QL_RETURN_IF_ERROR(
        resolve_batch_axes(site.rule.act_batch_axes, static_cast<int>(site.builder.shape(x).size())).status());
    const std::string& module = site.match.module_path;
    const std::string name = (module.empty() ? "" : module + "/") + site.match.id + "_" + which;
    QL_ASSIGN(scale, static_scale(site.builder, name, x, how, site.rule));
  } else {
    const ValueType type = site.builder.type(x);
    QL_ASSIGN(const StatisticTensors stats, add_statistics(site.builder, suffix, x, how));
    QL_ASSIGN(scale, add_scale(site.builder, suffix, stats, *how.format, type));
  }
  out.scale = scale.scale;
  out.zero_point = scale.zero_point;
  QL_ASSIGN(out.values, add_quantize(site.builder, suffix, x, *how.format, scale));
  if (!out.is_static) dynamic_activations_[key] = out;
  return out;
}

Result<TensorId> Quantizer::add_product(Site& site, const OpReport& report) {
  const bool einsum = site.node.origin.rule_op == "einsum";
  std::vector<TensorId> inputs(site.inputs);
  const auto scale_of = [](const OperandReport& r) { return ScaleTensors{r.scale, r.zero_point}; };
  const auto set_attrs = [&](auto attrs, ValueType accumulator) {
    attrs.accumulator = accumulator;
    // Qwix's einsum swaps its operands before the product.
    if (report.integer_path && einsum) attrs.scale_order = ScaleOrder::kRhsFirst;
    return std::make_shared<decltype(attrs)>(std::move(attrs));
  };
  const auto add = [&](ValueType accumulator) -> Result<TensorId> {
    std::shared_ptr<const OpAttrs> attrs;
    if (site.node.op == "conv")
      attrs = set_attrs(site.node.as<ConvAttrs>(), accumulator);
    else
      attrs = set_attrs(site.node.as<DotGeneralAttrs>(), accumulator);
    return out_.graph.add(site.node.op, inputs, attrs, site.node.origin);
  };
  if (!report.integer_path) {
    if (report.lhs) {
      QL_ASSIGN(inputs[kLhs], add_dequantize(site.builder, "/lhs", report.lhs->values, scale_of(*report.lhs)));
    }
    // A stored weight stays stored: it is widened inside the product and scaled afterwards, once per result (and tile).
    // The reference scales every weight before its float sum, whose order it leaves open; this is one such order's
    // rounding away from it, and the kernel reads packed integers instead of floats.
    // A convolution comes here with nf4 codes, which its kernels do not widen.
    const bool stored = site.node.op != "conv" && report.rhs && report.rhs->weight &&
                        site.builder.type(report.rhs->scale) == ValueType::kF32;
    if (stored) {
      inputs.resize(std::max<size_t>(inputs.size(), kContractionExtra), kNone);
      inputs[kRhs] = report.rhs->values;
      inputs[kRhsZeroPoint] = report.rhs->zero_point;
      inputs[kRhsScale] = report.rhs->scale;
    } else if (report.rhs) {
      QL_ASSIGN(inputs[kRhs], add_dequantize(site.builder, "/rhs", report.rhs->values, scale_of(*report.rhs)));
    }
    return add(ValueType::kF32);
  }
  if (report.lhs->zero_point.valid() && report.rhs->zero_point.valid()) {
    return Status::user({"", "", "act_calibration_method"}, "both operands have zero points",
                        "use a symmetric method (absmax, rms, fixed,a) for one of them");
  }
  inputs.resize(std::max<size_t>(inputs.size(), kContractionExtra), kNone);
  inputs[kLhs] = report.lhs->values;
  inputs[kRhs] = report.rhs->values;
  inputs[kLhsZeroPoint] = report.lhs->zero_point;
  inputs[kRhsZeroPoint] = report.rhs->zero_point;
  inputs[kLhsScale] = report.lhs->scale;
  inputs[kRhsScale] = report.rhs->scale;
  const ValueType type = site.builder.type(report.lhs->scale);
  if (type != ValueType::kF32 && scales_once(out_.graph, site.node, *report.lhs, Side::kLeft) &&
      scales_once(out_.graph, site.node, *report.rhs, Side::kRight)) {
    return add_rounded_product(site, report, inputs);
  }
  const bool integers = is_integer(report.lhs->how.format->type) && is_integer(report.rhs->how.format->type);
  return add(integers ? ValueType::kI32 : ValueType::kF32);
}

Result<ScaleTensors> Quantizer::static_scale(NodeBuilder& builder, const std::string& name, TensorId x,
                                             const HowToQuantize& how, const QwixRule&) {
  used_statistics_[name] = true;
  std::optional<ScaleZeroPoint> parameters;
  if (const auto given = options_.static_scales.find(name); given != options_.static_scales.end()) {
    parameters = given->second;
  } else if (options_.statistics && options_.statistics->count(name)) {
    const Statistics stats = options_.statistics->at(name).average(builder.type(x));
    if (stats.asymmetric() != how.method.asymmetric()) {
      return Status::user({"", name, ""},
                          std::string("the statistics are ") + (stats.asymmetric() ? "a range" : "a largest value") +
                              ", the rule's method needs the other kind",
                          "calibrate again with this rule list");
    }
    QL_ASSIGN(parameters, compute_scale_zero_point(stats, *how.format));
  } else {
    return Status::user({"", name, ""}, "no statistics for a static activation",
                        "calibrate the model, or give a statistics file that has " + in_quotes(name));
  }
  if (Result<Shape> fits = tile_of(builder.shape(x), parameters->scale.shape()); !fits.ok()) {
    return fits.status().at({"", name, ""});
  }
  if (parameters->scale.type() != builder.type(x)) {
    return Status::user({"", name, ""}, std::string("the scale is ") + qlathe::name(parameters->scale.type()) +
                                            ", its activation " + qlathe::name(builder.type(x)));
  }
  ScaleTensors out;
  out.scale = builder.constant(name + "_scale", parameters->scale);
  if (parameters->zero_point) out.zero_point = builder.constant(name + "_zero_point", *parameters->zero_point);
  return out;
}

Status Quantizer::finish() { return {}; }

Status Quantizer::check_extra_params() const {
  if (options_.allow_extra_params) return {};
  Status problems;
  const auto check = [&](const auto& given, const auto& used, const char* what, const char* remedy) {
    for (const auto& [name, value] : given) {
      if (!used.count(name)) problems.merge(Status::user({"", name, ""}, what, remedy));
    }
  };
  check(options_.params, used_params_, "a quantized parameter that no quantized op reads",
        "remove it, or allow extra parameters");
  check(options_.static_scales, used_statistics_, "a static scale that no static activation has",
        "remove it, or allow extra parameters");
  if (options_.statistics) {
    check(*options_.statistics, used_statistics_, "statistics that no static activation has",
          "calibrate again with this rule list, or allow extra parameters");
  }
  return problems;
}

Result<QuantizedGraph> quantize(const Graph& graph, const RuleList& rules, const QuantizeOptions& options) {
  return Quantizer(graph, rules, options).run();
}

}  // namespace qlathe
