#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_sse2({
    .name = "x86-64-sse2",
    .summary = "any x86-64 processor: pmaddwd on 128-bit registers",
    .halide = "x86-64-linux",
    .object = true,
    .vector_bits = 128,
    .registers = 16,
    .dot = {"pmaddwd", 1, 1, 2, DotSigns::kAny},
    .max_accumulators = 8,
    .gcc_flags = {"-march=x86-64"},
    .clang_flags = {"-march=x86-64"},
    .promised = {"pmaddwd"},
    .cpu_flags = {"sse2"},
});

}  // namespace qlathe
