#include "tests/support/golden_model.h"

#include <algorithm>

#include "frontend/ir/suggest.h"
#include "frontend/ops/pointwise.h"
#include "tests/support/einsum.h"

namespace qlathe {
namespace {

using Spatial = std::vector<int64_t>;

class ModelReader {
 public:
  ModelReader(const JsonDocument& document, const std::map<std::string, HostTensor>& weights)
      : document_(document), weights_(weights) {}

  Result<Graph> read(const JsonValue& model, const std::map<std::string, TensorType>& inputs) {
    JsonObject object(document_, model, "model", problems_);
    for (const std::string& id : object.required_strings("inputs")) {
      const auto type = inputs.find(id);
      if (type == inputs.end()) {
        object.problem("inputs", "no array for the input " + in_quotes(id));
      } else {
        ids_[id] = graph_.add_input(id, type->second);
      }
    }
    const JsonValue::Array* nodes = object.required_array("nodes");
    const std::vector<std::string> outputs = object.required_strings("outputs");
    object.finish();
    if (!problems_.ok()) return problems_;
    for (const JsonValue& node : *nodes) {
      QL_RETURN_IF_ERROR(add_node(node));
    }
    for (const std::string& id : outputs) {
      if (!ids_.count(id)) return Status::user(document_.place(model, "outputs"), "no node " + in_quotes(id));
      graph_.outputs.push_back(ids_[id]);
    }
    return std::move(graph_);
  }

 private:
  /// What every node has.
  struct NodeHead {
    std::string id, op, module;
    bool has_module = false;
    std::vector<TensorId> inputs;
    Origin origin;
  };

  Status add_node(const JsonValue& value) {
    JsonObject node(document_, value, "", problems_);
    NodeHead head;
    head.id = node.required_string("id");
    node.set_node(head.id);
    head.op = node.required_string("op");
    head.has_module = node.has("module");
    head.module = node.string("module").value_or("");
    head.origin = {head.id, head.module, "", document_.position(value.offset())};
    for (const std::string& id : node.required_strings("inputs")) {
      if (ids_.count(id))
        head.inputs.push_back(ids_[id]);
      else
        node.problem("inputs", "no node or input " + in_quotes(id) + " before this one");
    }
    if (!problems_.ok()) return problems_;
    auto result = dispatch(node, head);
    if (problems_.ok() && result.ok()) node.finish();
    if (!problems_.ok()) return problems_;
    if (!result.ok()) return result.status().at({document_.position(value.offset()), head.id, ""});
    ids_[head.id] = *result;
    return {};
  }

  Result<TensorId> dispatch(JsonObject& node, NodeHead& head) {
    if (head.op == "relu" || head.op == "add") {
      if (head.inputs.size() != (head.op == "relu" ? 1 : 2)) return Status::user({}, "wrong number of inputs");
      return step(head.op, head.inputs, head.origin);
    }
    const bool product = head.op == "linear" || head.op == "dot_general" || head.op == "einsum" || head.op == "conv";
    if (!product) return Status::unsupported({}, "the op " + in_quotes(head.op));
    if (head.has_module) {
      QL_ASSIGN(const TensorId weight, weight_of(head.module + "/kernel"));
      head.inputs.push_back(weight);
    }
    if (head.op == "einsum" && head.inputs.size() != 2) {
      return Status::user({}, "an einsum of " + std::to_string(head.inputs.size()) + " operands; two are supported");
    }
    if (head.inputs.size() != 2) return Status::user({}, "a product needs two operands");
    const bool bias = node.boolean("bias").value_or(false);
    Origin origin = head.origin;
    if (bias) origin.name += "/product";
    Result<TensorId> result = head.op == "conv" ? conv(node, head, origin) : dot(node, head, origin);
    if (!result.ok() || !bias) return result;
    QL_ASSIGN(const TensorId bias_id, weight_of(head.module + "/bias"));
    return step("add", {*result, bias_id}, head.origin);
  }

  Result<TensorId> dot(JsonObject& node, const NodeHead& head, Origin origin) {
    auto attrs = std::make_shared<DotGeneralAttrs>();
    const auto rank = [&](size_t i) { return graph_[head.inputs[i]].shape().size(); };
    if (head.op == "linear") {
      attrs->lhs_contracting = {static_cast<int64_t>(rank(0)) - 1};
      attrs->rhs_contracting = {0};
    } else if (head.op == "einsum") {
      QL_ASSIGN(*attrs, parse_einsum(node.required_string("equation"), {rank(0), rank(1)}));
    } else {
      dimension_numbers(node, *attrs);
      if (!problems_.ok()) return problems_;
    }
    narrow(graph_[head.inputs[0]].type.type, attrs->steps);
    origin.rule_op = head.op == "einsum" ? "einsum" : "dot_general";
    return graph_.add("dot_general", head.inputs, attrs, origin);
  }

  void dimension_numbers(JsonObject& node, DotGeneralAttrs& attrs) {
    std::vector<int64_t>* lists[2][2] = {{&attrs.lhs_contracting, &attrs.rhs_contracting},
                                         {&attrs.lhs_batch, &attrs.rhs_batch}};
    const JsonValue::Array* numbers = node.required_array("dimension_numbers");
    if (!numbers) return;
    bool good = numbers->size() == 2;
    for (size_t i = 0; good && i < 2; ++i) {
      const JsonValue::Array* pair = (*numbers)[i].array();
      good = pair && pair->size() == 2;
      for (size_t j = 0; good && j < 2; ++j) {
        const JsonValue::Array* axes = (*pair)[j].array();
        good = axes != nullptr;
        for (size_t k = 0; good && k < axes->size(); ++k) {
          good = (*axes)[k].integer() != nullptr;
          if (good) lists[i][j]->push_back(*(*axes)[k].integer());
        }
      }
    }
    if (!good) node.problem("dimension_numbers", "expected [[lhs, rhs contracting], [lhs, rhs batch]] lists of axes");
  }

  Result<TensorId> conv(JsonObject& node, const NodeHead& head, Origin origin) {
    const Shape lhs = graph_[head.inputs[0]].shape();
    const Shape rhs = graph_[head.inputs[1]].shape();
    if (lhs.size() < 3 || lhs.size() != rhs.size())
      return Status::user({}, "operands of a convolution have equal ranks");
    const size_t spatial = lhs.size() - 2;
    auto attrs = std::make_shared<ConvAttrs>();
    const auto list = [&](const char* name) {
      Spatial out = node.integers(name, 1).value_or(Spatial(spatial, 1));
      if (out.size() != spatial) node.problem(name, "expected " + std::to_string(spatial) + " numbers");
      out.resize(spatial, 1);
      return out;
    };
    attrs->strides = list("strides");
    attrs->kernel_dilation = list("kernel_dilation");
    attrs->input_dilation = list("input_dilation");
    attrs->groups = node.integer("feature_group_count", 1).value_or(1);
    node.ignore("layout");
    padding(node, lhs, rhs, *attrs);
    if (!problems_.ok()) return problems_;
    narrow(graph_[head.inputs[0]].type.type, attrs->steps);
    origin.rule_op = "conv_general_dilated";
    return graph_.add("conv", head.inputs, attrs, origin);
  }

  void padding(JsonObject& node, const Shape& lhs, const Shape& rhs, ConvAttrs& attrs) {
    const size_t spatial = attrs.strides.size();
    attrs.pad_lo.assign(spatial, 0);
    attrs.pad_hi.assign(spatial, 0);
    const JsonValue* value = node.find("padding");
    if (!value) return node.problem("padding", "is missing");
    if (const std::string* name = value->string()) {
      if (*name != "SAME" && *name != "VALID") node.problem("padding", "unknown padding " + in_quotes(*name));
      for (size_t i = 0; *name == "SAME" && i < spatial; ++i) {
        const int64_t extent = lhs[1 + i];
        const int64_t positions = (extent + attrs.strides[i] - 1) / attrs.strides[i];
        const int64_t window = (rhs[i] - 1) * attrs.kernel_dilation[i] + 1;
        const int64_t total = std::max<int64_t>((positions - 1) * attrs.strides[i] + window - extent, 0);
        attrs.pad_lo[i] = total / 2;  // an odd one has the extra element at the end
        attrs.pad_hi[i] = total - total / 2;
      }
      return;
    }
    const JsonValue::Array* pairs = value->array();
    bool good = pairs && pairs->size() == spatial;
    for (size_t i = 0; good && i < spatial; ++i) {
      const JsonValue::Array* pair = (*pairs)[i].array();
      good = pair && pair->size() == 2 && (*pair)[0].integer() && (*pair)[1].integer();
      if (good) attrs.pad_lo[i] = *(*pair)[0].integer(), attrs.pad_hi[i] = *(*pair)[1].integer();
    }
    if (!good) node.problem("padding", "expected \"SAME\", \"VALID\" or a pair of numbers per spatial axis");
  }

  /// bfloat16 and float16 products are summed in float32 and rounded once.
  static void narrow(ValueType type, std::vector<PointwiseStep>& steps) {
    if (type == ValueType::kF32) return;
    steps.emplace_back();
    steps.back().op = "cast";
    steps.back().type = type;
  }

  Result<TensorId> step(const std::string& op, const std::vector<TensorId>& inputs, const Origin& origin) {
    auto attrs = std::make_shared<PointwiseAttrs>();
    PointwiseStep& one = attrs->steps.emplace_back();
    one.op = op;
    one.type = graph_[inputs[0]].type.type;
    if (inputs.size() > 1) one.operands = {1};
    return graph_.add("pointwise", inputs, attrs, origin);
  }

  Result<TensorId> weight_of(const std::string& name) {
    if (const TensorId known = graph_.find(name); known.valid()) return known;
    const auto weight = weights_.find(name);
    if (weight == weights_.end()) return Status::user({"", name, ""}, "no array for this weight");
    return graph_.add_constant(name, weight->second);
  }

  const JsonDocument& document_;
  const std::map<std::string, HostTensor>& weights_;
  Status problems_;
  Graph graph_;
  std::map<std::string, TensorId> ids_;
};

}  // namespace

Result<Graph> read_golden_model(const JsonDocument& document, const JsonValue& model,
                                const std::map<std::string, TensorType>& inputs,
                                const std::map<std::string, HostTensor>& weights) {
  return ModelReader(document, weights).read(model, inputs);
}

}  // namespace qlathe
