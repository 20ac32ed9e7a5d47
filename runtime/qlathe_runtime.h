// The runtime of emitted qlathe code: one include, header-only, freestanding C++11, no state, no allocation.
// The form of the vector types is chosen by the compiler's own macros; QL_FORM_REFERENCE forces the plain one and
// QL_FORM_SCALARS_ONLY leaves vectors out. README.md documents the interface.
#ifndef QLATHE_RUNTIME_H
#define QLATHE_RUNTIME_H

#include "qlathe/config.h"
#include "qlathe/generic.h"
#include "qlathe/scalar.h"
#include "qlathe/scalar_float.h"
// Every form guards itself.
#include "qlathe/arm_dsp.h"
#include "qlathe/avx2.h"
#include "qlathe/avx512.h"
#include "qlathe/gnu_ops.h"
#include "qlathe/gnu_vectors.h"
#include "qlathe/neon.h"
#include "qlathe/reference_vectors.h"
#include "qlathe/sse2.h"
#include "qlathe/vector_api.h"
#include "qlathe/vector_lanes.h"
#include "qlathe/wide.h"
#include "qlathe/x86_ops.h"

#endif
