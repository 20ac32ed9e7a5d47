#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_cortex_m0({
    .name = "cortex-m0",
    .summary = "microcontrollers of ARMv6-M (Cortex-M0, M0+): no DSP, no float unit",
    .halide = "x86-64-linux",
    .object = false,
    .vectorize = false,
    .dot = {"scalar", 1, 1, 1, DotSigns::kAny},
    .max_accumulators = 4,
    .gcc_flags = {"-mcpu=cortex-m0", "-mthumb", "-mfloat-abi=soft"},
    .clang_flags = {"--target=arm-none-eabi", "-mcpu=cortex-m0", "-mthumb", "-mfloat-abi=soft"},
    .cross_triple = "arm-none-eabi",
});

}  // namespace qlathe
