#include "frontend/rules/odml.h"

#include <algorithm>
#include <set>

#include "frontend/formats/single_steps.h"
#include "frontend/ops/contraction.h"
#include "frontend/rules/quantizer.h"
#include "frontend/rules/statistics_graph.h"

namespace qlathe {
namespace {

/// How an op takes part (odml_ops.py, get_all_ops).
enum class Part {
  kTransparent,  ///< moves values: what is known of its operand holds for its result
  kBoth,         ///< operands and result have scales of their own
  kInput,        ///< the result has its operand's scale
  kOutput,       ///< the operand has its result's scale
  kConcat,       ///< the same, of several operands
  kProduct,
  kFloat,  ///< no integer form
};

struct Kind {
  Part part = Part::kFloat;
  std::string name;                        ///< that rules match
  size_t operands = 1;                     ///< values that are quantized, from the first on
  std::optional<CalibrationMethod> fixed;  ///< of the result
};

CalibrationMethod fixed(float lo, float hi) {
  CalibrationMethod out;
  out.kind = CalibrationMethod::Kind::kFixed;
  out.lo = lo;
  out.hi = hi;
  return out;
}
// What the runtimes' kernels take as the scale: 1/256 with -128, and 1/128 with 0.
const CalibrationMethod kUnit = fixed(0.0f, 255.0f / 256);
const CalibrationMethod kSigned = fixed(-1.0f, 127.0f / 128);

Kind kind_of_step(const PointwiseStep& s) {
  static const std::map<std::string, Kind> kinds = {
      {"add", {Part::kBoth, "add", 2, {}}},
      {"sub", {Part::kBoth, "subtract", 2, {}}},
      {"mul", {Part::kBoth, "multiply", 2, {}}},
      {"relu", {Part::kOutput, "relu", 1, {}}},
      {"tanh", {Part::kBoth, "tanh", 1, kSigned}},
      {"sigmoid", {Part::kBoth, "sigmoid", 1, kUnit}},
      {"hard_swish", {Part::kBoth, "hard_swish", 1, {}}},
      {"leaky_relu", {Part::kBoth, "leaky_relu", 1, {}}},
      {"silu", {Part::kBoth, "silu", 1, {}}},
  };
  if (const auto it = kinds.find(s.op); it != kinds.end()) return it->second;
  const bool relu6 = s.op == "clamp" && ((s.lo == 0 && s.hi == 6) || (s.lo == -1 && s.hi == 1));
  if (relu6) return {Part::kOutput, s.lo == 0 ? "relu6" : "relu_n1_to_1", 1, {}};
  return {Part::kFloat, s.op, 1, {}};
}

Kind kind_of(const Node& node) {
  static const std::set<std::string> kMoving = {"reshape", "transpose", "slice", "broadcast"};
  if (kMoving.contains(node.op)) return {Part::kTransparent, node.op, 1, {}};
  if (node.op == "conv" || node.op == "dot_general") {
    const std::string own = node.op == "conv" ? "conv_general_dilated" : node.op;
    return {Part::kProduct, node.origin.rule_op.empty() ? own : node.origin.rule_op, 2, {}};
  }
  if (node.op == "pointwise") {
    const auto& steps = node.as<PointwiseAttrs>().steps;
    return steps.size() == 1 ? kind_of_step(steps[0]) : Kind{Part::kFloat, node.op, 1, {}};
  }
  if (node.op == "softmax" && !node.as<SoftmaxAttrs>().log) return {Part::kBoth, "softmax", 1, kUnit};
  if (node.op == "pool") {
    const auto& a = node.as<PoolAttrs>();
    if (a.kind == PoolKind::kMax) return {Part::kInput, "max_pool", 1, {}};
    return {a.steps.empty() ? Part::kFloat : Part::kInput, "avg_pool", 1, {}};
  }
  if (node.op == "reduce") {
    const auto& a = node.as<ReduceAttrs>();
    if (a.kind == ReduceKind::kSum) return {Part::kBoth, a.steps.empty() ? "sum" : "mean", 1, {}};
    if (a.kind == ReduceKind::kMax || a.kind == ReduceKind::kMin)
      return {Part::kInput, a.kind == ReduceKind::kMax ? "max" : "min", 1, {}};
    return {Part::kFloat, node.op, 1, {}};
  }
  if (node.op == "concat") return {Part::kConcat, "concatenate", node.inputs.size(), {}};
  if (node.op == "pad") return {Part::kOutput, "pad", 1, {}};
  if (node.op == "gather") return {Part::kInput, "take", 1, {}};
  return {Part::kFloat, node.op, 1, {}};
}

/// What is known of a value (AuxDataKey).
struct Meta {
  bool activation = false;
  int rule = -1;              ///< whose act_qtype the next reader quantizes it by
  bool is_quantized = false;  ///< its values are of an integer form already
  TensorId quantized;         ///< the value behind its quantize and dequantize steps, by quantized_rule
  int quantized_rule = -1;
  bool allows_fusion = false;
  std::optional<CalibrationMethod> fixed;
};

class Odml {
  QuantizedGraph out_;

 public:
  Odml(const Graph& from, const RuleList& rules, const OdmlOptions& options, bool collects)
      : from_(from), rules_(rules), options_(options), collects_(collects) {}

  StatisticsGraph statistics{out_.graph};

  Result<QuantizedGraph> run() {
    out_.graph.name = from_.name;
    for (TensorId id : from_.inputs) {
      ids_[id] = out_.graph.add_input(from_[id].name, from_[id].type);
      meta_[id].activation = true;
      meta_[id].fixed = rules_.odml->fixed_inputs;
    }
    Status problems;
    for (size_t i = 0; i < from_.nodes.size(); i++) {
      const Node& node = from_.nodes[i];
      Status status = visit(node, static_cast<int>(i));
      if (!status.ok()) problems.merge(status.at({node.origin.place, node.origin.name, ""}));
      for (TensorId id : node.outputs)
        if (!ids_.contains(id)) copy(node);  // so that the rest can be checked
    }
    int count = 0;
    for (TensorId id : from_.outputs) {
      Meta& m = meta_[id];
      if (rules_.odml->strict && !m.activation)
        problems.merge(Status::user({"", from_[id].name, ""}, "the output does not come from an input of the model"));
      if (rules_.odml->fixed_outputs) m.fixed = rules_.odml->fixed_outputs;
      NodeBuilder builder(out_.graph, {from_[id].name, "", "", ""});
      auto value = quantized(builder, id, m.rule, "final_output" + std::to_string(count++));
      if (!value.ok()) {
        problems.merge(value.status());
        continue;
      }
      const bool named = ids_.contains(id) && out_.graph[ids_.at(id)].name == from_[id].name;
      if (*value != mapped(id) && !is_input(id) && named) {
        // The output keeps its name.
        out_.graph.rename(ids_.at(id), from_[id].name + "/real");
        out_.graph.rename(*value, from_[id].name);
      }
      out_.graph.outputs.push_back(*value);
    }
    if (options_.statistics != nullptr && !options_.allow_extra_params) {
      for (const auto& [name, stat] : *options_.statistics) {
        if (!used_.contains(name))
          problems.merge(Status::user({"", name, ""}, "statistics that no static activation has",
                                      "calibrate again with this rule list, or allow extra parameters"));
      }
    }
    if (!problems.ok()) return problems;
    for (size_t r = 0; r < rules_.rules.size(); r++)
      if (!used_rules_.contains(static_cast<int>(r))) out_.matches.unused_rules.push_back(static_cast<int>(r));
    if (collects_) out_.graph.outputs = statistics.results();
    return std::move(out_);
  }

 private:
  bool is_input(TensorId id) const {
    return std::find(from_.inputs.begin(), from_.inputs.end(), id) != from_.inputs.end();
  }
  bool is_weight(TensorId id) const { return from_[id].is_constant(); }
  const QwixRule* rule(int index) const {
    return index < 0 || !rules_.rules[static_cast<size_t>(index)].qwix
               ? nullptr
               : &*rules_.rules[static_cast<size_t>(index)].qwix;
  }

  TensorId mapped(TensorId id) {
    if (!id.valid()) return kNone;
    if (const auto it = ids_.find(id); it != ids_.end()) return it->second;
    const Tensor& old = from_[id];
    QL_CHECK(old.is_constant(), old.name);
    const TensorId made = out_.graph.add_tensor(old.name, old.type);
    out_.graph[made].data = old.data;
    return ids_[id] = made;
  }

  void copy(const Node& node) { copy_with(node, {}); }

  /// The node with some operands replaced.
  void copy_with(const Node& node, const std::map<size_t, TensorId>& replaced) {
    Node out = node;
    for (size_t i = 0; i < out.inputs.size(); i++) {
      const auto it = replaced.find(i);
      out.inputs[i] = it == replaced.end() ? mapped(node.inputs[i]) : it->second;
    }
    for (TensorId& id : out.outputs) {
      const TensorId old = id;
      id = out_.graph.add_tensor(from_[old].name, from_[old].type);
      ids_[old] = id;
    }
    out_.graph.nodes.push_back(std::move(out));
  }

  /// The rule that takes an op of the module, and the op's number there.
  Result<int> match(const Node& node, int index, const std::string& name, std::string& id) {
    QL_ASSIGN(std::vector<RuleVerdict> verdicts, judge(rules_, node.origin.module_path, name));
    OpMatch op;
    op.node = index;
    op.name = node.origin.name;
    op.module_path = node.origin.module_path;
    op.op = name;
    op.id = name + std::to_string(counts_[{op.module_path, name}]++);
    for (size_t r = 0; r < verdicts.size(); r++)
      if (verdicts[r].verdict == Verdict::kTakes) op.rule = static_cast<int>(r);
    op.verdicts = std::move(verdicts);
    id = (op.module_path.empty() ? "" : op.module_path + "/") + op.id;
    const int taken = op.rule;
    if (taken >= 0) used_rules_.insert(taken);
    out_.matches.ops.push_back(std::move(op));
    return taken;
  }

  Result<ScaleTensors> scale_of(NodeBuilder& builder, const std::string& name, TensorId x, const HowToQuantize& how,
                                const QwixRule& by) {
    used_.insert(name);
    ScaleZeroPoint parameters;
    if (how.method.per_tensor()) {
      Statistics stats;
      const Shape one(builder.shape(x).size(), 1);
      const auto value = [&](float v) { return HostTensor::of(ValueType::kF32, one, std::vector<float>{v}); };
      if (how.method.asymmetric()) {
        stats.lo = value(how.method.lo);
        stats.hi = value(how.method.hi);
      } else {
        stats.absmax = value(how.method.hi);
      }
      QL_ASSIGN(parameters, compute_scale_zero_point(stats, *how.format));
    } else if (collects_) {
      return statistics.static_scale(builder, name, x, how, by.act_batch_axes);
    } else {
      if (options_.statistics == nullptr || !options_.statistics->contains(name))
        return Status::user({"", name, ""}, "no statistics for a static activation",
                            "calibrate the model, or give a statistics file that has this name");
      const Statistics stats = options_.statistics->at(name).average(ValueType::kF32);
      if (stats.asymmetric() != how.method.asymmetric())
        return Status::user({"", name, ""}, "the statistics are of another kind than the rule's method",
                            "calibrate again with this rule list");
      QL_ASSIGN(parameters, compute_scale_zero_point(stats, *how.format));
      if (parameters.scale.size() != 1)
        return Status::user({"", name, ""}, "has several scales; a value has one under the ODML provider");
    }
    ScaleTensors out;
    out.scale = builder.constant(name + "_scale", parameters.scale);
    if (parameters.zero_point) out.zero_point = builder.constant(name + "_zero_point", *parameters.zero_point);
    return out;
  }

  /// A constant behind a dequantize step.
  Result<TensorId> stored(NodeBuilder& builder, TensorId id, const HowToQuantize& how, bool narrow) {
    const Tensor& t = from_[id];
    QL_RETURN_IF_ERROR(check_finite(*t.data, t.name));
    QL_ASSIGN(QuantizedTensor q, qlathe::quantize(*t.data, how));
    if (narrow) {
      for (int64_t i = 0; i < q.values.size(); i++)
        q.values.set_int(i, std::max(q.values.int_at(i), how.format->qmin() + 1));
    }
    const TensorId values = builder.constant(t.name + ".qvalue", std::move(q.values));
    ScaleTensors scale;
    scale.scale = builder.constant(t.name + ".scale", std::move(q.scale));
    if (q.zero_point) scale.zero_point = builder.constant(t.name + ".zero_point", std::move(*q.zero_point));
    return add_dequantize(builder, "/" + t.name, values, scale);
  }

  /// _maybe_fake_quant: the value as the op that `by` takes reads it.
  Result<TensorId> quantized(NodeBuilder& builder, TensorId id, int by, const std::string& name) {
    if (from_[id].type.type != ValueType::kF32) return mapped(id);
    const QwixRule* own = rule(by);
    if (is_weight(id)) {
      if (own == nullptr || own->weight == nullptr) return mapped(id);
      HowToQuantize how;
      how.format = own->weight;
      how.method = own->activation_method;
      return stored(builder, id, how, false);
    }
    if (own == nullptr || own->activation == nullptr) return mapped(id);
    Meta& m = meta_[id];
    const int effective = m.rule >= 0 ? m.rule : by;
    const QwixRule& uses = *rule(effective);
    if (uses.activation == nullptr || m.is_quantized) return mapped(id);
    if (m.quantized.valid() && m.quantized_rule == effective) return m.quantized;
    HowToQuantize how;
    how.format = uses.activation;
    how.method = m.fixed.value_or(uses.activation_method);
    const auto rank = static_cast<int>(from_[id].shape().size());
    QL_ASSIGN(const std::vector<int64_t> axes, resolve_batch_axes(uses.act_batch_axes, rank));
    how.channelwise_axes.assign(axes.begin(), axes.end());
    const std::string suffix = "/" + name.substr(name.rfind('/') + 1);
    QL_ASSIGN(const ScaleTensors scale, scale_of(builder, name, mapped(id), how, uses));
    QL_ASSIGN(const TensorId q, add_quantize(builder, suffix, mapped(id), *how.format, scale));
    QL_ASSIGN(m.quantized, add_dequantize(builder, suffix, q, scale));
    m.quantized_rule = effective;
    return m.quantized;
  }

  /// _fake_quant_output: what the next reader is to know.
  void mark(const Node& node, int by, const Kind& kind) {
    Meta& m = meta_[node.outputs[0]];
    m.activation = true;
    if (kind.fixed) m.fixed = kind.fixed;
    const QwixRule* own = rule(by);
    if (own != nullptr && own->activation != nullptr && own->static_activations) m.rule = by;
  }

  Status visit(const Node& node, int index) {
    const Kind kind = kind_of(node);
    NodeBuilder builder(out_.graph, node.origin);
    std::vector<TensorId> values;  // of operands that may be quantized
    const size_t most = kind.part == Part::kFloat ? node.inputs.size() : kind.operands;
    for (size_t i = 0; i < node.inputs.size() && values.size() < most; i++)
      values.push_back(node.inputs[i]);
    const bool active = std::any_of(values.begin(), values.end(), [&](TensorId id) { return meta_[id].activation; });
    if (!active) {
      if (kind.part == Part::kProduct && rules_.odml->strict)
        return Status::user({}, "multiplies values that do not come from an input of the model",
                            "fold them before, or set strict to false");
      return copy(node), Status();
    }
    if (kind.part == Part::kTransparent) {
      copy(node);
      Meta m = meta_[node.inputs[0]];
      m.quantized = kNone;
      m.quantized_rule = -1;
      meta_[node.outputs[0]] = m;
      return {};
    }
    std::string id;
    QL_ASSIGN(const int by, match(node, index, kind.name, id));
    const QwixRule* own = rule(by);
    switch (kind.part) {
      case Part::kProduct:
        return product(node, builder, kind, by, id);
      case Part::kOutput: {
        const int passed = own != nullptr && own->activation != nullptr ? by : meta_[node.inputs[0]].rule;
        copy(node);
        mark(node, passed, kind);
        return {};
      }
      case Part::kFloat: {
        const bool wanted =
            std::any_of(values.begin(), values.end(), [&](TensorId value) { return meta_[value].rule >= 0; });
        if (rules_.odml->strict && ((own != nullptr && own->activation != nullptr) || wanted))
          return Status::unsupported({}, "'" + kind.name + "' has no integer form in LiteRT's kernels",
                                     "leave it out by a rule without act_qtype and its operand too, or set strict to "
                                     "false");
        std::map<size_t, TensorId> replaced;
        for (size_t i = 0; i < values.size(); i++) {
          const int previous = values[i].valid() ? meta_[values[i]].rule : -1;
          if (previous < 0) continue;
          QL_ASSIGN(replaced[i], quantized(builder, values[i], previous, id + (i == 0 ? "" : "_" + std::to_string(i))));
        }
        copy_with(node, replaced);
        meta_[node.outputs[0]].activation = true;
        return {};
      }
      default:
        break;
    }
    if (kind.name == "silu") return silu(node, builder, by, id);
    // A constant goes into the product before it, as its bias.
    if (kind.name == "add" && values.size() == 2 && meta_[values[0]].allows_fusion && !meta_[values[1]].activation) {
      copy(node);
      mark(node, by, kind);
      meta_[node.outputs[0]].allows_fusion = true;
      return {};
    }
    std::map<size_t, TensorId> replaced;
    const bool inputs = kind.part != Part::kConcat || own == nullptr || own->activation == nullptr;
    for (size_t i = 0; inputs && i < values.size(); i++) {
      const char* side = i == 0 ? "_lhs" : "_rhs";
      const std::string name = kind.part == Part::kConcat ? id + "_input" + std::to_string(i)
                               : values.size() == 2       ? id + side
                                                          : id;
      QL_ASSIGN(replaced[i], quantized(builder, values[i], by, name));
    }
    std::optional<CalibrationMethod> common;
    if (kind.part == Part::kConcat) {
      common = meta_[values[0]].fixed;
      for (TensorId value : values)
        if (meta_[value].fixed != common) common.reset();
    }
    copy_with(node, replaced);
    mark(node, by, kind);
    Meta& m = meta_[node.outputs[0]];
    if (common) m.fixed = common;
    if (kind.part == Part::kInput && own != nullptr && own->activation != nullptr) m.is_quantized = true;
    return {};
  }

  Status product(const Node& node, NodeBuilder& builder, const Kind& kind, int by, const std::string& id) {
    const QwixRule* own = rule(by);
    std::map<size_t, TensorId> replaced;
    QL_ASSIGN(replaced[kLhs], quantized(builder, node.inputs[kLhs], by, id + "_lhs"));
    if (is_weight(node.inputs[kRhs]) && from_[node.inputs[kRhs]].type.type == ValueType::kF32) {
      if (own != nullptr && own->weight != nullptr) {
        const auto rank = static_cast<int>(from_[node.inputs[kRhs]].shape().size());
        OperandAxes axes = operand_axes(node, Side::kRight, rank);
        if (rules_.odml->disable_per_channel_weights) axes.channelwise.clear();
        const HowToQuantize how = how_to_quantize(axes, *own->weight, own->weight_method, std::nullopt);
        QL_ASSIGN(replaced[kRhs], stored(builder, node.inputs[kRhs], how, !options_.full_range_weights));
      }
    } else {
      QL_ASSIGN(replaced[kRhs], quantized(builder, node.inputs[kRhs], by, id + "_rhs"));
    }
    copy_with(node, replaced);
    mark(node, by, kind);
    meta_[node.outputs[0]].allows_fusion = true;
    return {};
  }

  /// x * sigmoid(x), the gate with its fixed range.
  Status silu(const Node& node, NodeBuilder& builder, int by, const std::string& id) {
    QL_ASSIGN(const TensorId x, quantized(builder, node.inputs[0], by, id));
    QL_ASSIGN(TensorId gate, builder.pointwise("/sigmoid", x, Chain().step("sigmoid", ValueType::kF32)));
    const QwixRule* own = rule(by);
    if (own != nullptr && own->activation != nullptr) {
      HowToQuantize how;
      how.format = own->activation;
      how.method = kUnit;
      QL_ASSIGN(const ScaleTensors scale, scale_of(builder, id + "_sigmoid", gate, how, *own));
      QL_ASSIGN(gate, add_quantize(builder, "/gate", gate, *how.format, scale));
      QL_ASSIGN(gate, add_dequantize(builder, "/gate", gate, scale));
    }
    QL_ASSIGN(const TensorId y, builder.pointwise("", x, Chain().step("mul", ValueType::kF32, {gate})));
    ids_[node.outputs[0]] = y;
    mark(node, by, {Part::kBoth, "silu", 1, {}});
    return {};
  }

  const Graph& from_;
  const RuleList& rules_;
  const OdmlOptions& options_;
  const bool collects_;
  std::map<TensorId, TensorId> ids_;
  std::map<TensorId, Meta> meta_;
  std::map<std::pair<std::string, std::string>, int> counts_;
  std::set<std::string> used_;
  std::set<int> used_rules_;
};

Status check(const Graph& graph, const RuleList& rules) {
  QL_CHECK(rules.odml.has_value(), "no ODML provider");
  if (!graph.states.empty())
    return Status::unsupported({"", graph.name, ""}, "a model with states under the ODML provider");
  return {};
}

}  // namespace

Result<QuantizedGraph> quantize_odml(const Graph& graph, const RuleList& rules, const OdmlOptions& options) {
  QL_RETURN_IF_ERROR(check(graph, rules));
  QL_ASSIGN(const Graph single, single_steps(graph));
  return Odml(single, rules, options, false).run();
}

Result<QuantStats> calibrate_odml(const Graph& graph, const RuleList& rules, const Batches& batches, Executor& executor,
                                  const std::function<void(size_t, size_t)>& progress) {
  QL_RETURN_IF_ERROR(check(graph, rules));
  QL_ASSIGN(const Graph single, single_steps(graph));
  OdmlOptions options;
  options.full_range_weights = true;  // as while training
  Odml odml(single, rules, options, true);
  QL_ASSIGN(const QuantizedGraph step, odml.run());
  return odml.statistics.run(step.graph, graph.inputs.size(), batches, executor, progress);
}

}  // namespace qlathe
