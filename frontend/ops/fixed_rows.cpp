#include "frontend/ops/fixed_rows.h"

#include <algorithm>

#include "frontend/numerics/fixed/row_functions.h"
#include "frontend/ops/checks.h"

namespace qlathe {
namespace {

using A = fixed::ScalarAlgebra;

bool is_byte(ValueType t) { return t == ValueType::kI8 || t == ValueType::kU8; }

Status check_rows(const InferContext& ctx, bool wide) {
  const TensorType& x = ctx.in(0);
  if (x.shape.empty() || x.shape.back() == 0) {
    return ctx.error("x", "has shape " + to_string(x.shape) + ", needs a last axis with elements");
  }
  if (is_byte(x.type) || (wide && x.type == ValueType::kI16)) return {};
  return ctx.error("x",
                   "is " + std::string(name(x.type)) + ", expected int8" + (wide ? ", uint8 or int16" : " or uint8"));
}

Status check_table(const InferContext& ctx, size_t input, const char* what, ValueType type, int64_t size) {
  const TensorType& t = ctx.in(input);
  if (t.type == type && t.shape == Shape{size}) return {};
  return ctx.error(what, std::string("is ") + name(t.type) + " " + to_string(t.shape) + ", expected " + name(type) +
                             " " + std::to_string(size));
}

Status check_range(const InferContext& ctx, const char* field, int64_t value, int64_t lo, int64_t hi) {
  if (value >= lo && value <= hi) return {};
  return ctx.error(field, std::to_string(value) + " is outside " + std::to_string(lo) + " to " + std::to_string(hi));
}

Result<std::vector<TensorType>> infer_softmax(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<SoftmaxFixedAttrs>();
  QL_RETURN_IF_ERROR(check_rows(ctx, true));
  const bool wide = ctx.in(0).type == ValueType::kI16;
  QL_RETURN_IF_ERROR(check_table(ctx, 1, "exps", wide ? ValueType::kI16 : ValueType::kI32, wide ? 513 : 256));
  if (wide != ctx.has(2)) return ctx.error("reciprocals", wide ? "is missing for int16" : "is there for 8 bits");
  if (wide) QL_RETURN_IF_ERROR(check_table(ctx, 2, "reciprocals", ValueType::kI16, 513));
  QL_RETURN_IF_ERROR(check_range(ctx, "multiplier", attrs.multiplier, 0, INT32_MAX));
  QL_RETURN_IF_ERROR(check_range(ctx, "shift", attrs.shift, -31, 30));
  if (attrs.type != ValueType::kI16 && (wide || !is_byte(attrs.type))) {
    return ctx.error("type",
                     std::string("is ") + name(attrs.type) + ", expected int16" + (wide ? "" : ", int8 or uint8"));
  }
  return std::vector<TensorType>{{attrs.type, ctx.in(0).shape}};
}

Result<std::vector<TensorType>> infer_log_softmax(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<LogSoftmaxFixedAttrs>();
  QL_RETURN_IF_ERROR(check_rows(ctx, false));
  QL_RETURN_IF_ERROR(check_table(ctx, 1, "exps", ValueType::kI32, 256));
  QL_RETURN_IF_ERROR(check_table(ctx, 2, "diffs", ValueType::kI32, 256));
  QL_RETURN_IF_ERROR(check_range(ctx, "diff_min", attrs.diff_min, -(1 << 30), 0));
  QL_RETURN_IF_ERROR(check_range(ctx, "multiplier", attrs.multiplier, 0, INT32_MAX));
  QL_RETURN_IF_ERROR(check_range(ctx, "shift", attrs.shift, -31, 30));
  return std::vector<TensorType>{ctx.in(0)};
}

Result<std::vector<TensorType>> infer_l2(const InferContext& ctx) {
  QL_RETURN_IF_ERROR(check_rows(ctx, false));
  const ValueTypeInfo& type = info(ctx.in(0).type);
  QL_RETURN_IF_ERROR(
      check_range(ctx, "zero_point", ctx.node.as<L2NormalizeFixedAttrs>().zero_point, type.min, type.max));
  return std::vector<TensorType>{ctx.in(0)};
}

/// Calls row(begin) for every row of n elements.
template <class Row>
void each_row(const HostTensor& x, Row&& row) {
  for (int64_t begin = 0, n = x.shape().back(); begin < x.size(); begin += n)
    row(begin, n);
}

int64_t largest(const HostTensor& x, int64_t begin, int64_t n) {
  int64_t m = x.int_at(begin);
  for (int64_t i = 1; i < n; i++)
    m = std::max(m, x.int_at(begin + i));
  return m;
}

/// A sum that wraps.
template <class Term>
int32_t sum(int64_t begin, int64_t n, Term&& term) {
  uint32_t total = 0;
  for (int64_t i = begin; i < begin + n; i++)
    total += static_cast<uint32_t>(term(i));
  return static_cast<int32_t>(total);
}

int64_t saturated(int64_t value, ValueType type) { return std::clamp<int64_t>(value, info(type).min, info(type).max); }

int32_t interpolated(const HostTensor& table, int32_t x) {
  const int64_t i = (x >> 7) + 256, base = table.int_at(i);
  const auto slope = static_cast<int16_t>(table.int_at(i + 1) - base);
  return static_cast<int16_t>(base + ((slope * (x & 127) + 64) >> 7));
}

/// exps[x - m + 255] of every element of a row.
struct RowExps {
  const HostTensor &x, &exps;
  int64_t begin, n, m = largest(x, begin, n);

  int64_t diff(int64_t i) const { return x.int_at(i) - m; }
  auto exp(int64_t i) const { return static_cast<int32_t>(exps.int_at(diff(i) + 255)); }
  int32_t total(int32_t least) const {
    return std::max(least, sum(begin, n, [&](int64_t i) { return fixed::scaled_down<A>(exp(i), 12); }));
  }
};

void softmax_8(const HostTensor& x, const HostTensor& exps, HostTensor& y) {
  const ValueTypeInfo& type = info(y.type());
  each_row(x, [&](int64_t begin, int64_t n) {
    const RowExps row{x, exps, begin, n};
    const fixed::Reciprocal<A> r = fixed::reciprocal<A>(row.total(1), 12);
    const int exponent = std::min(r.bits_over_unit + 31 - type.bits, 31);
    for (int64_t i = begin; i < begin + n; i++) {
      const int32_t product = fixed::product<A, 32>(r.scale, row.exp(i));
      y.set_int(i, saturated(A::rounding_shift_right(product, exponent) + type.min, y.type()));
    }
  });
}

void softmax_16(const SoftmaxFixedAttrs& attrs, const HostTensor& x, const HostTensor& exps,
                const HostTensor& reciprocals, HostTensor& y) {
  const auto multiplier = static_cast<int32_t>(attrs.multiplier), shift = static_cast<int32_t>(attrs.shift);
  each_row(x, [&](int64_t begin, int64_t n) {
    const int64_t m = largest(x, begin, n);
    const auto exp = [&](int64_t i) {
      const int32_t d = fixed::multiplied<A>(static_cast<int32_t>(x.int_at(i) - m), multiplier, shift);
      return interpolated(exps, std::clamp(d, -65535, 0) + 32767);
    };
    const int32_t s = std::max(1, sum(begin, n, exp));
    const int h = A::leading_zeros(s);
    const int32_t t = ((A::shift_left(s, h - 1) >> 13) + 1) >> 1;
    const int32_t r = interpolated(reciprocals, std::clamp(t - (1 << 15) - (1 << 16), INT16_MIN, INT16_MAX));
    const int right = std::max(31 - h, 1);
    for (int64_t i = begin; i < begin + n; i++)
      y.set_int(i, std::clamp((exp(i) * r + (1 << (right - 1))) >> right, 0, 32767));
  });
}

void evaluate_softmax(const EvalContext& ctx) {
  const HostTensor& x = *ctx.inputs[0];
  if (x.type() != ValueType::kI16) return softmax_8(x, *ctx.inputs[1], *ctx.outputs[0]);
  softmax_16(ctx.node.as<SoftmaxFixedAttrs>(), x, *ctx.inputs[1], *ctx.inputs[2], *ctx.outputs[0]);
}

void evaluate_log_softmax(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<LogSoftmaxFixedAttrs>();
  const HostTensor &x = *ctx.inputs[0], &diffs = *ctx.inputs[2];
  HostTensor& y = *ctx.outputs[0];
  const ValueTypeInfo& type = info(y.type());
  each_row(x, [&](int64_t begin, int64_t n) {
    const RowExps row{x, *ctx.inputs[1], begin, n};
    const int32_t log = fixed::log_of_at_least_one<A, 5, 12>(row.total(1 << 19));
    const int32_t back = fixed::multiplied<A>(log + INT32_MIN, static_cast<int32_t>(attrs.multiplier),
                                              static_cast<int32_t>(attrs.shift));
    const int64_t first = std::max<int64_t>(attrs.diff_min - 1, back);
    for (int64_t i = begin; i < begin + n; i++) {
      const int64_t d = row.diff(i);
      const auto difference =
          static_cast<int32_t>(static_cast<uint32_t>(diffs.int_at(d + 255)) - static_cast<uint32_t>(log));
      y.set_int(i, d > first ? saturated(rounding_divide_by_power(difference, 22) + type.max, y.type()) : type.min);
    }
  });
}

void evaluate_l2(const EvalContext& ctx) {
  const auto zero_point = static_cast<int32_t>(ctx.node.as<L2NormalizeFixedAttrs>().zero_point);
  const HostTensor& x = *ctx.inputs[0];
  HostTensor& y = *ctx.outputs[0];
  const bool is_signed = x.type() == ValueType::kI8;
  each_row(x, [&](int64_t begin, int64_t n) {
    const auto centered = [&](int64_t i) { return static_cast<int32_t>(x.int_at(i)) - zero_point; };
    const int32_t s = std::max(0, sum(begin, n, [&](int64_t i) { return centered(i) * centered(i); }));
    const fixed::InverseRoot<A> root = fixed::inverse_root<A>(s);
    for (int64_t i = begin; i < begin + n; i++) {
      const int64_t value = is_signed
                                ? fixed::multiplied<A>(centered(i), root.mantissa, root.shift + 7)
                                : fixed::multiplied<A>(centered(i) * 128, root.mantissa, root.shift) + int64_t{128};
      y.set_int(i, saturated(value, y.type()));
    }
  });
}

const OpRegistry::Add kSoftmax({.name = "softmax_fixed",
                                .summary = "softmax over the last axis in integers",
                                .operands = {"x", "exps", "reciprocals"},
                                .required = 2,
                                .make_attrs = [] { return std::make_shared<SoftmaxFixedAttrs>(); },
                                .infer = infer_softmax,
                                .evaluate = evaluate_softmax});
const OpRegistry::Add kLogSoftmax({.name = "log_softmax_fixed",
                                   .summary = "the logarithm of softmax over the last axis in integers",
                                   .operands = {"x", "exps", "diffs"},
                                   .required = 3,
                                   .make_attrs = [] { return std::make_shared<LogSoftmaxFixedAttrs>(); },
                                   .infer = infer_log_softmax,
                                   .evaluate = evaluate_log_softmax});
const OpRegistry::Add kL2({.name = "l2_normalize_fixed",
                           .summary = "the last axis divided by its Euclidean length in integers",
                           .operands = {"x"},
                           .required = 1,
                           .make_attrs = [] { return std::make_shared<L2NormalizeFixedAttrs>(); },
                           .infer = infer_l2,
                           .evaluate = evaluate_l2});

}  // namespace
}  // namespace qlathe
