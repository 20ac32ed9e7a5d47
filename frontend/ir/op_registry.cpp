#include "frontend/ir/op_registry.h"

#include <map>

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
