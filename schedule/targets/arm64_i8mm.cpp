#include "schedule/target.h"

namespace qlathe {

// Halide 21 has no pattern for usdot or smmla: kernels are lowered as for dot products, the printed C++ uses usdot,
// which takes the signs as they are (sudot where it takes unsigned activations by lane).
static const TargetRegistry::Add add_i8mm({
    .name = "arm64-i8mm",
    .summary = "ARMv8.6 with matrix multiplication of bytes (Cortex-A510, X2, Neoverse V1 and later): usdot, as C++",
    .halide = "arm-64-linux-arm_dot_prod",
    .object = false,
    .vector_bits = 128,
    .registers = 32,
    .dot = {"usdot", 1, 1, 4, DotSigns::kAny},
    .max_accumulators = 24,
    .gcc_flags = {"-march=armv8.2-a+dotprod+i8mm"},
    .clang_flags = {"-march=armv8.2-a+dotprod+i8mm"},
    .cross_triple = "aarch64-linux-gnu",
    .emulator = "qemu-aarch64",
    .promised = {"sdot", "sudot"},
    .cpu_flags = {"asimd", "asimddp", "i8mm"},
});

}  // namespace qlathe
