#include "frontend/ops/product_sums.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "frontend/numerics/convert.h"
#include "frontend/numerics/sum.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/product_checks.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

// The tree is stated for floats; wrapping integers may be added in any order.
template <class T>
T add_interleaved(const T* partials, int64_t columns, int64_t n) {
  std::array<T, kInterleavedPartials> p;
  for (size_t i = 0; i < p.size(); i++)
    p[i] = partials[static_cast<int64_t>(i) * columns + n];
  return add_partials(p);
}

}  // namespace

template <>
std::vector<float> widen<float>(const HostTensor& x) {
  return to_floats(x);
}

template <class T>
std::vector<T> widen(const HostTensor& x) {
  std::vector<T> out(static_cast<size_t>(x.size()));
  std::vector<int64_t> at(1024);
  std::vector<Value> values(at.size());
  for (int64_t begin = 0; begin < x.size(); begin += static_cast<int64_t>(at.size())) {
    const size_t n = std::min(at.size(), out.size() - static_cast<size_t>(begin));
    std::iota(at.begin(), at.end(), begin);
    load_values(x, at.data(), n, values.data());
    for (size_t i = 0; i < n; i++)
      out[static_cast<size_t>(begin) + i] = static_cast<T>(values[i].i);
  }
  return out;
}

template <class T>
std::vector<T> center(const HostTensor& x, const HostTensor* zero_point) {
  std::vector<T> out = widen<T>(x);
  if (zero_point == nullptr) return out;
  const std::vector<T> z = widen<T>(*zero_point);
  const BroadcastIndex index(zero_point->shape(), x.shape());
  std::vector<int64_t> at(1024);
  for (size_t begin = 0; begin < out.size(); begin += at.size()) {
    const size_t n = std::min(at.size(), out.size() - begin);
    index.fill(static_cast<int64_t>(begin), {at.data(), n});
    for (size_t i = 0; i < n; i++)
      out[begin + i] -= z[static_cast<size_t>(at[i])];
  }
  return out;
}

template <class T>
void RowProduct<T>::block(const T* row, const T* matrix, int64_t index, T* acc) {
  const int64_t run = form_.reduction / form_.blocks;
  row += index * run;
  matrix += index * run * form_.stride;
  std::fill(acc, acc + form_.columns, T{});
  if (form_.sum_order == SumOrder::kSequential)
    return multiply_add_rows(row, matrix, run, 1, form_.stride, form_.columns, acc);
  // Partial p of every column takes the elements p, p + 16, ..
  partials_.assign(static_cast<size_t>(kInterleavedPartials * form_.columns), T{});
  for (int64_t p = 0; p < kInterleavedPartials && p < run; p++) {
    multiply_add_rows(row + p, matrix + p * form_.stride, run - p, kInterleavedPartials, form_.stride, form_.columns,
                      partials_.data() + p * form_.columns);
  }
  for (int64_t n = 0; n < form_.columns; n++)
    acc[n] = add_interleaved(partials_.data(), form_.columns, n);
}

template <class T>
void RowProduct<T>::run(const T* row, const T* matrix, const float* lhs_scale, const float* rhs_scale,
                        HostTensor& value, int64_t at, RowMultipliers<T> multipliers) {
  if (multipliers.lhs != nullptr || multipliers.rhs != nullptr) {
    if (!form_.has_scales) return run_multiplied(row, matrix, multipliers, value.as<T>().data() + at);
    total_.resize(static_cast<size_t>(form_.columns));
    run_multiplied(row, matrix, multipliers, total_.data());
    float* out = value.as<float>().data() + at;
    for (int64_t n = 0; n < form_.columns; n++) {
      out[n] = scaled(to_f32(total_[static_cast<size_t>(n)]), lhs_scale, rhs_scale == nullptr ? nullptr : rhs_scale + n,
                      form_.scale_order);
    }
    return;
  }
  if (form_.has_scales)
    run_scaled(row, matrix, lhs_scale, rhs_scale, value.as<float>().data() + at);
  else
    block(row, matrix, 0, value.as<T>().data() + at);
}

template <class T>
void RowProduct<T>::run_multiplied(const T* row, const T* matrix, RowMultipliers<T> multipliers, T* total) {
  acc_.resize(static_cast<size_t>(form_.columns));
  std::fill(total, total + form_.columns, T{});
  for (int64_t b = 0; b < form_.blocks; b++) {
    block(row, matrix, b, acc_.data());
    for (int64_t n = 0; n < form_.columns; n++)
      total[n] += acc_[static_cast<size_t>(n)] *
                  (multipliers.lhs != nullptr ? multipliers.lhs[b] : multipliers.rhs[b * form_.columns + n]);
  }
}

template <class T>
void RowProduct<T>::run_scaled(const T* row, const T* matrix, const float* lhs_scale, const float* rhs_scale,
                               float* out) {
  acc_.resize(static_cast<size_t>(form_.columns));
  for (int64_t b = 0; b < form_.blocks; b++) {
    block(row, matrix, b, acc_.data());
    for (int64_t n = 0; n < form_.columns; n++) {
      const float term = scaled(to_f32(acc_[static_cast<size_t>(n)]), lhs_scale == nullptr ? nullptr : lhs_scale + b,
                                rhs_scale == nullptr ? nullptr : rhs_scale + b * form_.columns + n, form_.scale_order);
      out[n] = b == 0 ? term : out[n] + term;
    }
  }
}

std::vector<float> scale_values(const EvalContext& ctx, size_t slot) {
  const HostTensor* scale = optional_input(ctx, slot);
  return scale == nullptr || is_multiplier(scale->type()) ? std::vector<float>{} : to_floats(*scale);
}

template <class T>
std::vector<T> multiplier_values(const EvalContext& ctx, size_t slot) {
  const HostTensor* multiplier = optional_input(ctx, slot);
  return multiplier == nullptr || !is_multiplier(multiplier->type()) ? std::vector<T>{} : widen<T>(*multiplier);
}

bool has_float_scales(const EvalContext& ctx) {
  return !scale_values(ctx, kLhsScale).empty() || !scale_values(ctx, kRhsScale).empty();
}

HostTensor value_before_steps(const EvalContext& ctx, ValueType accumulator) {
  return HostTensor(has_float_scales(ctx) ? ValueType::kF32 : accumulator, ctx.outputs[0]->shape());
}

void finish(const EvalContext& ctx, const std::vector<PointwiseStep>& steps, const HostTensor& value) {
  run_steps(steps, ctx.inputs, value, *ctx.outputs[0]);
}

template std::vector<uint32_t> widen<uint32_t>(const HostTensor&);
template std::vector<uint64_t> widen<uint64_t>(const HostTensor&);
template std::vector<float> center<float>(const HostTensor&, const HostTensor*);
template std::vector<uint32_t> center<uint32_t>(const HostTensor&, const HostTensor*);
template std::vector<uint64_t> center<uint64_t>(const HostTensor&, const HostTensor*);
template std::vector<float> multiplier_values<float>(const EvalContext&, size_t);
template std::vector<uint32_t> multiplier_values<uint32_t>(const EvalContext&, size_t);
template std::vector<uint64_t> multiplier_values<uint64_t>(const EvalContext&, size_t);
template class RowProduct<float>;
template class RowProduct<uint32_t>;
template class RowProduct<uint64_t>;

}  // namespace qlathe
