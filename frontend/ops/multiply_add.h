#pragma once
#include <cstdint>

namespace qlathe {

// The inner loops of the reference: float32 with one rounding a step, int32 and int64 wrapping (through unsigned).
// T is float, uint32_t or uint64_t. The order of every accumulator's sum is ascending r.

/// acc[j] += row[r] * matrix[r * stride + j] for r = 0, step, 2 * step, .. below `rows`, j < columns.
template <class T>
void multiply_add_rows(const T* row, const T* matrix, int64_t rows, int64_t step, int64_t stride, int64_t columns,
                       T* acc);

/// acc[j] += a[j] * b[j] for j < columns.
template <class T>
void multiply_add_elements(const T* a, const T* b, int64_t columns, T* acc);

}  // namespace qlathe
