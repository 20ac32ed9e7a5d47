#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_cortex_m4({
    .name = "cortex-m4",
    .summary = "microcontrollers of ARMv7E-M with single-precision floats (Cortex-M4F)",
    .halide = "x86-64-linux",
    .object = false,
    .vectorize = false,
    .dot = {"scalar", 1, 1, 1, DotSigns::kAny},
    .max_accumulators = 4,
    .gcc_flags = {"-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"},
    .clang_flags = {"--target=arm-none-eabi", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"},
    .cross_triple = "arm-none-eabi",
});

}  // namespace qlathe
