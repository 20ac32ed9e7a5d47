#pragma once
#include <string>
#include <utility>
#include <vector>

#include "codegen/halide/lower.h"
#include "frontend/ir/tensor.h"
#include "schedule/program.h"

namespace qlathe {

enum class WeightPlacement {
  kInline,    ///< arrays in <model>.cpp
  kSeparate,  ///< arrays in <model>_weights.cpp
  kBinary,    ///< <model>_weights.bin, given to <model>_run by the caller
};

/// Inputs and the outputs that the model gives for them, for the self-test.
struct GoldenVectors {
  std::vector<HostTensor> inputs, outputs;
};

struct EmitOptions {
  WeightPlacement weights = WeightPlacement::kInline;
  std::vector<std::string>
      provenance;                     ///< lines for the head of every file: tool, model and rules with hashes, options
  std::vector<GoldenVectors> golden;  ///< at least one: a self-test must test something
};

struct EmittedFile {
  std::string name;  ///< relative to the output folder
  std::string bytes;
};

/// The program as C++ sources: <model>.h, <model>.cpp, weights, <model>_self_test.cpp, main.cpp, CMakeLists.txt and
/// qlathe_runtime.h. `kernels` are the program's, lowered (codegen/halide/lower_program.h). The same program and
/// options give the same bytes.
Result<std::vector<EmittedFile>> emit_cpp(const Program& program, const std::vector<LoweredKernel>& kernels,
                                          const EmitOptions& options);

}  // namespace qlathe
