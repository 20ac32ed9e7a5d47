#include "tests/lowering/lowering_cases.h"

namespace qlathe::testing {
namespace {

Result<std::vector<HostTensor>> run_printed(const std::vector<NodeCase>& cases, const Target& target) {
  QL_ASSIGN(const std::vector<LoadedNode> loaded, load_printed(cases, target));
  return results_in_parts(cases, loaded);
}

}  // namespace

std::vector<const char*> tested_targets() { return {"x86-64-avx512vnni", "x86-64-avx2", "generic"}; }

std::vector<CaseRunner> case_runners() { return {{"as object", run_as_object}, {"as C++", run_printed}}; }

std::vector<NodeCase> chosen_cases(std::vector<NodeCase> cases) { return cases; }

}  // namespace qlathe::testing
