#pragma once
#include <cstdint>
#include <optional>
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

/// What a compiler made of the emitted C++.
struct CodeFigures {
  std::string compiler;              ///< with version and flags
  int64_t code_bytes = 0;            ///< machine code
  int64_t constant_bytes = 0;        ///< read-only data: weights, tables, numbers that the compiler put there
  int64_t stack_bytes = 0;           ///< of <model>_run at its deepest call, without functions of the C library
  std::vector<std::string> outside;  ///< functions of the C library that it calls
};

struct EmitOptions {
  WeightPlacement weights = WeightPlacement::kInline;
  std::vector<std::string>
      provenance;                      ///< lines for the head of every file: tool, model and rules with hashes, options
  std::vector<GoldenVectors> golden;   ///< at least one: a self-test must test something
  std::optional<CodeFigures> figures;  ///< for the header
  std::string targets;                 ///< for titles; empty: the program's
  bool several_forms = false;          ///< <model>_run chooses between forms (emit_forms.h)
  std::string part_of;                 ///< the model that this is a form of; forms have no self-test of their own
  /// One a call: of its result for the first golden vector, where it is all of a tensor (result_checksum).
  std::vector<std::optional<uint32_t>> checksums;
};

struct EmittedFile {
  std::string name;  ///< relative to the output folder
  std::string bytes;
};

/// FNV-1a of 32 bits.
uint32_t result_checksum(const uint8_t* bytes, size_t count);

/// The program as C++ sources: <model>.h, <model>.cpp, weights, <model>_self_test.cpp, main.cpp, CMakeLists.txt and
/// qlathe_runtime.h. `kernels` are the program's, lowered (codegen/halide/lower_program.h). The same program and
/// options give the same bytes.
Result<std::vector<EmittedFile>> emit_cpp(const Program& program, const std::vector<LoweredKernel>& kernels,
                                          const EmitOptions& options);

}  // namespace qlathe
