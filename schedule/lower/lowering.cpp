#include "schedule/lower/lowering.h"

#include <Halide.h>

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
  // What Halide throws while a pipeline is built ends here.
  Lower guarded = [lower = std::move(lower)](const LoweringContext& context) -> Result<NodeLowering> {
    try {
      return lower(context);
    } catch (const Halide::Error& error) {
      return Status::internal("the kernel of '" + context.node.op + "': " + error.what());
    }
  };
  QL_CHECK(registry().emplace(op, std::move(guarded)).second, op);
}

}  // namespace qlathe
