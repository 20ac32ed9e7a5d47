#pragma once
#include "frontend/ir/attrs.h"

namespace qlathe {

// Operators of integer networks along the last axis, with the integers of TFLite's reference kernels. Fixed-point
// functions are those of numerics/fixed/row_functions.h; the tables that give LiteRT's numbers are made by
// numerics/fixed/litert_tables.h. A raw integer with m integer bits is in units of 2^(m - 31). Sums wrap in int32.

/// softmax_fixed(x, exps, reciprocals?), m = max(x):
///
/// x int8 or uint8, exps int32[256]: e = exps[x - m + 255] (no integer bits), s = sum(e / 2^12, half away from zero),
/// at least 1; (q, b) = reciprocal(s, 12); y = product(q, e) / 2^min(b + 31 - bits, 31) half away from zero, plus the
/// lowest number of `type` (int8, uint8, int16, of `bits` bits), saturated.
///
/// x int16, exps and reciprocals int16[513], type int16: d = multiplied(x - m, multiplier, shift) cut to [-65535, 0]; e
/// = step interpolated_lookup of d + 32767 in exps; s = sum(e), at least 1; h = leading zeros of s; t = s * 2^(h - 1) /
/// 2^14 half up; r = interpolated_lookup of t - 2^15 - 2^16, saturated, in reciprocals; y = e * r / 2^max(31 - h, 1)
/// half up, cut to [0, 32767].
struct SoftmaxFixedAttrs : Attrs<SoftmaxFixedAttrs> {
  ValueType type = ValueType::kI8;
  int64_t multiplier = 0;  ///< 0 to 2^31 - 1, of int16 x
  int64_t shift = 0;       ///< -31 to 30
  void visit(FieldVisitor& v) override {
    v.field("type", type);
    v.field("multiplier", multiplier, int64_t{0});
    v.field("shift", shift, int64_t{0});
  }
};

/// log_softmax_fixed(x, exps, diffs), x int8 or uint8, exps and diffs int32[256]; the result has x's type. m = max(x),
/// d = x - m, s as in softmax_fixed, at least 2^19; l = log_of_at_least_one(s) from 12 to 5 integer bits; f =
/// max(diff_min - 1, multiplied(l - 2^31, multiplier, shift)); y = d > f ? (diffs[d + 255] - l) / 2^22 half away from
/// zero, plus the type's largest number, saturated : the type's lowest.
struct LogSoftmaxFixedAttrs : Attrs<LogSoftmaxFixedAttrs> {
  int64_t diff_min = -255;  ///< -2^30 to 0
  int64_t multiplier = 0;   ///< 0 to 2^31 - 1
  int64_t shift = 0;        ///< -31 to 30
  void visit(FieldVisitor& v) override {
    v.field("diff_min", diff_min);
    v.field("multiplier", multiplier);
    v.field("shift", shift);
  }
};

/// l2_normalize_fixed(x), x int8 or uint8; the result has x's type, a scale of 1/128 and the zero point 0 (uint8: 128).
/// s = sum((x - zero_point)^2), at least 0; (m, h) = inverse_root(s); y = multiplied(x - zero_point, m, h + 7)
/// saturated for int8, multiplied((x - zero_point) * 128, m, h) + 128 saturated for uint8.
struct L2NormalizeFixedAttrs : Attrs<L2NormalizeFixedAttrs> {
  int64_t zero_point = 0;
  void visit(FieldVisitor& v) override { v.field("zero_point", zero_point, int64_t{0}); }
};

}  // namespace qlathe
