#include "schedule/target.h"

namespace qlathe {

// The kernels have no vectors: a device makes its own of neighbouring threads. Four bytes of each operand are
// multiplied at a time all the same, since compilers find their dot instruction in that.
static const TargetRegistry::Add add_opencl({
    .name = "opencl",
    .summary = "any GPU or processor with an OpenCL 1.2 driver; launched from x86-64",
    .halide = "x86-64-linux-opencl-cl_doubles",
    .object = true,
    .cpp = false,
    .vectorize = false,
    .dot = {"dot4", 1, 1, 4, DotSigns::kAny},
    .max_accumulators = 16,
});

}  // namespace qlathe
