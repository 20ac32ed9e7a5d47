#include "schedule/lower/lowering.h"

#include <map>

namespace qlathe {
namespace {

std::map<std::string, LoweringRegistry::Lower>& registry() {
  static std::map<std::string, LoweringRegistry::Lower> lowerings;
  return lowerings;
}

}  // namespace

const LoweringRegistry::Lower* LoweringRegistry::find(const std::string& op) {
  const auto it = registry().find(op);
  return it == registry().end() ? nullptr : &it->second;
}

LoweringRegistry::Add::Add(const std::string& op, Lower lower) {
  QL_CHECK(registry().emplace(op, std::move(lower)).second, op);
}

}  // namespace qlathe
