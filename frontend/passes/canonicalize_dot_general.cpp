#include <algorithm>

#include "frontend/ops/contraction.h"
#include "frontend/ops/dot_general_axes.h"
#include "frontend/passes/canonicalize.h"
#include "frontend/passes/views.h"

namespace qlathe {
namespace {

/// dot_general over lhs [batch.., M.., R..] and rhs [batch.., N.., R..] is the contraction
///
///   lhs [B, 1, M, 1, R]   rhs [B, 1, N, 1, R]   out [B, 1, M, 1, N]
///
/// with B, M, N, R the products of the axes. Where scales tile several contracted axes, R is (tiles.., within a
/// tile..), so that a block is a run.
class DotGeneralRewrite {
 public:
  DotGeneralRewrite(Graph& to, const Node& node, std::vector<TensorId> inputs)
      : to_(to),
        node_(node),
        attrs_(node.as<DotGeneralAttrs>()),
        inputs_(std::move(inputs)),
        axes_(attrs_, shape(kLhs).size(), shape(kRhs).size()) {
    std::vector<const Shape*> parameters;
    for (TensorId id : inputs_)
      parameters.push_back(id.valid() ? &to_[id].shape() : nullptr);
    axes_.count_tiles(attrs_, parameters);
  }

  Result<TensorId> run() {
    const Shape unpermuted = dot_general_shape(attrs_, axes_, shape(kLhs), shape(kRhs));
    std::vector<int64_t> permutation = attrs_.output_permutation;
    if (permutation.empty()) {
      for (size_t i = 0; i < unpermuted.size(); i++)
        permutation.push_back(static_cast<int64_t>(i));
    }
    // With the operands exchanged the result has rhs' free axes first; nothing else changes (fma(a, b, c) is
    // fma(b, a, c)). Worth it where it saves the transpose, or makes the constant operand the right one.
    const Exchanged exchanged = exchange(unpermuted, permutation);
    const bool plain_is_view = permutation_is_view(unpermuted, permutation);
    const bool exchanged_is_view = permutation_is_view(exchanged.shape, exchanged.permutation);
    const bool lhs_is_weight = constant(kLhs) && !constant(kRhs);
    const bool swap = exchanged_is_view && (!plain_is_view || lhs_is_weight);

    QL_ASSIGN(const TensorId sums, contraction(swap));
    QL_ASSIGN(const TensorId split, reshape_to(to_, sums, swap ? exchanged.shape : unpermuted, node_.origin));
    QL_ASSIGN(const TensorId moved, transpose_to(to_, split, swap ? exchanged.permutation : permutation, node_.origin));
    return add_steps(to_, moved, node_, inputs_);
  }

 private:
  struct Exchanged {
    Shape shape;
    std::vector<int64_t> permutation;
  };

  const Shape& shape(size_t slot) const { return to_[inputs_[slot]].shape(); }
  bool constant(size_t slot) const { return to_[inputs_[slot]].is_constant(); }
  bool has(size_t slot) const { return slot < inputs_.size() && inputs_[slot].valid(); }

  /// (batch, lhs free, rhs free) with its permutation, written over (batch, rhs free, lhs free).
  Exchanged exchange(const Shape& unpermuted, const std::vector<int64_t>& permutation) const {
    const size_t b = attrs_.lhs_batch.size(), m = axes_.lhs_free.size(), n = axes_.rhs_free.size();
    std::vector<int64_t> old_axis;  // by new position
    for (size_t i = 0; i < b; i++)
      old_axis.push_back(static_cast<int64_t>(i));
    for (size_t i = 0; i < n; i++)
      old_axis.push_back(static_cast<int64_t>(b + m + i));
    for (size_t i = 0; i < m; i++)
      old_axis.push_back(static_cast<int64_t>(b + i));
    Exchanged out;
    for (int64_t axis : old_axis)
      out.shape.push_back(unpermuted[static_cast<size_t>(axis)]);
    for (int64_t axis : permutation)
      out.permutation.push_back(std::find(old_axis.begin(), old_axis.end(), axis) - old_axis.begin());
    return out;
  }

  Result<TensorId> contraction(bool swap) {
    ContractionAttrs attrs;
    attrs.windows = {Window{}};
    attrs.accumulator = attrs_.accumulator;
    attrs.blocks = axes_.blocks;
    attrs.sum_order = attrs_.sum_order;
    attrs.scale_order =
        swap ? (attrs_.scale_order == ScaleOrder::kLhsFirst ? ScaleOrder::kRhsFirst : ScaleOrder::kLhsFirst)
             : attrs_.scale_order;
    std::vector<TensorId> operands(kContractionExtra);
    for (size_t slot = kLhs; slot < kContractionExtra; slot++) {
      if (!has(slot)) continue;
      // Slots come in pairs of lhs and rhs.
      const size_t to_slot = swap ? slot ^ 1 : slot;
      const bool as_lhs = to_slot % 2 == 0;
      QL_ASSIGN(operands[to_slot], slot <= kRhs ? operand(slot) : parameter(slot, as_lhs));
    }
    while (!operands.back().valid())
      operands.pop_back();
    return to_.add("contraction", operands, std::make_shared<ContractionAttrs>(attrs), node_.origin);
  }

  /// [B, 1, free, 1, R]
  Result<TensorId> operand(size_t slot) {
    const bool lhs = slot == kLhs;
    const std::vector<int64_t>& batch = lhs ? attrs_.lhs_batch : attrs_.rhs_batch;
    const std::vector<int64_t>& free = lhs ? axes_.lhs_free : axes_.rhs_free;
    const std::vector<int64_t>& contracting = lhs ? attrs_.lhs_contracting : attrs_.rhs_contracting;
    const Shape from = shape(slot);
    // Every axis is split in (tiles, within a tile); all but tiled contracted ones have one tile.
    Shape split;
    for (size_t d = 0; d < from.size(); d++) {
      const auto c = std::find(contracting.begin(), contracting.end(), static_cast<int64_t>(d)) - contracting.begin();
      const int64_t tiles = c < static_cast<int64_t>(contracting.size()) ? axes_.tiles[static_cast<size_t>(c)] : 1;
      split.insert(split.end(), {tiles, from[d] / tiles});
    }
    std::vector<int64_t> permutation;
    const auto push = [&](const std::vector<int64_t>& list, bool tile_axis, bool inner_axis) {
      for (int64_t axis : list) {
        if (tile_axis) permutation.push_back(2 * axis);
        if (inner_axis) permutation.push_back(2 * axis + 1);
      }
    };
    push(batch, true, true);
    push(free, true, true);
    push(contracting, true, false);
    push(contracting, false, true);
    const Shape canonical{product(from, batch), 1, product(from, free), 1, product(from, contracting)};
    // The reshape to `split` is only needed to transpose.
    if (permutation_is_view(split, permutation)) return reshape_to(to_, inputs_[slot], canonical, node_.origin);
    QL_ASSIGN(const TensorId apart, reshape_to(to_, inputs_[slot], split, node_.origin));
    QL_ASSIGN(const TensorId moved, transpose_to(to_, apart, permutation, node_.origin));
    return reshape_to(to_, moved, canonical, node_.origin);
  }

  /// A zero point or scale as [blocks, B, 1, M, 1, 1] (of lhs) or [blocks, B, 1, 1, 1, N] (of rhs), or 1 in place of an
  /// extent along which it does not vary.
  Result<TensorId> parameter(size_t slot, bool as_lhs) {
    const bool lhs = slot % 2 == 0;
    const std::vector<int64_t>& batch = lhs ? attrs_.lhs_batch : attrs_.rhs_batch;
    const std::vector<int64_t>& free = lhs ? axes_.lhs_free : axes_.rhs_free;
    const std::vector<int64_t>& contracting = lhs ? attrs_.lhs_contracting : attrs_.rhs_contracting;
    const Shape& own = to_[inputs_[slot]].shape();
    const Shape& full = shape(lhs ? kLhs : kRhs);
    // Axes that become one must be all 1 or all full.
    Shape wanted = own;
    const auto fill = [&](const std::vector<int64_t>& list, bool contracted) {
      const bool varies =
          std::any_of(list.begin(), list.end(), [&](int64_t axis) { return own[static_cast<size_t>(axis)] != 1; });
      for (size_t i = 0; varies && i < list.size(); i++) {
        const auto axis = static_cast<size_t>(list[i]);
        wanted[axis] = contracted ? axes_.tiles[i] : full[axis];
      }
    };
    fill(batch, false);
    fill(free, false);
    fill(contracting, true);
    std::vector<int64_t> permutation = contracting;
    permutation.insert(permutation.end(), batch.begin(), batch.end());
    permutation.insert(permutation.end(), free.begin(), free.end());
    const int64_t varying = product(wanted, free);
    const Shape canonical{product(wanted, contracting), product(wanted, batch), 1, as_lhs ? varying : 1, 1,
                          as_lhs ? 1 : varying};
    QL_ASSIGN(const TensorId repeated, repeat_to(to_, inputs_[slot], wanted, node_.origin));
    if (permutation_is_view(wanted, permutation)) return reshape_to(to_, repeated, canonical, node_.origin);
    QL_ASSIGN(const TensorId moved, transpose_to(to_, repeated, permutation, node_.origin));
    return reshape_to(to_, moved, canonical, node_.origin);
  }

  static int64_t product(const Shape& shape, const std::vector<int64_t>& axes) {
    int64_t out = 1;
    for (int64_t axis : axes)
      out *= shape[static_cast<size_t>(axis)];
    return out;
  }

  Graph& to_;
  const Node& node_;
  const DotGeneralAttrs& attrs_;
  const std::vector<TensorId> inputs_;
  DotGeneralAxes axes_;
};

const CanonicalizeRegistry::Add kDotGeneral("dot_general",
                                            [](Graph& to, const Node& node, const std::vector<TensorId>& inputs) {
                                              return DotGeneralRewrite(to, node, inputs).run();
                                            });

}  // namespace
}  // namespace qlathe
