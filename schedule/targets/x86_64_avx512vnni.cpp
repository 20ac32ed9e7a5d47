#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_avx512vnni({
    .name = "x86-64-avx512vnni",
    .summary = "Ice Lake, Sapphire Rapids, Zen 4 and later: vpdpbusd on 512-bit registers",
    .halide = "x86-64-linux-avx512_zen4",
    .object = true,
    .vector_bits = 512,
    .registers = 32,
    .dot = {"vpdpbusd", 1, 1, 4, DotSigns::kU8S8},
    .max_accumulators = 24,
    .gcc_flags = {"-march=icelake-server", "-mprefer-vector-width=512"},
    .clang_flags = {"-march=icelake-server", "-mprefer-vector-width=512"},
    .promised = {"vpdpbusd"},
    .cpu_flags = {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512vbmi", "fma", "f16c"},
});

}  // namespace qlathe
