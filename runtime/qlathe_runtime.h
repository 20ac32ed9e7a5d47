// The runtime of emitted qlathe code: one include, header-only, freestanding C++11, no state, no allocation.
// The form of the vector types is chosen by the compiler's own macros; QL_FORM_REFERENCE forces the plain one.
// README.md documents the interface.
#ifndef QLATHE_RUNTIME_H
#define QLATHE_RUNTIME_H

#include "qlathe/config.h"
#include "qlathe/scalar.h"
#include "qlathe/scalar_float.h"

#if QL_FORM == QL_FORM_SCALARS
// No vectors: emitted code of the generic targets uses scalars alone.
#elif QL_FORM == QL_FORM_REFERENCE_VECTORS
#include "qlathe/reference_vectors.h"
#else
#include "qlathe/gnu_vectors.h"
#include "qlathe/wide.h"
#include "qlathe/gnu_ops.h"
#if QL_FORM == QL_FORM_AVX512
#include "qlathe/avx2.h"
#include "qlathe/avx512.h"
#elif QL_FORM == QL_FORM_AVX2
#include "qlathe/avx2.h"
#endif
#endif

#if QL_FORM != QL_FORM_SCALARS
#include "qlathe/vector_api.h"
#endif

#endif
