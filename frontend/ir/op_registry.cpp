#include "frontend/ir/op_registry.h"

#include <map>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

std::map<std::string, OpDef>& registry() {
  static std::map<std::string, OpDef> ops;
  return ops;
}

}  // namespace

Status InferContext::error(std::string field, std::string message, std::string remedy) const {
  return Status::user({"", node.origin.name.empty() ? node.op : node.origin.name, std::move(field)}, std::move(message),
                      std::move(remedy));
}

Result<std::vector<TensorType>> infer_types(const Graph& graph, const Node& node) {
  const InferContext context{graph, node};
  const OpDef* def = OpRegistry::find(node.op);
  if (def == nullptr) {
    return context.error("op", "there is no op " + in_quotes(node.op), did_you_mean(node.op, OpRegistry::names()));
  }
  if (node.attrs == nullptr) return context.error("", "has no attributes");
  for (size_t i = 0; i < static_cast<size_t>(def->required); i++) {
    if (!context.has(i)) {
      const std::string operand = i < def->operands.size() ? def->operands[i] : std::to_string(i);
      return context.error("inputs", "operand '" + operand + "' of " + def->name + " is missing");
    }
  }
  const bool variadic = !def->operands.empty() && def->operands.back().ends_with("...");
  if (!variadic && node.inputs.size() > def->operands.size()) {
    return context.error("inputs", def->name + " takes " + std::to_string(def->operands.size()) + " operands, not " +
                                       std::to_string(node.inputs.size()));
  }
  QL_ASSIGN(std::vector<TensorType> types, def->infer(context));
  for (const TensorType& type : types) {
    if (Status shape = check_shape(type.shape); !shape.ok()) return shape.at({"", node.origin.name, ""});
  }
  return types;
}

const OpDef* OpRegistry::find(const std::string& name) {
  const auto it = registry().find(name);
  return it == registry().end() ? nullptr : &it->second;
}

std::vector<std::string> OpRegistry::names() {
  std::vector<std::string> out;
  for (const auto& entry : registry())
    out.push_back(entry.first);
  return out;
}

OpRegistry::Add::Add(OpDef def) {
  const std::string name = def.name;
  const bool added = registry().emplace(name, std::move(def)).second;
  QL_CHECK(added, "op '" + name + "' is registered twice");
}

}  // namespace qlathe
