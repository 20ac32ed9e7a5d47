#include "frontend/ops/multiply_add.h"

#include <cmath>

// std::fma is a call into libm unless the instruction set is promised. The same source is compiled once more with the
// promise, which makes it some 20 times faster and cannot change a bit: fma is correctly rounded either way.
#if defined(__x86_64__)
#define QL_WITH_FMA __attribute__((target("avx2,fma")))
#endif

namespace qlathe {
namespace {

inline __attribute__((always_inline)) float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline __attribute__((always_inline)) uint32_t multiply_add(uint32_t a, uint32_t b, uint32_t c) { return a * b + c; }
inline __attribute__((always_inline)) uint64_t multiply_add(uint64_t a, uint64_t b, uint64_t c) { return a * b + c; }

template <class T>
inline __attribute__((always_inline)) void rows_body(const T* row, const T* matrix, int64_t rows, int64_t step,
                                                     int64_t stride, int64_t columns, T* __restrict__ acc) {
  for (int64_t r = 0; r < rows; r += step) {
    const T a = row[r];
    const T* __restrict__ b = matrix + r * stride;
    for (int64_t j = 0; j < columns; j++)
      acc[j] = multiply_add(a, b[j], acc[j]);
  }
}

template <class T>
inline __attribute__((always_inline)) void elements_body(const T* a, const T* b, int64_t columns, T* __restrict__ acc) {
  for (int64_t j = 0; j < columns; j++)
    acc[j] = multiply_add(a[j], b[j], acc[j]);
}

#ifdef QL_WITH_FMA
template <class T>
QL_WITH_FMA void rows_fma(const T* row, const T* matrix, int64_t rows, int64_t step, int64_t stride, int64_t columns,
                          T* acc) {
  rows_body(row, matrix, rows, step, stride, columns, acc);
}
template <class T>
QL_WITH_FMA void elements_fma(const T* a, const T* b, int64_t columns, T* acc) {
  elements_body(a, b, columns, acc);
}
bool has_fma() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has;
}
#endif

}  // namespace

template <class T>
void multiply_add_rows(const T* row, const T* matrix, int64_t rows, int64_t step, int64_t stride, int64_t columns,
                       T* acc) {
#ifdef QL_WITH_FMA
  if (has_fma()) return rows_fma(row, matrix, rows, step, stride, columns, acc);
#endif
  rows_body(row, matrix, rows, step, stride, columns, acc);
}

template <class T>
void multiply_add_elements(const T* a, const T* b, int64_t columns, T* acc) {
#ifdef QL_WITH_FMA
  if (has_fma()) return elements_fma(a, b, columns, acc);
#endif
  elements_body(a, b, columns, acc);
}

#define QL_INSTANTIATE(T)                                                                         \
  template void multiply_add_rows<T>(const T*, const T*, int64_t, int64_t, int64_t, int64_t, T*); \
  template void multiply_add_elements<T>(const T*, const T*, int64_t, T*);
QL_INSTANTIATE(float)
QL_INSTANTIATE(uint32_t)
QL_INSTANTIATE(uint64_t)
#undef QL_INSTANTIATE

}  // namespace qlathe
