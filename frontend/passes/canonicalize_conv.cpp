#include <algorithm>

#include "frontend/numerics/convert.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/movement.h"
#include "frontend/passes/canonicalize.h"
#include "frontend/passes/views.h"

namespace qlathe {
namespace {

/// conv over lhs [I, s0.., C] and rhs [k0.., C / G, O] is, after padding,
///
///   depthwise      lhs [I, s0.., C]            rhs [k0.., C, M]               where every group has one channel
///   contraction    lhs [1, I, s0.., G, C / G]  rhs [1, G, O / G, k0.., C / G]  else
class ConvRewrite {
 public:
  ConvRewrite(Graph& to, const Node& node, std::vector<TensorId> inputs)
      : to_(to), node_(node), attrs_(node.as<ConvAttrs>()), inputs_(std::move(inputs)), d_(attrs_.strides.size()) {}

  Result<TensorId> run() {
    QL_RETURN_IF_ERROR(expand_parameters());
    QL_RETURN_IF_ERROR(pad());
    const int64_t channels = to_[inputs_[kLhs]].shape().back();
    const bool depthwise = attrs_.groups > 1 && attrs_.groups == channels;
    QL_ASSIGN(const TensorId sums, depthwise ? as_depthwise() : as_contraction());
    return add_steps(to_, sums, node_, inputs_);
  }

 private:
  bool has(size_t slot) const { return slot < inputs_.size() && inputs_[slot].valid(); }
  const Shape& shape(size_t slot) const { return to_[inputs_[slot]].shape(); }
  ValueType type(size_t slot) const { return to_[inputs_[slot]].type.type; }

  std::vector<Window> windows() const {
    std::vector<Window> out;
    for (size_t s = 0; s < d_; s++)
      out.push_back({shape(kRhs)[s], attrs_.strides[s], attrs_.kernel_dilation[s]});
    return out;
  }

  /// Zero points and scales: one value, or one per image (lhs) or result channel (rhs).
  Status expand_parameters() {
    for (size_t slot : {kLhsZeroPoint, kRhsZeroPoint, kLhsScale, kRhsScale}) {
      if (!has(slot)) continue;
      Shape wanted = shape(slot);
      const bool lhs = slot % 2 == 0;
      int64_t& extent = lhs ? wanted.front() : wanted.back();
      if (extent != 1) extent = lhs ? shape(kLhs).front() : shape(kRhs).back();
      QL_ASSIGN(inputs_[slot], repeat_to(to_, inputs_[slot], wanted, node_.origin));
    }
    return {};
  }

  /// The stored zero of lhs, in lhs' type: the zero point, or the code of 0.
  Result<TensorId> padding_value() {
    if (has(kLhsZeroPoint)) {
      const ValueType stored = type(kLhs), zero_point = type(kLhsZeroPoint);
      const bool fits = to_[inputs_[kLhsZeroPoint]].is_constant() ||
                        (info(zero_point).min >= info(stored).min && info(zero_point).max <= info(stored).max);
      if (!is_integer(stored) || !is_integer(zero_point) || !fits) {
        // A zero point made at run time may be no value of lhs: both are widened.
        const ValueType wide = is_integer(stored) && is_integer(zero_point) ? ValueType::kI32 : ValueType::kF32;
        QL_ASSIGN(inputs_[kLhs], cast_to(to_, inputs_[kLhs], wide, node_.origin));
        QL_ASSIGN(inputs_[kLhsZeroPoint], cast_to(to_, inputs_[kLhsZeroPoint], wide, node_.origin));
      }
      return cast_to(to_, inputs_[kLhsZeroPoint], type(kLhs), node_.origin);
    }
    if (!is_code(type(kLhs)) || encode(type(kLhs), 0.f) == 0) return kNone;
    HostTensor zero(type(kLhs), {});
    zero.set_int(0, encode(type(kLhs), 0.f));
    return to_.add_constant(node_.origin.name + ".zero", std::move(zero));
  }

  Status pad() {
    const auto differs = [](const std::vector<int64_t>& list, int64_t from) {
      return std::any_of(list.begin(), list.end(), [&](int64_t v) { return v != from; });
    };
    const bool dilated = differs(attrs_.input_dilation, 1);
    if (!dilated && !differs(attrs_.pad_lo, 0) && !differs(attrs_.pad_hi, 0)) return {};
    PadAttrs attrs;
    attrs.lo.assign(d_ + 2, 0);
    attrs.hi.assign(d_ + 2, 0);
    if (dilated) attrs.interior.assign(d_ + 2, 0);
    for (size_t s = 0; s < d_; s++) {
      attrs.lo[1 + s] = attrs_.pad_lo[s];
      attrs.hi[1 + s] = attrs_.pad_hi[s];
      if (dilated) attrs.interior[1 + s] = attrs_.input_dilation[s] - 1;
    }
    QL_ASSIGN(const TensorId value, padding_value());
    std::vector<TensorId> operands{inputs_[kLhs]};
    if (value.valid()) operands.push_back(value);
    QL_ASSIGN(inputs_[kLhs],
              to_.add("pad", operands, std::make_shared<PadAttrs>(attrs), derived(node_.origin, ".pad")));
    return {};
  }

  std::vector<TensorId> parameters_from(std::vector<TensorId> operands) const {
    while (!operands.back().valid())
      operands.pop_back();
    return operands;
  }

  Result<TensorId> as_depthwise() {
    DepthwiseAttrs attrs;
    attrs.windows = windows();
    attrs.accumulator = attrs_.accumulator;
    attrs.scale_order = attrs_.scale_order;
    Shape kernels = shape(kRhs);
    kernels[d_ + 1] /= attrs_.groups;
    kernels[d_] = attrs_.groups;
    std::vector<TensorId> operands(
        inputs_.begin(), inputs_.begin() + static_cast<int64_t>(std::min<size_t>(inputs_.size(), kContractionExtra)));
    QL_ASSIGN(operands[kRhs], reshape_to(to_, inputs_[kRhs], kernels, node_.origin));
    return to_.add("depthwise", parameters_from(operands), std::make_shared<DepthwiseAttrs>(attrs), node_.origin);
  }

  Result<TensorId> as_contraction() {
    ContractionAttrs attrs;
    attrs.windows = windows();
    attrs.accumulator = attrs_.accumulator;
    attrs.scale_order = attrs_.scale_order;
    const int64_t G = attrs_.groups, O = shape(kRhs).back(), K = shape(kRhs)[d_];

    Shape lhs{1};
    lhs.insert(lhs.end(), shape(kLhs).begin(), shape(kLhs).end() - 1);
    lhs.insert(lhs.end(), {G, K});
    std::vector<TensorId> operands(kContractionExtra);
    QL_ASSIGN(operands[kLhs], reshape_to(to_, inputs_[kLhs], lhs, node_.origin));

    // [k0.., K, G, N] -> [G, N, k0.., K]
    Shape grouped = shape(kRhs);
    grouped.back() = G;
    grouped.push_back(O / G);
    std::vector<int64_t> permutation{static_cast<int64_t>(d_) + 1, static_cast<int64_t>(d_) + 2};
    Shape rhs{1, G, O / G};
    for (size_t s = 0; s <= d_; s++) {
      permutation.push_back(static_cast<int64_t>(s));
      rhs.push_back(grouped[s]);
    }
    QL_ASSIGN(const TensorId apart, reshape_to(to_, inputs_[kRhs], grouped, node_.origin));
    QL_ASSIGN(const TensorId moved, transpose_to(to_, apart, permutation, node_.origin));
    QL_ASSIGN(operands[kRhs], reshape_to(to_, moved, rhs, node_.origin));

    for (size_t slot : {kLhsZeroPoint, kRhsZeroPoint, kLhsScale, kRhsScale}) {
      if (!has(slot)) continue;
      Shape canonical(d_ + 5, 1);  // [blocks, B, I, o0.., G, N]
      if (slot % 2 == 0) {
        canonical[2] = shape(slot).front();
      } else if (shape(slot).back() != 1) {
        canonical[d_ + 3] = G;
        canonical[d_ + 4] = O / G;
      }
      QL_ASSIGN(operands[slot], reshape_to(to_, inputs_[slot], canonical, node_.origin));
    }
    QL_ASSIGN(const TensorId sums, to_.add("contraction", parameters_from(operands),
                                           std::make_shared<ContractionAttrs>(attrs), node_.origin));
    Shape out(to_[sums].shape().begin() + 1, to_[sums].shape().end() - 2);  // [I, o0..]
    out.push_back(O);
    return reshape_to(to_, sums, out, node_.origin);
  }

  Graph& to_;
  const Node& node_;
  const ConvAttrs& attrs_;
  std::vector<TensorId> inputs_;
  const size_t d_;
};

const CanonicalizeRegistry::Add kConv("conv", [](Graph& to, const Node& node, const std::vector<TensorId>& inputs) {
  return ConvRewrite(to, node, inputs).run();
});

}  // namespace
}  // namespace qlathe
