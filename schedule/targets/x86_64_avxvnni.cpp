#include "schedule/target.h"

namespace qlathe {

// Halide 21 has no pattern for the VEX form of vpdpbusd: kernels are lowered for AVX2, the printed C++ uses the
// instruction.
static const TargetRegistry::Add add_avxvnni({
    .name = "x86-64-avxvnni",
    .summary = "Alder Lake, Zen 5 and later: vpdpbusd on 256-bit registers, as C++",
    .halide = "x86-64-linux-avx-avx2-f16c-fma-sse41",
    .object = false,
    .vector_bits = 256,
    .registers = 16,
    .dot = {"vpdpbusd", 1, 1, 4, DotSigns::kU8S8},
    .max_accumulators = 12,
    .gcc_flags = {"-march=haswell", "-mavxvnni"},
    .clang_flags = {"-march=haswell", "-mavxvnni"},
    .promised = {"vpdpbusd"},
    .cpu_flags = {"avx2", "fma", "f16c", "avx_vnni"},
});

}  // namespace qlathe
