#pragma once
#include <string>
#include <vector>

#include "codegen/cpp/emit.h"

namespace qlathe::cases {

/// What is needed to emit a case's graph.
struct LoweredCase {
  Program program;
  std::vector<LoweredKernel> kernels;
  EmitOptions options;
};

/// The graph for a target, the model called `id`; the reference's outputs for `inputs` in its self-test.
Result<LoweredCase> lower_case(const Graph& graph, const std::vector<HostTensor>& inputs, const std::string& id,
                               const Target& target);

}  // namespace qlathe::cases
