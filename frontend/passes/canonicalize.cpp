#include "frontend/passes/canonicalize.h"

#include <map>

#include "frontend/ir/op_registry.h"
#include "frontend/ops/pointwise.h"
#include "frontend/passes/pass_manager.h"

namespace qlathe {
namespace {

std::map<std::string, Canonicalize>& registry() {
  static std::map<std::string, Canonicalize> ops;
  return ops;
}

Result<Graph> canonicalize(Graph graph) {
  Rebuild rebuild(graph);
  for (const Node& node : graph.nodes) {
    const Canonicalize rewrite = CanonicalizeRegistry::find(node.op);
    if (rewrite == nullptr) {
      QL_RETURN_IF_ERROR(rebuild.copy(node));
      continue;
    }
    const std::vector<TensorId> inputs = rebuild.map(node.inputs);
    QL_ASSIGN(const TensorId result, rewrite(rebuild.to, node, inputs));
    QL_CHECK(rebuild.to[result].type == graph[node.outputs[0]].type, node.op + " " + node.origin.name);
    rebuild.set(node.outputs[0], result);
  }
  return rebuild.finish();
}

const PassRegistry::Add kPass({.name = "canonicalize",
                               .summary = "dot_general and conv become pad, contraction and depthwise",
                               .run = canonicalize});

}  // namespace

Canonicalize CanonicalizeRegistry::find(const std::string& op) {
  const auto it = registry().find(op);
  return it == registry().end() ? nullptr : it->second;
}

CanonicalizeRegistry::Add::Add(const std::string& op, Canonicalize canonicalize) {
  const bool added = registry().emplace(op, canonicalize).second;
  QL_CHECK(added, op);
}

Result<TensorId> add_steps(Graph& to, TensorId x, const Node& node, const std::vector<TensorId>& inputs) {
  const OpDef* def = OpRegistry::find(node.op);
  const auto attrs = node.attrs->clone();
  PointwiseAttrs pointwise;
  pointwise.steps = *def->steps(*attrs);
  if (pointwise.steps.empty()) return x;
  std::vector<TensorId> operands{x};
  for (PointwiseStep& step : pointwise.steps) {
    for (int64_t& operand : step.operands) {
      operands.push_back(inputs[static_cast<size_t>(operand)]);
      operand = static_cast<int64_t>(operands.size()) - 1;
    }
  }
  return to.add("pointwise", operands, std::make_shared<PointwiseAttrs>(pointwise), node.origin);
}

}  // namespace qlathe
