// 64-bit ARM: NEON on vectors of 4, 8 and 16 bytes; the dot products and the products of mixed signs where the compiler
// has them on.
#ifndef QLATHE_NEON_H
#define QLATHE_NEON_H

#include "gnu_ops.h"

#if QL_FORM == QL_FORM_NEON

QL_NAMESPACE_BEGIN

// R = CALL((M)a, (M)b) for vectors V; M is the intrinsic's register type.
#define QL_NEON_BINARY_AS(F, R, V, M, CALL)                          \
  template <>                                                        \
  struct native_binary<F, R, V, V> {                                 \
    static QL_INLINE R run(V a, V b) { return (R)CALL((M)a, (M)b); } \
  };
#define QL_NEON_BINARY(F, V, M, CALL) QL_NEON_BINARY_AS(F, V, V, M, CALL)
#define QL_NEON_UNARY_EXPR(F, R, A, EXPR)             \
  template <>                                         \
  struct native_unary<F, R, A> {                      \
    static QL_INLINE R run(A a) { return (R)(EXPR); } \
  };
#define QL_NEON_UNARY(F, R, A, M, CALL) QL_NEON_UNARY_EXPR(F, R, A, CALL((M)a))

// Vectors of 4 bytes in a register and back.
template <class V>
QL_INLINE int8x8_t low_32(V v) {
  return vreinterpret_s8_s32(vdup_n_s32((i32)v));
}
QL_INLINE i32 first_32(int8x8_t v) { return vget_lane_s32(vreinterpret_s32_s8(v), 0); }
QL_INLINE i32 first_32(uint8x8_t v) { return vget_lane_s32(vreinterpret_s32_u8(v), 0); }
QL_INLINE i32 first_32(int16x4_t v) { return vget_lane_s32(vreinterpret_s32_s16(v), 0); }

// ---- lanes of the same width ----
#define QL_NEON_ALL(F, OP)                       \
  QL_NEON_BINARY(F, i8x8, int8x8_t, OP##_s8)     \
  QL_NEON_BINARY(F, u8x8, uint8x8_t, OP##_u8)    \
  QL_NEON_BINARY(F, i16x4, int16x4_t, OP##_s16)  \
  QL_NEON_BINARY(F, u16x4, uint16x4_t, OP##_u16) \
  QL_NEON_BINARY(F, i32x2, int32x2_t, OP##_s32)  \
  QL_NEON_BINARY(F, u32x2, uint32x2_t, OP##_u32)
#define QL_NEON_ALL_Q(F, OP)                     \
  QL_NEON_BINARY(F, i8x16, int8x16_t, OP##_s8)   \
  QL_NEON_BINARY(F, u8x16, uint8x16_t, OP##_u8)  \
  QL_NEON_BINARY(F, i16x8, int16x8_t, OP##_s16)  \
  QL_NEON_BINARY(F, u16x8, uint16x8_t, OP##_u16) \
  QL_NEON_BINARY(F, i32x4, int32x4_t, OP##_s32)  \
  QL_NEON_BINARY(F, u32x4, uint32x4_t, OP##_u32)
QL_NEON_ALL(min_f, vmin)
QL_NEON_ALL_Q(min_f, vminq)
QL_NEON_ALL(max_f, vmax)
QL_NEON_ALL_Q(max_f, vmaxq)
QL_NEON_ALL(saturating_add_f, vqadd)
QL_NEON_ALL_Q(saturating_add_f, vqaddq)
QL_NEON_ALL(saturating_sub_f, vqsub)
QL_NEON_ALL_Q(saturating_sub_f, vqsubq)
QL_NEON_ALL(halving_add_f, vhadd)
QL_NEON_ALL_Q(halving_add_f, vhaddq)
QL_NEON_ALL(rounding_halving_add_f, vrhadd)
QL_NEON_ALL_Q(rounding_halving_add_f, vrhaddq)
#undef QL_NEON_ALL
#undef QL_NEON_ALL_Q
QL_NEON_BINARY_AS(absd_f, u8x16, i8x16, int8x16_t, vabdq_s8)
QL_NEON_BINARY_AS(absd_f, u8x16, u8x16, uint8x16_t, vabdq_u8)
QL_NEON_BINARY_AS(absd_f, u16x8, i16x8, int16x8_t, vabdq_s16)
QL_NEON_BINARY_AS(absd_f, u16x8, u16x8, uint16x8_t, vabdq_u16)
QL_NEON_BINARY_AS(absd_f, u32x4, i32x4, int32x4_t, vabdq_s32)
QL_NEON_BINARY_AS(absd_f, u32x4, u32x4, uint32x4_t, vabdq_u32)
QL_NEON_UNARY(abs_f, u8x16, i8x16, int8x16_t, vabsq_s8)
QL_NEON_UNARY(abs_f, u8x8, i8x8, int8x8_t, vabs_s8)
QL_NEON_UNARY(abs_f, u16x8, i16x8, int16x8_t, vabsq_s16)
QL_NEON_UNARY(abs_f, u16x4, i16x4, int16x4_t, vabs_s16)
QL_NEON_UNARY(abs_f, u32x4, i32x4, int32x4_t, vabsq_s32)
QL_NEON_UNARY(abs_f, f32x4, f32x4, float32x4_t, vabsq_f32)
QL_NEON_UNARY(abs_f, f64x2, f64x2, float64x2_t, vabsq_f64)

// ---- selection: bitwise, so that one instruction serves all lanes. min and max of floats are a comparison and a
// selection: fmin would take the other operand for a NaN. ----
#define QL_NEON_SELECT(V, M)                                                                                   \
  template <>                                                                                                  \
  struct native_ternary<select_f, V, M, V, V> {                                                                \
    static QL_INLINE V run(M m, V a, V b) { return (V)vbslq_u8((uint8x16_t)m, (uint8x16_t)a, (uint8x16_t)b); } \
  };
QL_NEON_SELECT(i8x16, i8x16)
QL_NEON_SELECT(u8x16, i8x16)
QL_NEON_SELECT(i16x8, i16x8)
QL_NEON_SELECT(u16x8, i16x8)
QL_NEON_SELECT(i32x4, i32x4)
QL_NEON_SELECT(u32x4, i32x4)
QL_NEON_SELECT(f32x4, i32x4)
QL_NEON_SELECT(i64x2, i64x2)
QL_NEON_SELECT(u64x2, i64x2)
QL_NEON_SELECT(f64x2, i64x2)
#undef QL_NEON_SELECT

// ---- floating point ----
#define QL_NEON_FLOAT(V, M, S, Q)                                                        \
  QL_NEON_UNARY(floor_f, V, V, M, vrndm##Q##_##S)                                        \
  QL_NEON_UNARY(ceil_f, V, V, M, vrndp##Q##_##S)                                         \
  QL_NEON_UNARY(round_f, V, V, M, vrndn##Q##_##S)                                        \
  QL_NEON_UNARY(trunc_f, V, V, M, vrnd##Q##_##S)                                         \
  QL_NEON_UNARY(sqrt_f, V, V, M, vsqrt##Q##_##S)                                         \
  template <>                                                                            \
  struct native_ternary<fma_f, V, V, V, V> {                                             \
    static QL_INLINE V run(V a, V b, V c) { return (V)vfma##Q##_##S((M)c, (M)a, (M)b); } \
  };                                                                                     \
  template <>                                                                            \
  struct native_unary<rounded_f, V, V> { /* see keep_rounding in scalar_float.h */       \
    static QL_INLINE V run(V a) {                                                        \
      __asm__("" : "+w"(a));                                                             \
      return a;                                                                          \
    }                                                                                    \
  };
QL_NEON_FLOAT(f32x4, float32x4_t, f32, q)
QL_NEON_FLOAT(f32x2, float32x2_t, f32, )
QL_NEON_FLOAT(f64x2, float64x2_t, f64, q)
#undef QL_NEON_FLOAT
QL_NEON_UNARY(round_to_i32_f, i32x4, f32x4, float32x4_t, vcvtnq_s32_f32)
QL_NEON_UNARY(round_to_i32_f, i32x2, f32x2, float32x2_t, vcvtn_s32_f32)

// ---- conversions to wider integers ----
#define QL_NEON_WIDEN(R, A, EXPR)              \
  QL_NEON_UNARY_EXPR(convert_f, i##R, A, EXPR) \
  QL_NEON_UNARY_EXPR(convert_f, u##R, A, EXPR)
QL_NEON_WIDEN(16x8, i8x8, vmovl_s8((int8x8_t)a))
QL_NEON_WIDEN(16x8, u8x8, vmovl_u8((uint8x8_t)a))
QL_NEON_WIDEN(16x4, i8x4, vget_low_s16(vmovl_s8(low_32(a))))
QL_NEON_WIDEN(16x4, u8x4, vget_low_u16(vmovl_u8((uint8x8_t)low_32(a))))
QL_NEON_WIDEN(32x4, i16x4, vmovl_s16((int16x4_t)a))
QL_NEON_WIDEN(32x4, u16x4, vmovl_u16((uint16x4_t)a))
QL_NEON_WIDEN(32x4, i8x4, vmovl_s16(vget_low_s16(vmovl_s8(low_32(a)))))
QL_NEON_WIDEN(32x4, u8x4, vmovl_u16(vget_low_u16(vmovl_u8((uint8x8_t)low_32(a)))))
QL_NEON_WIDEN(64x2, i32x2, vmovl_s32((int32x2_t)a))
QL_NEON_WIDEN(64x2, u32x2, vmovl_u32((uint32x2_t)a))
#undef QL_NEON_WIDEN
// From a register of 8 lanes to two of 4.
#define QL_NEON_WIDEN_8(R, H, A, LO, HI) \
  template <>                            \
  struct unary<convert_f, R, A, false> { \
    static QL_INLINE R run(A a) {        \
      R r = {(H)(LO), (H)(HI)};          \
      return r;                          \
    }                                    \
  };
#define QL_NEON_WIDEN_8_BYTES(R, H)                                                                                  \
  QL_NEON_WIDEN_8(R, H, i8x8, vmovl_s16(vget_low_s16(vmovl_s8((int8x8_t)a))), vmovl_high_s16(vmovl_s8((int8x8_t)a))) \
  QL_NEON_WIDEN_8(R, H, u8x8, vmovl_u16(vget_low_u16(vmovl_u8((uint8x8_t)a))), vmovl_high_u16(vmovl_u8((uint8x8_t)a)))
QL_NEON_WIDEN_8_BYTES(i32x8, i32x4)
QL_NEON_WIDEN_8_BYTES(u32x8, u32x4)
#undef QL_NEON_WIDEN_8_BYTES

// ---- conversions to narrower integers: truncating and saturating ----
#define QL_NEON_NARROW(R, A, EXPR)                \
  QL_NEON_UNARY_EXPR(convert_f, i##R, i##A, EXPR) \
  QL_NEON_UNARY_EXPR(convert_f, u##R, i##A, EXPR) \
  QL_NEON_UNARY_EXPR(convert_f, i##R, u##A, EXPR) \
  QL_NEON_UNARY_EXPR(convert_f, u##R, u##A, EXPR)
QL_NEON_NARROW(8x8, 16x8, vmovn_s16((int16x8_t)a))
QL_NEON_NARROW(16x4, 32x4, vmovn_s32((int32x4_t)a))
QL_NEON_NARROW(32x2, 64x2, vmovn_s64((int64x2_t)a))
QL_NEON_NARROW(8x4, 32x4, first_32(vmovn_s16(vcombine_s16(vmovn_s32((int32x4_t)a), vmovn_s32((int32x4_t)a)))))
QL_NEON_NARROW(8x4, 16x4, first_32(vmovn_s16(vcombine_s16((int16x4_t)a, (int16x4_t)a))))
#undef QL_NEON_NARROW
QL_NEON_UNARY(sat_f, i8x8, i16x8, int16x8_t, vqmovn_s16)
QL_NEON_UNARY(sat_f, u8x8, i16x8, int16x8_t, vqmovun_s16)
QL_NEON_UNARY(sat_f, u8x8, u16x8, uint16x8_t, vqmovn_u16)
QL_NEON_UNARY(sat_f, i16x4, i32x4, int32x4_t, vqmovn_s32)
QL_NEON_UNARY(sat_f, u16x4, i32x4, int32x4_t, vqmovun_s32)
QL_NEON_UNARY(sat_f, u16x4, u32x4, uint32x4_t, vqmovn_u32)
QL_NEON_UNARY(sat_f, i32x2, i64x2, int64x2_t, vqmovn_s64)
// To unsigned bytes the first step is signed: 16 bits hold every value the second one keeps.
QL_INLINE int16x8_t sat_twice(i32x4 a) { return vqmovn_high_s32(vqmovn_s32((int32x4_t)a), (int32x4_t)a); }
QL_NEON_UNARY_EXPR(sat_f, i8x4, i32x4, first_32(vqmovn_s16(sat_twice(a))))
QL_NEON_UNARY_EXPR(sat_f, u8x4, i32x4, first_32(vqmovun_s16(sat_twice(a))))
// From two registers of 4 lanes to one of 8.
#define QL_NEON_NARROW_8(F, R, A, EXPR)               \
  template <>                                         \
  struct unary<F, R, A, false> {                      \
    static QL_INLINE R run(A a) { return (R)(EXPR); } \
  };
#define QL_NEON_MOVN_8 vmovn_s16(vmovn_high_s32(vmovn_s32((int32x4_t)a.lo), (int32x4_t)a.hi))
#define QL_NEON_SAT_16 vqmovn_high_s32(vqmovn_s32((int32x4_t)a.lo), (int32x4_t)a.hi)
QL_NEON_NARROW_8(convert_f, i8x8, i32x8, QL_NEON_MOVN_8)
QL_NEON_NARROW_8(convert_f, u8x8, i32x8, QL_NEON_MOVN_8)
QL_NEON_NARROW_8(convert_f, i8x8, u32x8, QL_NEON_MOVN_8)
QL_NEON_NARROW_8(convert_f, u8x8, u32x8, QL_NEON_MOVN_8)
QL_NEON_NARROW_8(sat_f, i8x8, i32x8, vqmovn_s16(QL_NEON_SAT_16))
QL_NEON_NARROW_8(sat_f, u8x8, i32x8, vqmovun_s16(QL_NEON_SAT_16))

// ---- conversions between integers and floats ----
QL_NEON_UNARY(convert_f, f32x4, i32x4, int32x4_t, vcvtq_f32_s32)
QL_NEON_UNARY(convert_f, f32x4, u32x4, uint32x4_t, vcvtq_f32_u32)
QL_NEON_UNARY(convert_f, i32x4, f32x4, float32x4_t, vcvtq_s32_f32)
QL_NEON_UNARY(convert_f, u32x4, f32x4, float32x4_t, vcvtq_u32_f32)
QL_NEON_UNARY(convert_f, f64x2, f32x2, float32x2_t, vcvt_f64_f32)
QL_NEON_UNARY(convert_f, f32x2, f64x2, float64x2_t, vcvt_f32_f64)
QL_NEON_UNARY(convert_f, f64x2, i64x2, int64x2_t, vcvtq_f64_s64)
QL_NEON_UNARY(convert_f, i64x2, f64x2, float64x2_t, vcvtq_s64_f64)
QL_NEON_UNARY_EXPR(convert_f, f64x2, i32x2, vcvtq_f64_s64(vmovl_s32((int32x2_t)a)))
QL_NEON_UNARY_EXPR(convert_f, i32x2, f64x2, vqmovn_s64(vcvtq_s64_f64((float64x2_t)a)))
#define QL_NEON_VIA(R, A, MIDDLE)                                                                                 \
  template <>                                                                                                     \
  struct native_unary<convert_f, R, A> {                                                                          \
    static QL_INLINE R run(A a) { return unary<convert_f, R, MIDDLE>::run(unary<convert_f, MIDDLE, A>::run(a)); } \
  };
#define QL_NEON_SMALL_AND_FLOAT(S) \
  QL_NEON_VIA(f32x4, S##x4, i32x4) \
  QL_NEON_VIA(S##x4, f32x4, i32x4)
QL_NEON_SMALL_AND_FLOAT(u8)
QL_NEON_SMALL_AND_FLOAT(i8)
QL_NEON_SMALL_AND_FLOAT(u16)
QL_NEON_SMALL_AND_FLOAT(i16)
#undef QL_NEON_SMALL_AND_FLOAT
#undef QL_NEON_VIA
// 8 bytes and 8 floats, by 8 lanes of 32 bits.
#define QL_NEON_BYTES_AND_FLOATS(S)                                                   \
  template <>                                                                         \
  struct unary<convert_f, f32x8, S, false> {                                          \
    static QL_INLINE f32x8 run(S a) {                                                 \
      return unary<convert_f, f32x8, i32x8>::run(unary<convert_f, i32x8, S>::run(a)); \
    }                                                                                 \
  };                                                                                  \
  template <>                                                                         \
  struct unary<convert_f, S, f32x8, false> {                                          \
    static QL_INLINE S run(f32x8 a) {                                                 \
      return unary<convert_f, S, i32x8>::run(unary<convert_f, i32x8, f32x8>::run(a)); \
    }                                                                                 \
  };
QL_NEON_BYTES_AND_FLOATS(u8x8)
QL_NEON_BYTES_AND_FLOATS(i8x8)
#undef QL_NEON_BYTES_AND_FLOATS
QL_NEON_UNARY_EXPR(from_f16_f, f32x4, u16x4, vcvt_f32_f16(vreinterpret_f16_u16((uint16x4_t)a)))
QL_NEON_UNARY_EXPR(to_f16_f, u16x4, f32x4, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)a)))

// ---- products in twice the bits ----
QL_NEON_BINARY_AS(widening_mul_f, i16x8, i8x8, int8x8_t, vmull_s8)
QL_NEON_BINARY_AS(widening_mul_f, u16x8, u8x8, uint8x8_t, vmull_u8)
QL_NEON_BINARY_AS(widening_mul_f, i32x4, i16x4, int16x4_t, vmull_s16)
QL_NEON_BINARY_AS(widening_mul_f, u32x4, u16x4, uint16x4_t, vmull_u16)
QL_NEON_BINARY_AS(widening_mul_f, i64x2, i32x2, int32x2_t, vmull_s32)
QL_NEON_BINARY_AS(widening_mul_f, u64x2, u32x2, uint32x2_t, vmull_u32)

// ---- dot products ----
#define QL_NEON_DOT(OP, ACC, A, B, EXPR)                                \
  template <>                                                           \
  struct OP<ACC, A, B> {                                                \
    static QL_INLINE ACC run(ACC acc, A a, B b) { return (ACC)(EXPR); } \
  };
#if defined(__ARM_FEATURE_DOTPROD)
QL_NEON_DOT(dot4_op, i32x4, i8x16, i8x16, vdotq_s32((int32x4_t)acc, (int8x16_t)a, (int8x16_t)b))
QL_NEON_DOT(dot4_op, i32x4, u8x16, u8x16, vdotq_u32((uint32x4_t)acc, (uint8x16_t)a, (uint8x16_t)b))
QL_NEON_DOT(dot4_op, i32x2, i8x8, i8x8, vdot_s32((int32x2_t)acc, (int8x8_t)a, (int8x8_t)b))
QL_NEON_DOT(dot4_op, i32x2, u8x8, u8x8, vdot_u32((uint32x2_t)acc, (uint8x8_t)a, (uint8x8_t)b))
#if defined(__ARM_FEATURE_MATMUL_INT8)
QL_NEON_DOT(dot4_op, i32x4, u8x16, i8x16, vusdotq_s32((int32x4_t)acc, (uint8x16_t)a, (int8x16_t)b))
QL_NEON_DOT(dot4_op, i32x2, u8x8, i8x8, vusdot_s32((int32x2_t)acc, (uint8x8_t)a, (int8x8_t)b))
#else
// (a - 128) * b + 128 * b: the flip of the sign bit is - 128 as signed, and 128 = 2 * 64.
QL_NEON_DOT(dot4_op, i32x4, u8x16, i8x16,
            (i32x4)vdotq_s32((int32x4_t)acc, (int8x16_t)(a ^ memory<u8x16>::splat(128)), (int8x16_t)b) +
                ((i32x4)vdotq_s32(vdupq_n_s32(0), vdupq_n_s8(64), (int8x16_t)b) << 1))
#endif

// 4 bytes of one operand for all lanes, taken from its register by the instruction.
#define QL_NEON_DOT_LANE(W, A, CALL)                            \
  template <>                                                   \
  struct dot4_lane_op<i32x4, W, A> {                            \
    static QL_INLINE i32x4 run(i32x4 acc, W w, A a, int lane) { \
      switch (lane) {                                           \
        case 0:                                                 \
          return (i32x4)CALL(0);                                \
        case 1:                                                 \
          return (i32x4)CALL(1);                                \
        case 2:                                                 \
          return (i32x4)CALL(2);                                \
        default:                                                \
          return (i32x4)CALL(3);                                \
      }                                                         \
    }                                                           \
  };
#define QL_NEON_SDOT_LANE(L) vdotq_laneq_s32((int32x4_t)acc, (int8x16_t)w, (int8x16_t)a, L)
#define QL_NEON_UDOT_LANE(L) vdotq_laneq_u32((uint32x4_t)acc, (uint8x16_t)w, (uint8x16_t)a, L)
QL_NEON_DOT_LANE(i8x16, i8x16, QL_NEON_SDOT_LANE)
QL_NEON_DOT_LANE(u8x16, u8x16, QL_NEON_UDOT_LANE)
#if defined(__ARM_FEATURE_MATMUL_INT8)
#define QL_NEON_SUDOT_LANE(L) vsudotq_laneq_s32((int32x4_t)acc, (int8x16_t)w, (uint8x16_t)a, L)
#define QL_NEON_USDOT_LANE(L) vusdotq_laneq_s32((int32x4_t)acc, (uint8x16_t)w, (int8x16_t)a, L)
QL_NEON_DOT_LANE(i8x16, u8x16, QL_NEON_SUDOT_LANE)
QL_NEON_DOT_LANE(u8x16, i8x16, QL_NEON_USDOT_LANE)
#undef QL_NEON_SUDOT_LANE
#undef QL_NEON_USDOT_LANE
#endif
#undef QL_NEON_SDOT_LANE
#undef QL_NEON_UDOT_LANE
#undef QL_NEON_DOT_LANE
#else
QL_NEON_DOT(dot4_op, i32x4, i8x16, i8x16,
            vaddq_s32((int32x4_t)acc,
                      vpaddq_s32(vpaddlq_s16(vmull_s8(vget_low_s8((int8x16_t)a), vget_low_s8((int8x16_t)b))),
                                 vpaddlq_s16(vmull_high_s8((int8x16_t)a, (int8x16_t)b)))))
QL_NEON_DOT(dot4_op, i32x4, u8x16, u8x16,
            vaddq_u32((uint32x4_t)acc,
                      vpaddq_u32(vpaddlq_u16(vmull_u8(vget_low_u8((uint8x16_t)a), vget_low_u8((uint8x16_t)b))),
                                 vpaddlq_u16(vmull_high_u8((uint8x16_t)a, (uint8x16_t)b)))))
// As for dot products.
QL_NEON_DOT(dot4_op, i32x4, u8x16, i8x16,
            (dot4_op<i32x4, i8x16, i8x16>::run(acc, (i8x16)(a ^ memory<u8x16>::splat(128)), b)) +
                ((dot4_op<i32x4, i8x16, i8x16>::run(i32x4(), memory<i8x16>::splat(64), b)) << 1))
#endif
// Pairs: the sums of two products of bytes are taken in 32 bits.
QL_NEON_DOT(dot2_op, i32x4, i8x8, i8x8, vpadalq_s16((int32x4_t)acc, vmull_s8((int8x8_t)a, (int8x8_t)b)))
QL_NEON_DOT(dot2_op, i32x4, u8x8, u8x8, vpadalq_u16((uint32x4_t)acc, vmull_u8((uint8x8_t)a, (uint8x8_t)b)))
QL_NEON_DOT(dot2_op, i32x4, i16x8, i16x8,
            vaddq_s32((int32x4_t)acc, vpaddq_s32(vmull_s16(vget_low_s16((int16x8_t)a), vget_low_s16((int16x8_t)b)),
                                                 vmull_high_s16((int16x8_t)a, (int16x8_t)b))))
#undef QL_NEON_DOT

// ---- tables ----
// 256 bytes are four groups of four registers; an index outside of a group leaves what the groups before found.
template <>
template <>
QL_INLINE u8x16 memory<u8x16>::lut(const u8* table, u8x16 index) {
  uint8x16_t i = (uint8x16_t)index, r = vqtbl4q_u8(vld1q_u8_x4(table), i);
  for (int group = 1; group < 4; group++) {
    i = vsubq_u8(i, vdupq_n_u8(64));
    r = vqtbx4q_u8(r, vld1q_u8_x4(table + 64 * group), i);
  }
  return (u8x16)r;
}
template <>
template <>
QL_INLINE i8x16 memory<i8x16>::lut(const i8* table, u8x16 index) {
  return (i8x16)memory<u8x16>::lut(reinterpret_cast<const u8*>(table), index);
}

#undef QL_NEON_BINARY
#undef QL_NEON_BINARY_AS
#undef QL_NEON_UNARY
#undef QL_NEON_UNARY_EXPR

QL_NAMESPACE_END

#endif

#endif
