#pragma once
/// The pieces of emit_cpp: names, and one function per emitted file.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "codegen/cpp/emit.h"

namespace qlathe {

/// Every name that the emitted files share.
struct EmitNames {
  std::string model;                                             ///< prefix of all symbols, a C identifier
  std::string prefix;                                            ///< the same in capitals, for macros
  std::vector<std::string> inputs, outputs;                      ///< parameter names of <model>_run
  std::vector<std::string> constants;                            ///< "kLinear1Weights"
  std::map<std::pair<std::string, int64_t>, std::string> arena;  ///< (buffer name, offset) -> "kOffsetHidden"
};

EmitNames make_names(const Program& program);
int64_t weight_bytes(const Program& program);
/// Arena with the kernels' scratch behind it.
int64_t arena_total(const Program& program, const std::vector<LoweredKernel>& kernels);
std::string title(const Program& program, const EmitOptions& options);
/// For templates: the include that not finite numbers in `text` need, as a line of its own, or nothing.
std::string limits_include(const std::string& text);
std::string comment_lines(const std::vector<std::string>& lines);
std::string shape_text(const Shape& shape);
std::string run_parameters(const Program& program, const EmitNames& names, const EmitOptions& options);

std::string emit_header(const Program& program, const std::vector<LoweredKernel>& kernels, const EmitOptions& options,
                        const EmitNames& names);
std::string emit_self_test(const Program& program, const EmitOptions& options, const EmitNames& names);
/// <model>_trace.h: names and checksums of the calls, counters.
std::string emit_trace(const Program& program, const EmitOptions& options, const EmitNames& names);
std::string emit_main(const Program& program, const EmitOptions& options, const EmitNames& names);
std::string emit_build_file(const Program& program, const EmitOptions& options, const EmitNames& names);
/// runtime/qlathe_runtime.h with everything it includes of runtime/, in one file.
std::string amalgamated_runtime();

}  // namespace qlathe
