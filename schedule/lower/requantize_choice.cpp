#include "schedule/lower/requantize_choice.h"

#include <algorithm>
#include <cmath>

#include "frontend/numerics/convert.h"

namespace qlathe {
namespace {

using Kind = ChainStep::Kind;

/// One chain a channel, built step by step.
class Chains {
 public:
  explicit Chains(const RequantRequest& r) : r_(r), chains_(static_cast<size_t>(r.groups * r.n)) {}

  /// The reason why a step has no place in a chain, or nothing.
  std::string add_scale(size_t slot) {
    to_float();
    return each(slot, [](ChainStep& s, double v) { s = {Kind::kMul, static_cast<float>(v)}; });
  }
  std::string add(const PointwiseStep& step);

  std::vector<MonotoneChain> take() const {
    std::vector<MonotoneChain> out;
    for (const auto& steps : chains_)
      out.emplace_back(steps);
    return out;
  }
  const std::vector<Requantization>& requantizations() const { return requantizations_; }
  bool ends_in_integer() const { return !float_ || !requantizations_.empty(); }

 private:
  void all(ChainStep step) {
    for (auto& chain : chains_)
      chain.push_back(step);
  }
  template <class Set>
  std::string each(size_t input, Set&& set) {
    const auto values = channel_constants(r_.context->in(input), r_.groups, r_.n);
    if (!values) return "an operand is not a constant of the channel";
    for (size_t c = 0; c < chains_.size(); c++) {
      ChainStep step{Kind::kMul};
      set(step, (*values)[c]);
      chains_[c].push_back(step);
    }
    return "";
  }
  void to_float() {
    if (!float_) all({Kind::kToFloat});
    float_ = true;
  }
  std::string round(Rounding rounding) {
    switch (rounding) {
      case Rounding::kHalfEven:
        all({Kind::kRoundHalfEven});
        return "";
      case Rounding::kHalfAwayFromZero:
        all({Kind::kRoundHalfAway});
        return "";
      case Rounding::kFloor:
        all({Kind::kFloor});
        return "";
      case Rounding::kCeil:
        all({Kind::kCeil});
        return "";
      case Rounding::kToZero:
        all({Kind::kTruncate});
        return "";
      case Rounding::kHalfUp:
        break;
    }
    return "rounding half up";
  }
  void to_int(int64_t lo, int64_t hi) {
    all({Kind::kToInt, 0, 0, lo, hi});
    float_ = false;
  }
  std::string quantize(const PointwiseStep& step);
  std::string requantize(const PointwiseStep& step);

  /// [lo, hi] of a step cut with its type's range.
  static std::pair<int64_t, int64_t> range(const PointwiseStep& step) {
    const ValueTypeInfo& type = info(step.type);
    const double lo = std::max(std::ceil(step.lo), static_cast<double>(type.min));
    const double hi = std::min(std::floor(step.hi), static_cast<double>(type.max));
    return {static_cast<int64_t>(lo), static_cast<int64_t>(hi)};
  }

  const RequantRequest& r_;
  std::vector<std::vector<ChainStep>> chains_;
  std::vector<Requantization> requantizations_;
  bool float_ = false;
};

std::string Chains::add(const PointwiseStep& step) {
  if (!requantizations_.empty()) return "a step after requantize";
  const auto operand = [&](size_t i) { return static_cast<size_t>(step.operands[i]); };
  const bool to_f32 = step.type == ValueType::kF32;
  if (step.op == "cast") {
    if (to_f32) {
      to_float();
      return "";
    }
    if (!is_integer(step.type)) return "cast to " + std::string(name(step.type));
    const auto [lo, hi] = range(step);
    if (!float_) {
      all({Kind::kClampInt, 0, 0, lo, hi});
      return "";
    }
    const std::string problem = round(step.rounding);
    to_int(lo, hi);
    return problem;
  }
  if (step.op == "quantize") return quantize(step);
  if (step.op == "requantize") return requantize(step);
  if (step.op == "relu") {
    if (float_)
      all({Kind::kMax, 0.0f});
    else
      all({Kind::kClampInt, 0, 0, 0, INT32_MAX});
    return "";
  }
  if (step.op == "clamp") {
    if (float_) {
      all({Kind::kMax, static_cast<float>(step.lo)});
      all({Kind::kMin, static_cast<float>(step.hi)});
    } else {
      const auto [lo, hi] = range(step);
      all({Kind::kClampInt, 0, 0, lo, hi});
    }
    return "";
  }
  if (!float_) {
    if (step.op != "add" || step.swapped) return "integer step " + step.op;
    return each(operand(0), [](ChainStep& s, double v) { s = {Kind::kAddInt, 0, 0, static_cast<int64_t>(v)}; });
  }
  if (!to_f32) return "step " + step.op + " in " + name(step.type);
  if (step.op == "mul")
    return each(operand(0), [](ChainStep& s, double v) { s = {Kind::kMul, static_cast<float>(v)}; });
  if (step.op == "add")
    return each(operand(0), [](ChainStep& s, double v) { s = {Kind::kAdd, static_cast<float>(v)}; });
  if (step.op == "max")
    return each(operand(0), [](ChainStep& s, double v) { s = {Kind::kMax, static_cast<float>(v)}; });
  if (step.op == "min")
    return each(operand(0), [](ChainStep& s, double v) { s = {Kind::kMin, static_cast<float>(v)}; });
  if (step.swapped) return "swapped " + step.op;
  if (step.op == "sub") {
    return each(operand(0), [](ChainStep& s, double v) { s = {Kind::kAdd, -static_cast<float>(v)}; });
  }
  if (step.op == "div")
    return each(operand(0), [](ChainStep& s, double v) { s = {Kind::kDiv, static_cast<float>(v)}; });
  if (step.op == "fma") {
    const auto addends = channel_constants(r_.context->in(operand(1)), r_.groups, r_.n);
    if (!addends) return "an operand is not a constant of the channel";
    size_t c = 0;
    return each(operand(0), [&](ChainStep& s, double v) {
      s = {Kind::kFma, static_cast<float>(v), static_cast<float>((*addends)[c++])};
    });
  }
  return "step " + step.op;
}

std::string Chains::quantize(const PointwiseStep& step) {
  if (!float_) return "quantize of an integer";
  if (!is_integer(step.type)) return "quantize to " + std::string(name(step.type));
  const bool reciprocal = step.reciprocal;
  std::string problem = each(static_cast<size_t>(step.operands[0]), [&](ChainStep& s, double v) {
    const auto scale = static_cast<float>(v);
    s = reciprocal ? ChainStep{Kind::kMul, 1.0f / scale} : ChainStep{Kind::kDiv, scale};
  });
  if (!problem.empty()) return problem;
  const bool zero_point = step.operands.size() > 1;
  const auto [lo, hi] = range(step);
  if (zero_point && !step.zero_point_after) {
    problem = each(static_cast<size_t>(step.operands[1]), [](ChainStep& s, double v) {
      s = {Kind::kAdd, static_cast<float>(v)};
    });
    if (!problem.empty()) return problem;
  }
  problem = round(step.rounding);
  if (!problem.empty()) return problem;
  if (!zero_point || !step.zero_point_after) {
    to_int(lo, hi);
    return "";
  }
  to_int(-(int64_t{1} << 40), int64_t{1} << 40);
  problem = each(static_cast<size_t>(step.operands[1]), [](ChainStep& s, double v) {
    s = {Kind::kAddInt, 0, 0, static_cast<int64_t>(v)};
  });
  all({Kind::kClampInt, 0, 0, lo, hi});
  return problem;
}

std::string Chains::requantize(const PointwiseStep& step) {
  if (float_ || !chains_[0].empty()) return "steps before requantize";
  const auto value = [&](size_t i) {
    return channel_constants(r_.context->in(static_cast<size_t>(step.operands[i])), r_.groups, r_.n);
  };
  const auto multiplier = value(0), shift = value(1);
  const auto zero_point = step.operands.size() > 2 ? value(2) : std::vector<double>(chains_.size(), 0.0);
  if (!multiplier || !shift || !zero_point) return "an operand is not a constant of the channel";
  const auto [lo, hi] = range(step);
  for (size_t c = 0; c < chains_.size(); c++) {
    Requantization q;
    if (step.mode == RequantizeMode::kFloat64) {
      q.rounding = RequantizeRounding::kFloat64;
      q.real = std::ldexp((*multiplier)[c], static_cast<int>((*shift)[c]));
    } else {
      q.rounding = step.mode == RequantizeMode::kFixedSingle ? RequantizeRounding::kFixedSingle
                                                             : RequantizeRounding::kFixedDouble;
      q.multiplier = {static_cast<int32_t>((*multiplier)[c]), static_cast<int32_t>((*shift)[c])};
    }
    q.zero_point = static_cast<int32_t>((*zero_point)[c]);
    q.lo = static_cast<int32_t>(lo);
    q.hi = static_cast<int32_t>(hi);
    requantizations_.push_back(q);
  }
  return "";
}

}  // namespace

std::optional<std::vector<double>> channel_constants(const Tensor& operand, int64_t groups, int64_t n) {
  if (!operand.is_constant() || is_code(operand.type.type)) return std::nullopt;
  const HostTensor& t = *operand.data;
  const int64_t channels = groups * n;
  std::vector<double> values;
  if (is_integer(t.type())) {
    for (int64_t i = 0; i < t.size(); i++)
      values.push_back(static_cast<double>(t.int_at(i)));
  } else {
    const std::vector<float> floats = to_floats(t);
    values.assign(floats.begin(), floats.end());
  }
  if (values.size() == 1) return std::vector<double>(static_cast<size_t>(channels), values[0]);
  if (t.shape().empty() || t.shape().back() != n || t.size() != channels) return std::nullopt;
  if (groups > 1 && (t.rank() < 2 || t.shape()[t.shape().size() - 2] != groups)) return std::nullopt;
  return values;
}

std::optional<int32_t> RequantChoice::common_zero_point() const {
  const int32_t first = channels[0].zero_point;
  const bool same =
      std::all_of(channels.begin(), channels.end(), [&](const RequantConstants& c) { return c.zero_point == first; });
  const bool fits = first == 0 || (std::abs(first) <= 255 && largest <= 32000);
  return same && fits ? std::optional<int32_t>(first) : std::nullopt;
}

std::optional<RequantChoice> choose_requantization(const RequantRequest& r, std::string& note) {
  note.clear();
  const ValueType out = r.context->out().type.type;
  if (!is_integer(out) || storage_bytes(out) != 1) return std::nullopt;
  Chains chains(r);
  for (size_t slot : r.scales) {
    if (std::string problem = chains.add_scale(slot); !problem.empty()) {
      note = "requantize: as stated, " + problem;
      return std::nullopt;
    }
  }
  for (const PointwiseStep& step : r.steps) {
    if (std::string problem = chains.add(step); !problem.empty()) {
      note = "requantize: as stated, " + problem;
      return std::nullopt;
    }
  }
  if (!chains.ends_in_integer()) return std::nullopt;
  ProofOptions options;
  options.block = 0;  // one kernel for all channels, so one formula
  options.formulas = {RequantFormula::kF32Magic, RequantFormula::kF32Fma, RequantFormula::kF32Mul,
                      RequantFormula::kF64Magic, RequantFormula::kF64Fma};
  // They cost a selection, which without vectors, or without fast floats, is dearer than what is stated.
  if (r.context->target.vectorize) {
    options.formulas.insert(options.formulas.begin() + 3,
                            {RequantFormula::kF32TwoOffsets, RequantFormula::kF32ThreeOffsets});
    options.formulas.push_back(RequantFormula::kF64Sided);
  }
  // Plain C++: a processor without fast floats, or with none at all.
  if (!r.context->target.vectorize) options.formulas.insert(options.formulas.begin(), RequantFormula::kI64);
  if (r.shifted) options.formulas.insert(options.formulas.begin(), RequantFormula::kF32Shifted);
  const RequantProof proof = chains.requantizations().empty()
                                 ? prove_requantization(chains.take(), r.reachable, options)
                                 : prove_requantization(chains.requantizations(), r.reachable, options);
  note = "requantize: " + proof.summary();
  if (!proof.uniform() || proof.blocks[0].formula == RequantFormula::kReference) return std::nullopt;
  if (proof.blocks[0].formula == RequantFormula::kI64) {
    const bool words = std::all_of(proof.channels.begin(), proof.channels.end(), [](const RequantConstants& c) {
      return c.mantissa >= INT32_MIN && c.mantissa <= INT32_MAX;
    });
    if (!words) return std::nullopt;
  }
  RequantChoice choice{proof.blocks[0].formula, proof.channels, proof.channels[0].lo, proof.channels[0].hi};
  for (size_t c = 0; c < choice.channels.size(); c++) {
    const AccumulatorInterval& reach = r.reachable[c];
    const auto far = static_cast<double>(std::max(std::abs(reach.lo), std::abs(reach.hi)));
    choice.largest = std::max(choice.largest, far * std::fabs(static_cast<double>(choice.channels[c].m32)));
  }
  for (const RequantConstants& c : choice.channels) {
    if (c.lo != choice.lo || c.hi != choice.hi) return std::nullopt;
  }
  return choice;
}

}  // namespace qlathe
