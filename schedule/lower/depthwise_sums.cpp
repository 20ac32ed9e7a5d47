// What the two forms of the depthwise kernel on the dot instruction share: rows, start values, the proof.
#include <algorithm>
#include <cmath>

#include "schedule/lower/depthwise_shape.h"

namespace qlathe {

DepthwiseRows depthwise_rows(const DepthwiseKernel& k) {
  const Window& y = k.attrs.windows[0];
  const int64_t out_rows = k.out_shape[1];
  DepthwiseRows rows;
  // Interleaving single rows of a dilated window would waste bytes: its taps are interleaved instead, for one result
  // row.
  if (y.dilation == 1 && y.stride == 1 && out_rows > 1) {
    rows.tile = std::min<int64_t>(out_rows, 4 * ((y.kernel + 3) / 4) - y.kernel + 1);
    if (rows.tile == 1 && out_rows >= 4) rows.tile = 4;  // another group, shared by four rows
    rows.tile = std::min<int64_t>(rows.tile, 4);
  }
  rows.needed = y.kernel + rows.tile - 1;
  rows.groups = (rows.needed + 3) / 4;
  rows.step = rows.tile == 1 ? y.dilation : 1;
  return rows;
}

int64_t depthwise_weight(const DepthwiseKernel& k, int64_t ky, int64_t kx, int64_t channel) {
  const LoweringContext& c = k.context;
  int64_t value = c.in(kRhs).data->int_at((ky * k.attrs.windows[1].kernel + kx) * k.channels + channel);
  if (!c.has(kRhsZeroPoint)) return value;
  const HostTensor& zp = *c.in(kRhsZeroPoint).data;
  return value - zp.int_at(zp.size() == 1 ? 0 : channel);
}

int depthwise_weight_bytes(const DepthwiseKernel& k) {
  int64_t lo = 0, hi = 0;
  for (int64_t ky = 0; ky < k.attrs.windows[0].kernel; ky++) {
    for (int64_t kx = 0; kx < k.attrs.windows[1].kernel; kx++) {
      for (int64_t c = 0; c < k.channels; c++) {
        const int64_t weight = depthwise_weight(k, ky, kx, c);
        lo = std::min(lo, weight);
        hi = std::max(hi, weight);
      }
    }
  }
  return bytes_of_weights(lo, hi);
}

DepthwiseSums depthwise_sums(const DepthwiseKernel& k) {
  const LoweringContext& c = k.context;
  const int64_t C = k.channels;
  const Window wy = k.attrs.windows[0], wx = k.attrs.windows[1];
  DepthwiseSums out;
  // Sign of the bytes of lhs that the dot instruction takes; interleaving flips them at no extra pass.
  const ValueType lhs_type = c.in(kLhs).type.type;
  if (c.target.dot.signs == DotSigns::kU8S8 && is_signed(lhs_type)) out.offset = 128;
  if (c.target.dot.signs == DotSigns::kEqual && info(lhs_type).max > 127) out.offset = -128;
  const int64_t true_zp = c.has(kLhsZeroPoint) ? c.in(kLhsZeroPoint).data->int_at(0) : 0;
  const int64_t x_lo = info(lhs_type).min - true_zp, x_hi = info(lhs_type).max - true_zp;
  out.start.assign(static_cast<size_t>(C), 0);
  out.reachable.resize(static_cast<size_t>(C));
  for (int64_t ch = 0; ch < C; ch++) {
    int64_t sum = 0;
    AccumulatorInterval& reach = out.reachable[static_cast<size_t>(ch)];
    for (int64_t ky = 0; ky < wy.kernel; ky++) {
      for (int64_t kx = 0; kx < wx.kernel; kx++) {
        const int64_t value = depthwise_weight(k, ky, kx, ch);
        sum += value;
        reach.lo += std::min(value * x_lo, value * x_hi);
        reach.hi += std::max(value * x_lo, value * x_hi);
      }
    }
    const auto term = static_cast<uint64_t>(-(true_zp + out.offset) * sum);
    out.start[static_cast<size_t>(ch)] = static_cast<int32_t>(static_cast<uint32_t>(term));
  }
  out.steps = k.attrs.steps;
  const bool scaled = c.has(kLhsScale) || c.has(kRhsScale);
  if (scaled || out.steps.empty() || out.steps[0].op != "add" || out.steps[0].type != ValueType::kI32) return out;
  const Tensor& bias = c.in(static_cast<size_t>(out.steps[0].operands[0]));
  const int64_t size = bias.is_constant() ? bias.data->size() : 0;
  if (!bias.is_constant() || bias.type.type != ValueType::kI32) return out;
  if (size != 1 && (size != C || bias.shape().back() != C)) return out;
  for (int64_t ch = 0; ch < C; ch++) {
    const int64_t b = bias.data->int_at(size == 1 ? 0 : ch);
    int32_t& value = out.start[static_cast<size_t>(ch)];
    value = static_cast<int32_t>(static_cast<uint32_t>(value) + static_cast<uint32_t>(b));
    out.added = std::max(out.added, std::abs(static_cast<double>(b)));
    out.reachable[static_cast<size_t>(ch)].lo += b;
    out.reachable[static_cast<size_t>(ch)].hi += b;
  }
  out.steps.erase(out.steps.begin());
  return out;
}

std::optional<RequantChoice> DepthwiseSums::choose(DepthwiseKernel& k) {
  RequantRequest request{&k.context, 1, k.channels, steps, {}, reachable};
  const bool lhs_first = k.attrs.scale_order == ScaleOrder::kLhsFirst;
  for (size_t slot : {lhs_first ? kLhsScale : kRhsScale, lhs_first ? kRhsScale : kLhsScale}) {
    if (k.context.has(slot)) request.scales.push_back(slot);
  }
  const bool fits = std::all_of(reachable.begin(), reachable.end(), [](const AccumulatorInterval& reach) {
    return reach.lo >= INT32_MIN && reach.hi <= INT32_MAX;
  });
  request.shifted = k.context.target.lanes(32) == 16;
  std::optional<RequantChoice> choice;
  if (fits) choice = choose_requantization(request, k.note);
  if (choice && choice->formula == RequantFormula::kF32Shifted) {
    for (size_t c = 0; c < start.size(); c++)
      start[c] =
          static_cast<int32_t>(static_cast<uint32_t>(start[c]) + static_cast<uint32_t>(choice->channels[c].bias));
  }
  return choice;
}

}  // namespace qlathe
