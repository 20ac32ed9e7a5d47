#include "tests/cases/lower_case.h"

#include "api/pipeline.h"
#include "codegen/halide/lower_program.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe::cases {

Result<LoweredCase> lower_case(const Graph& graph, const std::vector<HostTensor>& inputs, const std::string& id,
                               const Target& target) {
  LoweredCase out;
  QL_ASSIGN(std::vector<HostTensor> outputs, run_reference(graph, inputs));
  out.options.provenance = {"model  " + graph.name};
  out.options.golden.push_back({inputs, std::move(outputs)});
  QL_ASSIGN(Graph canonical, canonical_graph(graph));
  canonical.name = id;
  QL_ASSIGN(out.program, plan_program(canonical, target));
  QL_ASSIGN(out.kernels, lower_program(out.program));
  return out;
}

}  // namespace qlathe::cases
