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
  std::string model;                         ///< prefix of all symbols, a C identifier
  std::string prefix;                        ///< the same in capitals, for macros
  std::vector<std::string> inputs, outputs;  ///< parameter names of <model>_run
  std::vector<std::string> constants;        ///< "kLinear1Weights"
  std::vector<std::string> pools;            ///< parameter names of the program's pools
  std::vector<std::string> constant_roles;   ///< "linear1, weights", or ""

  /// A named offset in the arena.
  struct ArenaPlace {
    std::string name;    ///< "kOffsetHidden"
    std::string tensor;  ///< as the graph calls it
    int64_t offset = 0, bytes = 0;
    size_t first_call = 0, last_call = 0;
  };
  std::vector<ArenaPlace> arena;
  /// Of the buffers in the arena, by call and buffer: "kOffsetHidden", "kOffsetPadded + 49".
  std::map<std::pair<size_t, size_t>, std::string> arena_places;
};

/// Without constants and arena.
EmitNames make_names(const Program& program);
EmitNames make_names(const Program& program, const std::vector<LoweredKernel>& kernels);
int64_t weight_bytes(const Program& program);
/// Arena with the kernels' scratch behind it.
int64_t arena_total(const Program& program, const std::vector<LoweredKernel>& kernels);
/// A pointer parameter of <model>_run: the arena, or one of its pools.
struct EmitPool {
  std::string name;      ///< "arena", "sram"
  std::string macro;     ///< "DIGITS_ARENA_BYTES"
  std::string base;      ///< what the emitted code calls the memory as bytes
  int64_t offset = 0;    ///< where it begins in the program's arena
  int64_t bytes = 0;     ///< with the kernels' scratch where it is here
  int64_t limit = 0;     ///< what there is; 0: any
  int64_t scratch = -1;  ///< where the scratch begins in it; -1: not here
};
/// `scratch`: bytes of the kernels' own, which go behind the first pool that has room for them, or else the last one.
std::vector<EmitPool> pools_of(const Program& program, int64_t scratch, const EmitNames& names);
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
