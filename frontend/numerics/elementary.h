#pragma once

/// Elementary functions with one meaning: fixed float32 expressions, written once over an algebra and used by the
/// reference (ScalarAlgebra) and by kernels (Halide expressions), with the same bits on every target. Never libm or a
/// compiler's own functions. `qlathe::elementary::exp<ScalarAlgebra>(x)`.

#include "frontend/numerics/elementary/activations.h"
#include "frontend/numerics/elementary/algebra.h"
#include "frontend/numerics/elementary/exp_log.h"
#include "frontend/numerics/elementary/power.h"
#include "frontend/numerics/elementary/trigonometry.h"
