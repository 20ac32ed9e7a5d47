#pragma once
#include <cstdint>
#include <vector>

#include "frontend/ir/op_registry.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/multiply_add.h"

namespace qlathe {

/// What contraction, depthwise, dot_general and conv have in common when the reference evaluates them: operands in the
/// accumulator's arithmetic, and the sums of one row of results. T is float for float32, uint32_t and uint64_t for
/// int32 and int64, which wrap.

/// Elements of x as T.
template <class T>
std::vector<T> widen(const HostTensor& x);

/// x - zero_point, the zero point broadcast (tiled) to x; absent: x.
template <class T>
std::vector<T> center(const HostTensor& x, const HostTensor* zero_point);

/// Calls f(T{}) with the arithmetic of the accumulator.
template <class F>
void with_accumulator(ValueType accumulator, F&& f) {
  if (accumulator == ValueType::kF32)
    f(float{});
  else if (accumulator == ValueType::kI32)
    f(uint32_t{});
  else
    f(uint64_t{});
}

/// An accumulator as float32, rounded half to even.
inline float to_f32(float acc) { return acc; }
inline float to_f32(uint32_t acc) { return static_cast<float>(static_cast<int32_t>(acc)); }
inline float to_f32(uint64_t acc) { return static_cast<float>(static_cast<int64_t>(acc)); }

/// acc * lhs_scale * rhs_scale with two roundings; a null scale is no multiplication.
inline float scaled(float acc, const float* lhs_scale, const float* rhs_scale, ScaleOrder order) {
  const float* first = order == ScaleOrder::kLhsFirst ? lhs_scale : rhs_scale;
  const float* second = order == ScaleOrder::kLhsFirst ? rhs_scale : lhs_scale;
  if (first != nullptr) acc *= *first;
  if (second != nullptr) acc *= *second;
  return acc;
}

struct RowForm {
  int64_t reduction, columns, stride;  ///< stride: from one row of the matrix to the next
  int64_t blocks = 1;
  SumOrder sum_order = SumOrder::kSequential;
  ScaleOrder scale_order = ScaleOrder::kLhsFirst;
  bool has_scales = false;  ///< float ones
};

/// Integer scales of one row: [blocks] of lhs, or [blocks, columns] of rhs. Either may be null.
template <class T>
struct RowMultipliers {
  const T* lhs = nullptr;
  const T* rhs = nullptr;
};

/// Results of one row: columns n of  sum over r of row[r] * matrix[r][n],  in blocks of the reduction.
template <class T>
class RowProduct {
 public:
  explicit RowProduct(RowForm form) : form_(form) {}
  /// Writes the results to elements at, at + 1, .. of `value`: accumulators, or with has_scales float32 sums.
  /// lhs_scale [blocks], rhs_scale [blocks, columns], either may be null; with a multiplier they have one block.
  void run(const T* row, const T* matrix, const float* lhs_scale, const float* rhs_scale, HostTensor& value, int64_t at,
           RowMultipliers<T> multipliers = {});

 private:
  void block(const T* row, const T* matrix, int64_t index, T* acc);
  void run_multiplied(const T* row, const T* matrix, RowMultipliers<T> multipliers, T* total);
  void run_scaled(const T* row, const T* matrix, const float* lhs_scale, const float* rhs_scale, float* out);
  RowForm form_;
  std::vector<T> acc_, partials_, total_;
};

/// A scale as floats at the given elements of its tensor, empty if it is absent or a multiplier.
std::vector<float> scale_values(const EvalContext& ctx, size_t slot);
/// A multiplier likewise, empty if it is absent or a scale.
template <class T>
std::vector<T> multiplier_values(const EvalContext& ctx, size_t slot);
/// Whether there are float scales.
bool has_float_scales(const EvalContext& ctx);

inline const HostTensor* optional_input(const EvalContext& ctx, size_t slot) {
  return slot < ctx.inputs.size() ? ctx.inputs[slot] : nullptr;
}

/// The tensor of accumulators or scaled sums before the steps.
HostTensor value_before_steps(const EvalContext& ctx, ValueType accumulator);
/// steps(value) into the node's result.
void finish(const EvalContext& ctx, const std::vector<PointwiseStep>& steps, const HostTensor& value);

}  // namespace qlathe
