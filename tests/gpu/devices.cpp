// The cases of other folders on devices: each as a program of its own, loaded by the JIT.
#include <algorithm>
#include <cstdlib>

#include "codegen/native/jit_executor.h"
#include "tests/contraction/run_lowered.h"

namespace qlathe::testing {
namespace {

Result<std::vector<HostTensor>> run_on_device(const std::vector<NodeCase>& cases, const Target& target) {
  setenv("POCL_CACHE_DIR", QLATHE_BINARY_DIR "/pocl-cache", 0);
  JitExecutor executor(target);
  std::vector<HostTensor> out;
  for (const NodeCase& node_case : cases) {
    const Place place{"", node_case.label, ""};
    auto executable = executor.prepare(node_case.graph);
    if (!executable.ok()) return executable.status().at(place);
    auto results = (*executable)->run(node_case.inputs);
    if (!results.ok()) return results.status().at(place);
    out.push_back(std::move(results->at(0)));
  }
  return out;
}

/// PoCL takes seconds to compile a kernel that it has not seen: a few cases of each test, evenly spread, the first
/// among them. QLATHE_DEVICE_CASES=100000 is all.
size_t cases_of_a_test() {
  const char* given = std::getenv("QLATHE_DEVICE_CASES");
  return given == nullptr ? 3 : std::max<size_t>(1, std::strtoul(given, nullptr, 10));
}

}  // namespace

std::vector<NodeCase> chosen_cases(std::vector<NodeCase> cases) {
  const size_t wanted = std::min(cases_of_a_test(), cases.size());
  std::vector<NodeCase> out;
  for (size_t i = 0; i < wanted; i++)
    out.push_back(std::move(cases[i * cases.size() / wanted]));
  return out;
}

std::vector<const char*> tested_targets() { return {"opencl"}; }

std::vector<CaseRunner> case_runners() { return {{"by the JIT", run_on_device}}; }

}  // namespace qlathe::testing
