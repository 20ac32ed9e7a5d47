// Compiler and instruction set: macros, scalar types, and which form the vectors take.
#ifndef QLATHE_CONFIG_H
#define QLATHE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#define QL_FORM_SCALARS 0            // any C++11 compiler
#define QL_FORM_REFERENCE_VECTORS 1  // structs and loops: the reference that the other forms are tested against
#define QL_FORM_GNU_VECTORS 2        // vector extensions of g++ and clang++, no instruction set in particular
#define QL_FORM_AVX2 3               // AVX2 and FMA; AVX-VNNI where the compiler has it on
#define QL_FORM_AVX512 4             // AVX-512 F, BW, DQ, VL and VNNI; VBMI where the compiler has it on
#define QL_FORM_NEON 5               // 64-bit ARM; dot products and products of mixed signs where the compiler has them
#define QL_FORM_SSE2 6               // any x86-64

// Every instruction set has an inline namespace of its own: two emitted models in one program, compiled with different
// flags, must not share inline functions.
#if defined(QL_FORM_SCALARS_ONLY)
#define QL_FORM QL_FORM_SCALARS
#define QL_ISA scalars
#elif defined(QL_FORM_REFERENCE)
#define QL_FORM QL_FORM_REFERENCE_VECTORS
#define QL_ISA reference
#elif defined(__GNUC__) && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__) && defined(__AVX512VNNI__) && defined(__FMA__)
#define QL_FORM QL_FORM_AVX512
#if defined(__AVX512VBMI__)
#define QL_ISA avx512vnni_vbmi
#else
#define QL_ISA avx512vnni
#endif
#elif defined(__GNUC__) && defined(__AVX2__) && defined(__FMA__)
#define QL_FORM QL_FORM_AVX2
#if defined(__AVXVNNI__)
#define QL_ISA avxvnni
#else
#define QL_ISA avx2
#endif
#elif defined(__GNUC__) && defined(__aarch64__) && defined(__ARM_NEON) && !defined(__ARM_BIG_ENDIAN)
#define QL_FORM QL_FORM_NEON
#if defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8)
#define QL_ISA i8mm
#elif defined(__ARM_FEATURE_DOTPROD)
#define QL_ISA dotprod
#else
#define QL_ISA neon
#endif
#elif defined(__GNUC__) && defined(__x86_64__) && defined(__SSE2__)
#define QL_FORM QL_FORM_SSE2
#if defined(__FMA__)
#define QL_ISA sse2_fma
#else
#define QL_ISA sse2
#endif
#elif defined(__GNUC__) && defined(__arm__) && defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_SIMD32)
#define QL_FORM QL_FORM_REFERENCE_VECTORS
#define QL_ISA dsp
#define QL_ARM_DSP 1
#else
#define QL_FORM QL_FORM_REFERENCE_VECTORS
#define QL_ISA plain
#endif
#ifndef QL_ARM_DSP
#define QL_ARM_DSP 0
#endif

#if QL_FORM == QL_FORM_AVX512
#define QL_NATIVE_BYTES 64
#elif QL_FORM == QL_FORM_AVX2
#define QL_NATIVE_BYTES 32
#else
#define QL_NATIVE_BYTES 16
#endif

#if QL_FORM == QL_FORM_AVX512 || QL_FORM == QL_FORM_AVX2
#define QL_X86_FMA 1
#include <immintrin.h>
#else
#define QL_X86_FMA 0
#endif
#if QL_FORM == QL_FORM_SSE2
#include <emmintrin.h>
#elif QL_FORM == QL_FORM_NEON
#include <arm_neon.h>
#elif QL_ARM_DSP
#include <arm_acle.h>
#endif

#if defined(__GNUC__)
#define QL_INLINE inline __attribute__((always_inline))
#define QL_RESTRICT __restrict__
// Kernels stay functions: inlined into the entry point, their pointers would no longer be known to be distinct.
#define QL_KERNEL static __attribute__((noinline))
#else
#define QL_INLINE inline
#define QL_RESTRICT
#define QL_KERNEL static
#endif

// On the loops over register arrays: their arrays live in registers only when these loops are gone.
#if defined(__clang__)
#define QL_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define QL_UNROLL _Pragma("GCC unroll 32")
#else
#define QL_UNROLL
#endif

#define QL_NAMESPACE_BEGIN \
  namespace qlathe_rt {    \
  inline namespace QL_ISA {
#define QL_NAMESPACE_END \
  }                      \
  }

QL_NAMESPACE_BEGIN

typedef int8_t i8;
typedef int16_t i16;
// int32_t is long on some microcontrollers; int is what literals and arithmetic are.
typedef int i32;
typedef int64_t i64;
typedef uint8_t u8;
typedef uint16_t u16;
typedef unsigned int u32;
typedef uint64_t u64;
typedef float f32;
typedef double f64;

static_assert(sizeof(i32) == 4 && sizeof(f32) == 4 && sizeof(f64) == 8, "int of 32 bits, IEEE float and double");

// Copies of a constant size; compilers make one move of it.
template <size_t Bytes>
QL_INLINE void copy_bytes(void* to, const void* from) {
#if defined(__GNUC__)
  __builtin_memcpy(to, from, Bytes);
#else
  unsigned char* t = static_cast<unsigned char*>(to);
  const unsigned char* f = static_cast<const unsigned char*>(from);
  for (size_t i = 0; i < Bytes; i++)
    t[i] = f[i];
#endif
}

QL_NAMESPACE_END

#endif
