#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_avx2({
    .name = "x86-64-avx2",
    .summary = "Haswell, Zen and later: vpmaddwd on 256-bit registers",
    .halide = "x86-64-linux-avx-avx2-f16c-fma-sse41",
    .object = true,
    .vector_bits = 256,
    .registers = 16,
    .dot = {"vpmaddwd", 1, 1, 2, DotSigns::kAny},
    .max_accumulators = 12,
    .gcc_flags = {"-march=haswell"},
    .clang_flags = {"-march=haswell"},
    .promised = {"vpmaddwd"},
    .cpu_flags = {"avx2", "fma", "f16c"},
});

}  // namespace qlathe
