#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_cortex_m7({
    .name = "cortex-m7",
    .summary = "microcontrollers of ARMv7E-M with single-precision floats and caches (Cortex-M7)",
    .halide = "x86-64-linux",
    .object = false,
    .vectorize = false,
    .dot = {"scalar", 1, 1, 1, DotSigns::kAny},
    .max_accumulators = 4,
    .gcc_flags = {"-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"},
    .clang_flags = {"--target=arm-none-eabi", "-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"},
    .cross_triple = "arm-none-eabi",
});

}  // namespace qlathe
