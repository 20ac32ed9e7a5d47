#include "tests/contraction/run_lowered.h"

namespace qlathe::testing {

std::vector<const char*> tested_targets() { return {"x86-64-avx512vnni", "x86-64-avx2", "generic"}; }

std::vector<CaseRunner> case_runners() { return {{"as object", run_as_object}}; }

std::vector<NodeCase> chosen_cases(std::vector<NodeCase> cases) { return cases; }

}  // namespace qlathe::testing
