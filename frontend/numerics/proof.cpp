#include "frontend/numerics/proof.h"

#include <algorithm>
#include <map>
#include <string>

#include "frontend/numerics/requant_formula.h"
#include "frontend/numerics/requant_offsets.h"

namespace qlathe {
namespace {

using requant::Formula;
using Step = requant::RequantStep;

/// The stated function over the reachable interval, as everything that a proof needs. Increasing: where the stated one
/// decreases, this is its mirror image acc -> f(-acc).
struct Staircase {
  int64_t lo = 0, hi = 0;        ///< interval, mirrored where the function is
  int64_t at_lo = 0, at_hi = 0;  ///< values at its ends
  bool mirrored = false;
  std::vector<Step> steps;
  std::string problem;  ///< why there is no proof, or empty
};

/// A point where candidate and stated function differ.
struct Difference {
  int64_t acc, candidate, stated;
};

/// First accumulator in (left, right] with value(acc) > level; value(left) <= level < value(right). Gallops from
/// `guess`, which is off by one or two as a rule.
template <class Value>
int64_t first_above(Value&& value, int64_t level, int64_t left, int64_t right, int64_t guess) {
  int64_t at = std::clamp(guess, left + 1, right);
  for (int64_t stride = 1; left + 1 < right;) {
    const bool above = at == right || value(at) > level;
    (above ? right : left) = at;
    at = above ? at - stride : at + stride;
    if (at <= left || at >= right) break;
    stride *= 2;
  }
  while (left + 1 < right) {
    const int64_t middle = left + (right - left) / 2;
    (value(middle) > level ? right : left) = middle;
  }
  return right;
}

template <class Value>
void find_steps(Value&& value, int64_t max_steps, Staircase& stairs) {
  stairs.at_lo = value(stairs.lo);
  stairs.at_hi = value(stairs.hi);
  if (stairs.at_hi - stairs.at_lo > max_steps) {
    stairs.problem = std::to_string(stairs.at_hi - stairs.at_lo) + " output steps are too many to enumerate";
    return;
  }
  int64_t level = stairs.at_lo, left = stairs.lo;
  int64_t guess = left + (stairs.hi - left) / 2;
  while (level < stairs.at_hi) {
    const int64_t acc = first_above(value, level, left, stairs.hi, guess);
    const int64_t at = value(acc);
    stairs.steps.push_back({acc, level, at});
    level = at;
    left = acc;
    // Steps of a line are equally far apart: the mean distance so far predicts the next one.
    const Step& first = stairs.steps.front();
    const int64_t levels = at - first.at;
    guess = levels > 0 ? acc + (acc - first.acc + levels / 2) / levels : acc + 1;
  }
}

template <class Stated>
Staircase staircase(const Stated& stated, AccumulatorInterval reachable, int64_t max_steps) {
  QL_CHECK(reachable.lo <= reachable.hi, std::to_string(reachable.lo) + ".." + std::to_string(reachable.hi));
  Staircase stairs;
  stairs.mirrored = stated(reachable.lo) > stated(reachable.hi);
  if (stairs.mirrored) {
    stairs.lo = -reachable.hi, stairs.hi = -reachable.lo;
    find_steps([&](int64_t acc) { return stated(-acc); }, max_steps, stairs);
  } else {
    stairs.lo = reachable.lo, stairs.hi = reachable.hi;
    find_steps(stated, max_steps, stairs);
  }
  return stairs;
}

/// A constant function has no direction of its own: it takes that of the line that a candidate follows.
void orient(Staircase& stairs, bool decreasing) {
  if (!stairs.steps.empty() || stairs.mirrored == decreasing) return;
  stairs.mirrored = decreasing;
  std::swap(stairs.lo, stairs.hi);
  stairs.lo = -stairs.lo;
  stairs.hi = -stairs.hi;
}

/// The first point of the proof that fails, starting with the steps around `hint` (where the last candidate failed).
template <class F>
bool differs(const Staircase& stairs, const RequantConstants& c, size_t& hint, Difference& difference) {
  const auto check = [&](int64_t acc, int64_t stated) {
    const int64_t candidate = std::clamp<int64_t>(F::raw(c, acc), c.lo, c.hi);
    if (candidate == stated) return false;
    difference = {acc, candidate, stated};
    return true;
  };
  const auto check_step = [&](const Step& step) { return check(step.acc, step.at) || check(step.acc - 1, step.below); };
  if (hint < stairs.steps.size() && check_step(stairs.steps[hint])) return true;
  if (check(stairs.lo, stairs.at_lo) || check(stairs.hi, stairs.at_hi)) return true;
  for (size_t i = 0; i < stairs.steps.size(); ++i) {
    if (check_step(stairs.steps[i])) {
      hint = i;
      return true;
    }
  }
  return false;
}

template <class F>
bool wraps(const Staircase& stairs, const RequantConstants& c) {
  return !F::inside(c, stairs.lo) || !F::inside(c, stairs.hi);
}

std::string text(const Difference& d, bool mirrored) {
  return "at accumulator " + std::to_string(mirrored ? -d.acc : d.acc) + " it gives " + std::to_string(d.candidate) +
         ", stated " + std::to_string(d.stated);
}

std::string interval_problem(RequantFormula formula, const Staircase& stairs) {
  if (!stairs.problem.empty()) return stairs.problem;
  const bool int32 = stairs.lo >= -INT64_C(0x80000000) && stairs.hi <= INT64_C(0x80000000);
  return requant::takes_int32(formula) && !int32 ? "the accumulator does not fit an int32" : "";
}

/// Searches the multipliers within `neighbours` steps of the nearest one. At a point acc > 0 a candidate that is too
/// small needs a larger multiplier, and so on: every failure halves the range, and the search is complete.
template <class F>
bool search_multiplier(RequantFormula formula, const Staircase& stairs, const RequantConstants& nearest, int neighbours,
                       RequantConstants& found, int& moved, size_t& hint, std::string& problem) {
  int low = -neighbours, high = neighbours, at = 0;
  while (low <= high) {
    RequantConstants c = nearest;
    Difference difference;
    if (!requant::move_multiplier(formula, c, at)) {
      low = at + 1;  // only below zero
    } else if (wraps<F>(stairs, c)) {
      problem = "it wraps inside the reachable interval";
      return false;
    } else if (!differs<F>(stairs, c, hint, difference)) {
      found = c;
      moved = at;
      return true;
    } else {
      if (at == 0 || problem.empty()) problem = text(difference, stairs.mirrored);
      if (difference.acc == 0) return false;
      const bool larger = (difference.candidate < difference.stated) == (difference.acc > 0);
      (larger ? low : high) = larger ? at + 1 : at - 1;
    }
    at = low + (high - low) / 2;
  }
  return false;
}

template <class F>
bool search(RequantFormula formula, const Staircase& stairs, const Affine& line, int32_t lo, int32_t hi, int neighbours,
            RequantConstants& found, int& moved, std::string& problem) {
  const RequantConstants nearest = requant::nearest_constants(formula, line, lo, hi);
  size_t hint = stairs.steps.size();
  if (requant::searches_offsets(formula)) {
    RequantConstants c = nearest;
    Difference difference;
    moved = 0;
    if (wraps<F>(stairs, c)) {
      problem = "it wraps inside the reachable interval";
      return false;
    }
    if (differs<F>(stairs, c, hint, difference)) {
      if (problem.empty()) problem = text(difference, stairs.mirrored);
      const requant::RequantSteps stated{stairs.steps, stairs.lo, stairs.hi, stairs.at_lo, stairs.at_hi};
      c = nearest;
      if (!requant::find_offsets(formula, stated, c, moved) || wraps<F>(stairs, c) ||
          differs<F>(stairs, c, hint, difference))
        return false;
    }
    found = c;
    if (stairs.mirrored) requant::mirror(found);
    return true;
  }
  for (int offset : {0, 1, -1, 2, -2}) {
    if (offset != 0 && !requant::has_free_offset(formula)) break;
    RequantConstants start = nearest;
    requant::move_offset(formula, start, offset);
    if (search_multiplier<F>(formula, stairs, start, neighbours, found, moved, hint, problem)) {
      if (stairs.mirrored) requant::mirror(found);
      return true;
    }
  }
  return false;
}

/// What the proof needs to know of each kind of stated requantization.
struct Outline {
  Affine line;
  int32_t lo, hi;
  std::string problem;
  double bias = 0;  ///< tried as a part of the offset where the line alone does not do
};

/// Two roundings are one with a bias: with y = acc * multiplier, r the right shift and h = floor(y * 2^r + 1/2) the
/// first rounding, the second is floor((h + 2^(r-1)) / 2^r) = floor(y + 1/2 + 2^-(r+1)) where h >= 0, and half away
/// from zero makes it floor(y + 1/2 - 2^-(r+1)) below. A line follows one side, so the other must be clamped away.
double two_roundings_bias(const Requantization& r, AccumulatorInterval reachable) {
  if (r.rounding != RequantizeRounding::kFixedDouble || r.multiplier.shift >= 0) return 0;
  const double bias = std::ldexp(1.0, r.multiplier.shift - 1);
  if (r.lo >= r.zero_point || reachable.lo >= 0) return bias;
  return r.hi <= r.zero_point || reachable.hi <= 0 ? -bias : 0;
}

/// What is added to the size of the sum before it is rounded once: the same for both signs, or what makes ties go away
/// from zero.
double away_from_zero(const Requantization& r) {
  if (r.rounding == RequantizeRounding::kFixedDouble && r.multiplier.shift < 0)
    return std::ldexp(1.0, r.multiplier.shift - 1);
  return r.rounding == RequantizeRounding::kFloat64 ? 0x1p-30 : 0;
}

Outline outline(const Requantization& r, AccumulatorInterval reachable) {
  Outline o{{r.slope(), static_cast<double>(r.zero_point), away_from_zero(r)},
            r.lo,
            r.hi,
            "",
            two_roundings_bias(r, reachable)};
  const bool wide = reachable.lo < INT32_MIN || reachable.hi > INT32_MAX;
  if (r.rounding == RequantizeRounding::kFixedDouble) {
    const int64_t limit = (INT64_C(1) << 31) >> std::max(r.multiplier.shift, 0);
    if (reachable.lo < -limit || reachable.hi >= limit)
      o.problem = "the stated requantization wraps inside the reachable interval";
  } else if (wide && r.rounding == RequantizeRounding::kFixedSingle) {
    o.problem = "the accumulator does not fit an int32";
  }
  if (r.lo > r.hi) o.problem = "the output range is empty";
  if (!(r.slope() >= 0) || std::isinf(r.slope())) o.problem = "the scale is no finite positive number";
  return o;
}

Outline outline(const MonotoneChain& chain, AccumulatorInterval) {
  Outline o{{}, 0, 0, chain.problem()};
  if (!o.problem.empty()) return o;
  o.line = chain.affine();
  // The chain's own clamps show far outside the reachable interval.
  const int64_t far = INT64_C(1) << 61;
  const auto [low, high] = std::minmax({chain(-far), chain(far)});
  o.lo = static_cast<int32_t>(std::clamp<int64_t>(low, INT32_MIN, INT32_MAX));
  o.hi = static_cast<int32_t>(std::clamp<int64_t>(high, INT32_MIN, INT32_MAX));
  return o;
}

Outline outline(const MonotoneFunction& f, AccumulatorInterval) { return {f.line, f.lo, f.hi, ""}; }

int64_t call(const MonotoneFunction& f, int64_t acc) { return f.value(acc); }
int64_t call(const MonotoneChain& f, int64_t acc) { return f(acc); }

/// A Requantization with its rounding known at compile time: the search for steps is the hot loop.
template <RequantizeRounding kRounding>
struct Fixed {
  Requantization r;
  int64_t operator()(int64_t acc) const {
    int64_t y;
    if constexpr (kRounding == RequantizeRounding::kFixedSingle) y = requantize_fixed_single(acc, r.multiplier);
    if constexpr (kRounding == RequantizeRounding::kFixedDouble) y = requantize_fixed_double(acc, r.multiplier);
    if constexpr (kRounding == RequantizeRounding::kFixedInt16) y = requantize_fixed_int16(acc, r.multiplier);
    if constexpr (kRounding == RequantizeRounding::kFloat64) y = requantize_float64(acc, r.real);
    if constexpr (kRounding == RequantizeRounding::kFloatHalfEven) y = requantize_float_half_even(acc, r.scale);
    return std::clamp<int64_t>(y + r.zero_point, r.lo, r.hi);
  }
};

Staircase stairs_of(const Requantization& r, AccumulatorInterval reachable, int64_t max_steps) {
  switch (r.rounding) {
    case RequantizeRounding::kFixedSingle:
      return staircase(Fixed<RequantizeRounding::kFixedSingle>{r}, reachable, max_steps);
    case RequantizeRounding::kFixedDouble:
      return staircase(Fixed<RequantizeRounding::kFixedDouble>{r}, reachable, max_steps);
    case RequantizeRounding::kFixedInt16:
      return staircase(Fixed<RequantizeRounding::kFixedInt16>{r}, reachable, max_steps);
    case RequantizeRounding::kFloat64:
      return staircase(Fixed<RequantizeRounding::kFloat64>{r}, reachable, max_steps);
    case RequantizeRounding::kFloatHalfEven:
      break;
  }
  return staircase(Fixed<RequantizeRounding::kFloatHalfEven>{r}, reachable, max_steps);
}

template <class Stated>
Staircase stairs_of(const Stated& stated, AccumulatorInterval reachable, int64_t max_steps) {
  return staircase([&](int64_t acc) { return call(stated, acc); }, reachable, max_steps);
}

/// The integer form that is the stated one by definition, whatever the number of output steps.
bool integer_form(const Requantization& r, AccumulatorInterval reachable, RequantConstants& c) {
  c = {};
  c.lo = r.lo, c.hi = r.hi, c.zero_point = r.zero_point;
  if (r.rounding == RequantizeRounding::kFixedSingle) {
    c.mantissa = r.multiplier.mantissa;
    c.shift = 31 - r.multiplier.shift;
  } else if (r.rounding == RequantizeRounding::kFixedInt16) {
    c.mantissa = reduced_mantissa(r.multiplier.mantissa);
    c.shift = 15 - r.multiplier.shift;
  } else {
    return false;
  }
  c.rounding = int64_t{1} << (c.shift - 1);
  using F = Formula<RequantFormula::kI64>;
  return F::inside(c, reachable.lo) && F::inside(c, reachable.hi);
}

template <class Stated>
bool integer_form(const Stated&, AccumulatorInterval, RequantConstants&) {
  return false;
}

/// All channels of one block with one formula: true and their constants, or where the first channel fails. What is
/// known of a channel is found when the first formula comes to it: most blocks without a proof fail early.
template <class Stated>
struct BlockSearch {
  std::span<const Stated> channels;
  std::span<const AccumulatorInterval> reachable;
  int64_t first, count, max_steps;
  std::vector<Outline> outlines;
  std::vector<Staircase> stairs;
  std::vector<RequantConstants> constants;
  int most_moved = 0;
  std::string problem;

  AccumulatorInterval interval(int64_t channel) const {
    return reachable[reachable.size() == 1 ? 0 : static_cast<size_t>(channel)];
  }

  void look_at(size_t i) {
    if (i < stairs.size()) return;
    const int64_t channel = first + static_cast<int64_t>(i);
    const Stated& stated = channels[static_cast<size_t>(channel)];
    outlines.push_back(outline(stated, interval(channel)));
    const std::string& wrong = outlines.back().problem;
    stairs.emplace_back();
    if (wrong.empty()) stairs.back() = stairs_of(stated, interval(channel), max_steps);
    if (!wrong.empty()) stairs.back().problem = wrong;
    orient(stairs.back(), outlines.back().line.slope < 0);
  }

  int64_t points() const {
    int64_t out = 0;
    for (const Staircase& s : stairs)
      out += static_cast<int64_t>(s.steps.size());
    return out;
  }

  bool try_formula(RequantFormula formula, int neighbours) {
    constants.assign(static_cast<size_t>(count), {});
    most_moved = 0;
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      look_at(i);
      const Outline& o = outlines[i];
      Affine line = o.line;
      if (stairs[i].mirrored) line.slope = -line.slope;
      problem = interval_problem(formula, stairs[i]);
      if (problem.empty()) problem = requant::unusable(formula, line);
      if (problem.empty() && requant::only_increasing(formula) && stairs[i].mirrored) problem = "it decreases";
      if (problem.empty() && line.slope < 0) problem = "its direction is not that of the line it follows";
      int moved = 0;
      const auto follows = [&](const Affine& candidate) {
        return requant::dispatch(formula, false, [&](auto f) {
          return search<decltype(f)>(formula, stairs[i], candidate, o.lo, o.hi, neighbours, constants[i], moved,
                                     problem);
        });
      };
      bool ok = problem.empty() && follows(line);
      if (!ok && o.bias != 0 && !stairs[i].mirrored) {
        const Affine biased{line.slope, line.offset + o.bias};
        ok = requant::unusable(formula, biased).empty() && interval_problem(formula, stairs[i]).empty() &&
             line.slope >= 0 && follows(biased);
      }
      if (!ok) {
        problem = "channel " + std::to_string(first + static_cast<int64_t>(i)) + ": " + problem;
        return false;
      }
      most_moved = std::max(most_moved, std::abs(moved));
    }
    return true;
  }
};

template <class Stated>
ProvenBlock prove_block(std::span<const Stated> channels, std::span<const AccumulatorInterval> reachable, int64_t first,
                        int64_t count, const ProofOptions& options, std::vector<RequantConstants>& constants) {
  ProvenBlock block{RequantFormula::kReference, first, count, ""};
  BlockSearch<Stated> search{channels, reachable, first, count, options.max_steps};
  std::string rejected;
  for (RequantFormula formula : options.formulas) {
    if (formula == RequantFormula::kReference) break;
    if (formula == RequantFormula::kI64) {
      bool by_definition = true;
      search.constants.assign(static_cast<size_t>(count), {});
      for (int64_t i = 0; i < count; ++i) {
        by_definition =
            by_definition && integer_form(channels[static_cast<size_t>(first + i)], search.interval(first + i),
                                          search.constants[static_cast<size_t>(i)]);
      }
      if (by_definition) {
        block.formula = formula;
        block.reason = std::string(name(formula)) + ": the stated form itself";
        break;
      }
    }
    if (search.try_formula(formula, options.neighbours)) {
      block.formula = formula;
      block.reason = std::string(name(formula)) + ": equal on both sides of all " + std::to_string(search.points()) +
                     " output steps of " + std::to_string(count) + " channels and at both ends of their intervals";
      if (search.most_moved > 0) block.reason += ", multipliers moved by at most " + std::to_string(search.most_moved);
      break;
    }
    rejected += std::string("; not ") + name(formula) + ": " + search.problem;
  }
  if (block.formula == RequantFormula::kReference) {
    block.reason = name(block.formula);
    for (size_t i = 0; i < search.constants.size(); ++i)
      search.constants[i] = {};
    search.constants.resize(static_cast<size_t>(count));
  }
  block.reason += rejected;
  std::copy(search.constants.begin(), search.constants.end(), constants.begin() + first);
  return block;
}

template <class Stated>
RequantProof prove(std::span<const Stated> channels, std::span<const AccumulatorInterval> reachable,
                   const ProofOptions& options) {
  QL_CHECK(reachable.size() == 1 || reachable.size() == channels.size(),
           std::to_string(reachable.size()) + " intervals for " + std::to_string(channels.size()) + " channels");
  RequantProof proof;
  const auto count = static_cast<int64_t>(channels.size());
  proof.channels.resize(channels.size());
  const int64_t size = options.block > 0 ? options.block : count;
  for (int64_t first = 0; first < count; first += size) {
    proof.blocks.push_back(
        prove_block(channels, reachable, first, std::min(size, count - first), options, proof.channels));
  }
  return proof;
}

template <class Stated>
std::string check(const Stated& stated, AccumulatorInterval reachable, RequantFormula formula,
                  const RequantConstants& constants) {
  const Outline o = outline(stated, reachable);
  if (!o.problem.empty()) return o.problem;
  Staircase stairs = stairs_of(stated, reachable, INT64_C(1) << 20);
  orient(stairs, constants.m32 < 0 || constants.m64 < 0 || constants.mantissa < 0);
  const std::string problem = interval_problem(formula, stairs);
  if (!problem.empty()) return problem;
  RequantConstants c = constants;
  if (stairs.mirrored && requant::only_increasing(formula)) return "it decreases";
  if (stairs.mirrored) requant::mirror(c);
  // The proof rests on monotony in the direction of the stated function.
  if (c.m32 < 0 || c.m64 < 0 || c.mantissa < 0) return "the multiplier has the wrong sign";
  return requant::dispatch(formula, std::string("no formula"), [&](auto f) -> std::string {
    if (wraps<decltype(f)>(stairs, c)) return "it wraps inside the reachable interval";
    size_t hint = stairs.steps.size();
    Difference difference;
    return differs<decltype(f)>(stairs, c, hint, difference) ? text(difference, stairs.mirrored) : "";
  });
}

}  // namespace

bool RequantProof::uniform() const {
  return std::all_of(blocks.begin(), blocks.end(),
                     [&](const ProvenBlock& b) { return b.formula == blocks.front().formula; });
}

std::string RequantProof::summary() const {
  std::map<RequantFormula, std::pair<int64_t, const ProvenBlock*>> used;
  for (const ProvenBlock& block : blocks) {
    auto& entry = used.try_emplace(block.formula, 0, &block).first->second;
    ++entry.first;
  }
  std::string out;
  for (const auto& [formula, entry] : used) {
    if (!out.empty()) out += "\n";
    out += std::to_string(entry.first) + " of " + std::to_string(blocks.size()) + " blocks: " + entry.second->reason;
  }
  return out;
}

RequantProof prove_requantization(std::span<const Requantization> channels,
                                  std::span<const AccumulatorInterval> reachable, const ProofOptions& options) {
  return prove(channels, reachable, options);
}
RequantProof prove_requantization(std::span<const MonotoneChain> channels,
                                  std::span<const AccumulatorInterval> reachable, const ProofOptions& options) {
  return prove(channels, reachable, options);
}
RequantProof prove_requantization(std::span<const MonotoneFunction> channels,
                                  std::span<const AccumulatorInterval> reachable, const ProofOptions& options) {
  return prove(channels, reachable, options);
}

std::string check_formula(const Requantization& stated, AccumulatorInterval reachable, RequantFormula formula,
                          const RequantConstants& constants) {
  return check(stated, reachable, formula, constants);
}
std::string check_formula(const MonotoneChain& stated, AccumulatorInterval reachable, RequantFormula formula,
                          const RequantConstants& constants) {
  return check(stated, reachable, formula, constants);
}

}  // namespace qlathe
