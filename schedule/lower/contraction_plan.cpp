#include "schedule/lower/contraction_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "frontend/ops/product_checks.h"
#include "schedule/device.h"
#include "schedule/lower/product_epilogue.h"

namespace qlathe {
namespace {

bool byte_integer(ValueType t) { return is_integer(t) && storage_bytes(t) == 1; }

/// Whether the dot instruction takes 4 bytes for all lanes from a register of 16.
bool multiplies_by_lane(const Target& target) { return target.dot.name == "sdot" || target.dot.name == "usdot"; }

/// Shapes of all operands that are read by result coordinates.
std::vector<Shape> operand_shapes(const LoweringContext& c, const ContractionAttrs& attrs) {
  std::vector<Shape> shapes;
  for (size_t slot : {kLhsZeroPoint, kRhsZeroPoint, kLhsScale, kRhsScale}) {
    if (!c.has(slot)) continue;
    const Shape& full = c.in(slot).shape();
    shapes.emplace_back(full.begin() + 1, full.end());
  }
  for (const PointwiseStep& step : attrs.steps) {
    for (size_t i = 0; i < step.operands.size(); i++) {
      if (reads_table(step) && i == 0) continue;
      shapes.push_back(c.in(static_cast<size_t>(step.operands[i])).shape());
    }
  }
  return shapes;
}

/// The one number a constant integer operand holds everywhere.
std::optional<int64_t> uniform_value(const Tensor& t) {
  if (!t.is_constant() || t.data->size() == 0) return std::nullopt;
  for (int64_t i = 1; i < t.data->size(); i++) {
    if (t.data->int_at(i) != t.data->int_at(0)) return std::nullopt;
  }
  return t.data->int_at(0);
}

/// A rhs zero point or a per-channel constant, spread to [slice][n][blocks]. `shape` has a leading blocks axis.
std::vector<int64_t> spread_to_channels(const HostTensor& values, const ContractionShape& s, int64_t blocks) {
  const Shape& from = values.shape();
  const std::vector<int64_t> strides = row_major_strides(from);
  const size_t rank = from.size();
  std::vector<int64_t> out;
  for (int64_t b = 0; b < s.batches; b++) {
    for (int64_t g = 0; g < s.groups_n; g++) {
      for (int64_t n = 0; n < s.n; n++) {
        for (int64_t block = 0; block < blocks; block++) {
          const int64_t at = (from[0] > 1 ? block * strides[0] : 0) + (from[1] > 1 ? b * strides[1] : 0) +
                             (from[rank - 2] > 1 ? g * strides[rank - 2] : 0) + (from[rank - 1] > 1 ? n : 0);
          out.push_back(values.int_at(at));
        }
      }
    }
  }
  return out;
}

/// The bias that may start the accumulators: a first step `add` of a constant int32 that varies along channels only.
const HostTensor* leading_bias(const LoweringContext& c, const ContractionPlan& plan, const ContractionAttrs& attrs) {
  if (plan.float_sum || plan.scaled || plan.multiplied || plan.accumulator != ValueType::kI32 || attrs.steps.empty())
    return nullptr;
  const PointwiseStep& step = attrs.steps[0];
  if (step.op != "add" || step.type != ValueType::kI32) return nullptr;
  const Tensor& bias = c.in(static_cast<size_t>(step.operands[0]));
  if (!bias.is_constant() || bias.type.type != ValueType::kI32) return nullptr;
  const std::vector<int64_t> extents = plan.shape.grouped(bias.shape());
  for (size_t i = 0; i + 2 < extents.size(); i++) {
    if (extents[i] != 1) return nullptr;
  }
  const int64_t g = extents[extents.size() - 2], n = extents.back();
  if ((g != 1 && g != plan.shape.groups_n) || (n != 1 && n != plan.shape.n)) return nullptr;
  return bias.data.get();
}

void choose_operand_storage(ContractionPlan& plan) {
  const LoweringContext& c = *plan.context;
  const Target& target = c.target;
  plan.dot = plan.accumulator == ValueType::kI32 && byte_integer(plan.lhs_type) && byte_integer(plan.rhs_type) &&
             target.dot.k > 1 && !plan.reduction.decode;
  // Kernels without vectors know four bytes as what a dot product takes, and as nothing else.
  const bool words_only = target.dot.name == "smlad";
  if (words_only && info(plan.rhs_type).packed_bits < 8) plan.dot = false;
  // An instruction that multiplies pairs of 16-bit words takes bytes of any sign once they are widened: weights on
  // their way into registers, lhs once for all channels. Splitting bytes at every multiplication costs as much as it.
  plan.widen = plan.dot && target.dot.signs == DotSigns::kAny && target.dot.k == 2;
  // Runs of two or three elements (a window over one channel) hang over; see ReductionPlan::overhang.
  const ReductionPlan& r = plan.reduction;
  const bool hangs = r.run >= 2 && plan.constant_rhs && r.blocks == 1 && !r.window.empty() && r.window[0].extent >= 2 &&
                     r.window[0].lhs_stride >= 4 && info(plan.rhs_type).packed_bits >= 8;
  plan.dot = plan.dot && (r.run >= (plan.widen ? 2 : 4) || (hangs && !plan.widen));
  plan.widen = plan.widen && plan.dot;
  // Pairs of bytes too where the sums of two products are what the instructions make (smull, sadalp): four cost half as
  // much again.
  plan.reduction.kr = !plan.dot ? 1 : plan.widen || target.dot.name == "smull" ? 2 : 4;
  WeightStorage& storage = plan.storage;
  storage.type = plan.rhs_type;
  storage.bits = 8 * storage_bytes(plan.rhs_type);
  if (plan.dot && !plan.widen && !words_only) {
    storage.type = ValueType::kI8;
    if (info(plan.rhs_type).max > 127) plan.rhs_offset = storage.offset = -128;
    const bool lhs_signed = is_signed(plan.lhs_type);
    if (target.dot.signs == DotSigns::kU8S8 && lhs_signed) {
      plan.flip_lhs = true;
      plan.lhs_offset = 128;
    } else if (target.dot.signs == DotSigns::kEqual && info(plan.lhs_type).max > 127) {
      plan.flip_lhs = true;
      plan.lhs_offset = -128;
    }
  }
  const ValueTypeInfo& rhs = info(plan.rhs_type);
  const bool exact_needed = plan.float_sum;  // a zero weight times an infinite activation is not nothing
  if (plan.constant_rhs && rhs.packed_bits < 8 && rhs.storage_bytes == 1) {
    plan.reduction.parts = 8 / rhs.packed_bits;
    plan.words = plan.float_sum && !plan.interleaved && is_integer(plan.rhs_type) && target.vectorize &&
                 plan.shape.rows_total() == 1 && plan.reduction.run % (32 / rhs.packed_bits) == 0;
    if (plan.words) {
      plan.reduction.parts = 32 / rhs.packed_bits;
      storage.type = ValueType::kU32;
      storage.bits = rhs.packed_bits;
      storage.offset = -rhs.min;
      plan.rhs_offset = 0;
    } else if (plan.interleaved || (exact_needed && !plan.reduction.exact())) {
      plan.reduction.parts = 1;
    } else {
      storage.type = ValueType::kU8;
      storage.bits = rhs.packed_bits;
      storage.offset = is_integer(plan.rhs_type) ? -rhs.min : 0;
      plan.rhs_offset = 0;
    }
  }
}

/// Bytes that the constant weights less their zero points take; see bytes_of_weights.
int weight_bytes(const HostTensor& rhs, const ContractionPlan& plan, const std::vector<int64_t>& zero_points) {
  const int64_t blocks = plan.reduction.blocks, reduction = plan.shape.reduction, run = reduction / blocks;
  int64_t lo = 0, hi = 0;
  for (int64_t i = 0; i < rhs.size(); i++) {
    const int64_t zp = zero_points[static_cast<size_t>(i / reduction * blocks + i % reduction / run)];
    lo = std::min(lo, rhs.int_at(i) - zp);
    hi = std::max(hi, rhs.int_at(i) - zp);
  }
  return bytes_of_weights(lo, hi);
}

/// Runs that multiplying twice costs less than summing rows for: a vector of them has few elements.
bool short_run(const ReductionPlan& r) { return r.run < 4 * r.kr && r.steps() * r.positions() <= 12; }

Status choose_zero_points(ContractionPlan& plan, std::optional<std::vector<int64_t>>& rhs_zero_points) {
  const LoweringContext& c = *plan.context;
  if (c.has(kLhsZeroPoint)) {
    if (const auto zp = uniform_value(c.in(kLhsZeroPoint)))
      plan.lhs_zp = *zp;
    else
      plan.has_lhs_zp = true;
  }
  plan.has_rhs_zp = c.has(kRhsZeroPoint);
  if (!plan.has_rhs_zp && plan.rhs_offset == 0) return {};
  if (!plan.constant_rhs || !byte_integer(plan.rhs_type)) return {};
  std::vector<int64_t> spread(static_cast<size_t>(plan.shape.batches * plan.shape.groups_n * plan.shape.n) *
                              static_cast<size_t>(plan.reduction.blocks));
  if (plan.has_rhs_zp) {
    const Tensor& zp = c.in(kRhsZeroPoint);
    if (!zp.is_constant()) return {};
    spread = spread_to_channels(*zp.data, plan.shape, plan.reduction.blocks);
  }
  const auto [lo, hi] = std::minmax_element(spread.begin(), spread.end());
  const ValueTypeInfo& rhs = info(plan.rhs_type);
  if (*lo == 0 && *hi == 0) plan.has_rhs_zp = false;
  if (!plan.has_rhs_zp && plan.rhs_offset == 0) return {};
  if (plan.reduction.parts > 1) {
    if (*lo != *hi || *lo < rhs.min || *lo > rhs.max) return {};
    plan.storage.offset = *lo - rhs.min;
  } else {
    const int bytes = weight_bytes(*c.in(kRhs).data, plan, spread);
    const bool two = bytes == 2 && plan.dot && !plan.widen && plan.reduction.blocks == 1 && short_run(plan.reduction);
    if (bytes != 1 && !two) {
      const int64_t factor = -(*lo + plan.rhs_offset);
      if (*lo == *hi && plan.dot && factor >= INT8_MIN && factor <= INT8_MAX) {
        plan.row_factor = static_cast<int8_t>(factor);
        plan.has_rhs_zp = false;
      }
      return {};
    }
    if (two) plan.reduction.add_byte_axis();
    plan.storage.type = ValueType::kI8;
    plan.storage.offset = plan.rhs_offset = 0;
  }
  plan.storage.fold_zero_point = true;
  plan.has_rhs_zp = false;
  rhs_zero_points = spread;
  return {};
}

/// With weights, multipliers and the activations' zero points known per row at most, the terms of the zero points are
/// one number a channel: their sum over the blocks, each times its multiplier. False where that is no int32.
bool fold_multiplier(const ContractionPlan& plan, std::vector<int64_t>& sums) {
  const LoweringContext& c = *plan.context;
  if (!plan.multiplied || plan.row_sums || !plan.constant_rhs || !c.has(kRhsScale)) return false;
  const Tensor& multiplier = c.in(kRhsScale);
  if (!multiplier.is_constant() || !is_multiplier(multiplier.type.type)) return false;
  if (plan.has_lhs_zp && c.in(kLhsZeroPoint).shape()[0] > 1) return false;
  const int64_t blocks = plan.reduction.blocks;
  const std::vector<int64_t> multipliers = spread_to_channels(*multiplier.data, plan.shape, blocks);
  std::vector<int64_t> out(sums.size() / static_cast<size_t>(blocks), 0);
  for (size_t i = 0; i < sums.size(); i++)
    out[i / static_cast<size_t>(blocks)] += sums[i] * multipliers[i];
  for (const int64_t sum : out) {
    if (sum < std::numeric_limits<int32_t>::min() || sum > std::numeric_limits<int32_t>::max()) return false;
  }
  sums = std::move(out);
  return true;
}

/// Start values that stand for the zero points and the bias (int32 arithmetic wraps).
void make_initial(ContractionPlan& plan, const HostTensor* bias) {
  const int64_t lhs_zp = plan.lhs_zp + plan.lhs_offset, count = plan.reduction.products();
  const std::vector<int32_t>& raw = plan.weights->sums;
  std::vector<int64_t> sums(raw.begin(), raw.end());
  // With a factor of row sums the weights are what is multiplied and that.
  for (int64_t& sum : sums)
    sum += count * (plan.rhs_offset + plan.row_factor.value_or(0));
  plan.folded = fold_multiplier(plan, sums);
  plan.initial.assign(sums.size(), 0);
  // sum (a - za)(w - zw) = sum a w - za sum w - zw (sum a - count za); the terms with a run-time factor are the
  // kernel's.
  if (plan.has_lhs_zp || ((plan.folded ? plan.total : plan.accumulator) == ValueType::kI64 && lhs_zp != 0)) {
    for (int64_t sum : sums)
      plan.sums.push_back(static_cast<int32_t>(sum));
  } else {
    for (size_t i = 0; i < sums.size(); i++)
      plan.initial[i] = static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint64_t>(-lhs_zp * sums[i])));
  }
  if (bias != nullptr) {
    const std::vector<int64_t> extents = plan.shape.grouped(bias->shape());
    const int64_t g_extent = extents[extents.size() - 2], n_extent = extents.back();
    const ContractionShape& s = plan.shape;
    for (int64_t slice = 0; slice < s.batches * s.groups_n; slice++) {
      for (int64_t n = 0; n < s.n; n++) {
        const int64_t g = slice % s.groups_n;
        const int64_t at = (g_extent > 1 ? g * n_extent : 0) + (n_extent > 1 ? n : 0);
        auto& start = plan.initial[static_cast<size_t>(slice * s.n + n)];
        start = static_cast<int32_t>(static_cast<uint32_t>(start) + static_cast<uint32_t>(bias->int_at(at)));
      }
    }
  }
  if (std::all_of(plan.initial.begin(), plan.initial.end(), [](int32_t v) { return v == 0; })) plan.initial.clear();
}

/// Replaces the epilogue by a proven formula where everything in it is constant.
void choose_epilogue(ContractionPlan& plan, const ContractionAttrs& attrs, const HostTensor* bias) {
  const LoweringContext& c = *plan.context;
  const ContractionShape& s = plan.shape;
  if (plan.accumulator != ValueType::kI32 || plan.reduction.blocks > 1 || plan.multiplied || plan.has_lhs_zp ||
      s.batches > 1)
    return;
  if (storage_bytes(plan.lhs_type) > 1 || storage_bytes(plan.rhs_type) > 1) return;
  RequantRequest request{&c, s.groups_n, s.n, plan.steps, {}, {}};
  const bool lhs_first = attrs.scale_order == ScaleOrder::kLhsFirst;
  for (size_t slot : {lhs_first ? kLhsScale : kRhsScale, lhs_first ? kRhsScale : kLhsScale}) {
    if (c.has(slot)) request.scales.push_back(slot);
  }
  const HostTensor& rhs = *c.in(kRhs).data;
  std::optional<std::vector<double>> zero_points;
  if (c.has(kRhsZeroPoint)) {
    zero_points = channel_constants(c.in(kRhsZeroPoint), s.groups_n, s.n);
    if (!zero_points) return;
  }
  const int64_t x_lo = info(plan.lhs_type).min - plan.lhs_zp, x_hi = info(plan.lhs_type).max - plan.lhs_zp;
  for (int64_t channel = 0; channel < s.groups_n * s.n; channel++) {
    int64_t start = 0;
    if (bias != nullptr) start = bias->int_at(bias->size() == 1 ? 0 : bias->size() == s.n ? channel % s.n : channel);
    const int64_t zp = zero_points ? static_cast<int64_t>((*zero_points)[static_cast<size_t>(channel)]) : 0;
    const uint8_t* weights = rhs.bytes() + channel * s.reduction;
    const AccumulatorBounds bounds =
        is_signed(plan.rhs_type)
            ? accumulator_bounds(reinterpret_cast<const int8_t*>(weights), s.reduction, 1, x_lo, x_hi, start, zp)
            : accumulator_bounds(weights, s.reduction, 1, x_lo, x_hi, start, zp);
    if (!bounds.fits_int32()) return;
    request.reachable.push_back(bounds.reachable);
  }
  request.shifted = c.target.lanes(32) == 16;
  plan.requant = choose_requantization(request, plan.requant_note);
  if (!plan.requant || plan.requant->formula != RequantFormula::kF32Shifted) return;
  plan.initial.resize(static_cast<size_t>(s.groups_n * s.n), 0);
  for (size_t i = 0; i < plan.initial.size(); i++)
    plan.initial[i] = static_cast<int32_t>(static_cast<uint32_t>(plan.initial[i]) +
                                           static_cast<uint32_t>(plan.requant->channels[i].bias));
}

}  // namespace

Result<ContractionPlan> plan_contraction(const LoweringContext& c) {
  const auto& attrs = c.node.as<ContractionAttrs>();
  const Tensor &lhs = c.in(kLhs), &rhs = c.in(kRhs), &out = c.out();
  ContractionPlan plan;
  plan.context = &c;
  plan.lhs_type = lhs.type.type;
  plan.rhs_type = rhs.type.type;
  plan.accumulator = attrs.accumulator;
  plan.float_sum = attrs.accumulator == ValueType::kF32;
  plan.constant_rhs = rhs.is_constant();
  for (size_t slot : {kLhsScale, kRhsScale}) {
    if (!c.has(slot)) continue;
    const bool multiplier = is_multiplier(c.in(slot).type.type);
    (multiplier ? plan.multiplied : plan.scaled) = true;
  }
  plan.steps = attrs.steps;
  plan.shape = describe_contraction(lhs.shape(), rhs.shape(), out.shape(), attrs.windows, operand_shapes(c, attrs));
  if (std::max({element_count(lhs.shape()), element_count(rhs.shape()), element_count(out.shape())}) * 4 >
      std::numeric_limits<int32_t>::max()) {
    return Status::unsupported(c.place(), "an operand of this contraction has more than 2^29 elements");
  }
  plan.interleaved = plan.float_sum && attrs.sum_order == SumOrder::kInterleaved16;
  ReductionPlan& reduction = plan.reduction;
  reduction.blocks = attrs.blocks;
  if (attrs.blocks == 1 && !plan.interleaved) {
    reduction.window = plan.shape.window;
    reduction.run = plan.shape.run;
  } else {
    reduction.run = plan.shape.reduction / attrs.blocks;
    reduction.decode = !plan.shape.window.empty();
  }
  plan.total = plan.accumulator;
  // Blocks of bytes that cannot leave 32 bits, flipped signs and zero points included, are summed there.
  if (plan.multiplied && plan.accumulator == ValueType::kI64 && byte_integer(plan.lhs_type) &&
      byte_integer(plan.rhs_type) && reduction.products() <= std::numeric_limits<int32_t>::max() / 65025)
    plan.accumulator = ValueType::kI32;
  choose_operand_storage(plan);
  std::optional<std::vector<int64_t>> rhs_zero_points;
  QL_RETURN_IF_ERROR(choose_zero_points(plan, rhs_zero_points));
  plan.by_lane = plan.dot && multiplies_by_lane(c.target) && reduction.parts == 1 && reduction.run % 16 == 0;
  plan.row_sums = !plan.float_sum && (plan.has_rhs_zp || plan.row_factor || plan.rhs_offset != 0);

  // The tiled axis is the innermost one that shares its weights, unless that is very short.
  std::vector<RowAxis>& rows = plan.shape.rows;
  size_t tiled = rows.size();
  for (size_t i = rows.size(); i-- > 0;) {
    if (rows[i].rhs_stride != 0) continue;
    if (tiled == rows.size() || (rows[tiled].extent < 4 && rows[i].extent > rows[tiled].extent)) tiled = i;
  }
  if (tiled == rows.size()) {
    rows.push_back({"x", 1, 0, 0, 0, 0, 0});
  } else {
    const RowAxis axis = rows[tiled];
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(tiled));
    rows.push_back(axis);
  }
  TileRequest request;
  request.target = &c.target;
  request.rows = rows.back().extent;
  request.n = plan.shape.n;
  request.steps = reduction.blocks * reduction.positions() * reduction.steps();
  request.bytes_per_step = reduction.kr * storage_bytes(plan.storage.type) / static_cast<double>(reduction.parts);
  request.accumulators = (reduction.blocks > 1 ? 2 : 1) * (plan.interleaved ? 16 : 1);
  request.lane_bits = plan.accumulator == ValueType::kI64 ? 64 : 32;
  request.decode = reduction.parts > 1 ? 3 : plan.dot || storage_bytes(plan.rhs_type) == 4 ? 0 : 2;
  request.words = plan.words;
  plan.tile = choose_tile(request);
  // Few rows at a time where they are widened first.
  int64_t outer = (plan.widen ? 1 : plan.tile.chunks) * plan.shape.groups_n * plan.shape.batches;
  for (size_t i = 0; i + 1 < rows.size(); i++)
    outer *= rows[i].rhs_stride == 0 ? rows[i].extent : 1;
  split_rows(plan.shape, outer);
  if (plan.shape.rows.back().extent < plan.tile.rows || plan.widen) {
    request.rows = plan.shape.rows.back().extent;
    plan.tile = choose_tile(request);
  }

  plan.packs_scales = reduction.blocks > 1 && plan.constant_rhs && c.has(kRhsScale) && c.in(kRhsScale).is_constant() &&
                      c.in(kRhsScale).shape()[0] > 1;
  if (plan.packs_scales)
    plan.block_scales = pack_block_scales(*c.in(kRhsScale).data, plan.shape, plan.tile, reduction.blocks);
  plan.packed = packed_shape(plan.shape, plan.tile, reduction, plan.storage.type);
  if (!plan.constant_rhs) {
    plan.run_time_sums = !plan.float_sum && (plan.has_lhs_zp || plan.lhs_zp + plan.lhs_offset != 0);
    plan.accumulator_bound = product_bound(plan.lhs_type, c.has(kLhsZeroPoint), plan.rhs_type, c.has(kRhsZeroPoint),
                                           reduction.products(), 0, plan.accumulator);
    return plan;
  }
  plan.weights = pack_weights(*rhs.data, plan.shape, plan.tile, reduction, plan.storage,
                              rhs_zero_points ? &*rhs_zero_points : nullptr);
  const HostTensor* bias = nullptr;
  if (!plan.float_sum) {
    bias = leading_bias(c, plan, attrs);
    if (bias != nullptr) plan.steps.erase(plan.steps.begin());
    if (is_integer(plan.rhs_type)) make_initial(plan, bias);
  }
  if (!plan.float_sum) choose_epilogue(plan, attrs, bias);
  double added = 0;
  for (int64_t i = 0; bias != nullptr && i < bias->size(); i++)
    added = std::max(added, std::abs(static_cast<double>(bias->int_at(i))));
  plan.accumulator_bound = product_bound(plan.lhs_type, c.has(kLhsZeroPoint), plan.rhs_type, c.has(kRhsZeroPoint),
                                         reduction.products(), added, plan.accumulator);
  return plan;
}

}  // namespace qlathe
