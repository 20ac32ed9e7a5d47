#include "frontend/formats/import/import_graph.h"

#include <algorithm>

#include "frontend/ops/pointwise.h"

namespace qlathe {
namespace {

constexpr size_t kMaxFoldedBytes = size_t{4} << 30;

}  // namespace

void ImportGraph::note(Diagnostic::Kind kind, const std::string& node, const std::string& field, std::string message,
                       std::string remedy) {
  problems.add({kind, {path_, node, field}, std::move(message), std::move(remedy)});
}

TensorId ImportGraph::add_constant(const std::string& name, HostTensor data) {
  return graph.add_constant(name.empty() ? "constant" : name, std::move(data));
}

Result<TensorId> ImportGraph::fold(const std::string& op, const std::vector<TensorId>& operands,
                                   const std::shared_ptr<const OpAttrs>& attrs, const Origin& origin) {
  Node node{op, operands, {}, attrs, origin};
  QL_ASSIGN(const auto types, infer_types(graph, node));
  const OpDef* def = OpRegistry::find(op);
  QL_CHECK(types.size() == 1 && def != nullptr && def->evaluate, op);
  const size_t bytes =
      static_cast<size_t>(element_count(types[0].shape)) * static_cast<size_t>(storage_bytes(types[0].type));
  if (folded_bytes_ + bytes > kMaxFoldedBytes) {
    return Status::user({path_, origin.name, ""},
                        "makes constants of more than " + std::to_string(kMaxFoldedBytes >> 30) + " GiB",
                        "the file is damaged, or no model for an embedded compiler");
  }
  HostTensor out(types[0].type, types[0].shape);
  EvalContext context{node, {}, {&out}};
  for (TensorId id : operands)
    context.inputs.push_back(id.valid() ? graph[id].data.get() : nullptr);
  def->evaluate(context);
  folded_bytes_ += bytes;
  // The node's result will have the node's name.
  return add_constant(origin.name.empty() ? op : origin.name + "." + op, std::move(out));
}

Result<TensorId> ImportGraph::add(const std::string& op, std::vector<TensorId> operands,
                                  std::shared_ptr<const OpAttrs> attrs, const Origin& origin, bool folds) {
  const bool constant = folds && std::all_of(operands.begin(), operands.end(),
                                             [&](TensorId id) { return !id.valid() || graph[id].is_constant(); });
  if (constant) return fold(op, operands, attrs, origin);
  if (graph.nodes.size() >= kMaxNodes) {
    return Status::user({path_, origin.name, ""}, "makes the graph larger than " + std::to_string(kMaxNodes) + " nodes",
                        "the file is damaged, or no model for an embedded compiler");
  }
  return graph.add(op, std::move(operands), std::move(attrs), origin);
}

Status ImportGraph::add_output(const std::string& name, TensorId id) {
  const bool taken = std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
  if (taken || graph.producer(id) < 0) {
    QL_ASSIGN(id, graph.add("pointwise", {id}, std::make_shared<PointwiseAttrs>(), Origin{name, "", "", path_}));
  }
  if (graph[id].name != name) {
    if (const TensorId other = graph.find(name); other.valid()) {
      // A helper tensor had taken the name: it gets another.
      std::string inner = name + ".inner";
      for (int i = 1; graph.find(inner).valid(); i++)
        inner = name + ".inner" + std::to_string(i);
      graph.rename(other, inner);
    }
    graph.rename(id, name);
  }
  graph.outputs.push_back(id);
  return {};
}

}  // namespace qlathe
