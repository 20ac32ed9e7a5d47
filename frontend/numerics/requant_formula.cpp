#include "frontend/numerics/requant_formula.h"

#include <algorithm>
#include <bit>

namespace qlathe {

const char* name(RequantFormula formula) {
  static constexpr const char* kNames[] = {"fp32 fma of a shifted sum",
                                           "fp32 fma with magic constant",
                                           "fp32 fma",
                                           "fp32 multiply",
                                           "fp32 fma with two offsets",
                                           "fp32 fma with three offsets",
                                           "fp64 fma with magic constant",
                                           "fp64 fma",
                                           "fp64 fma by sign",
                                           "64-bit integer",
                                           "as stated"};
  return kNames[static_cast<int>(formula)];
}

int64_t evaluate(RequantFormula formula, const RequantConstants& c, int64_t acc) {
  QL_CHECK(formula != RequantFormula::kReference, "the stated requantization has no constants");
  const int64_t raw = requant::dispatch(formula, int64_t{0}, [&](auto f) { return decltype(f)::raw(c, acc); });
  return std::clamp<int64_t>(raw, c.lo, c.hi);
}

namespace requant {
namespace {

bool is_integer(double x) { return x == std::nearbyint(x); }

/// bias * m has twice a float's bits, and what its float offset loses of them would move the thresholds. With m = M *
/// 2^s a bias of e / M modulo 2^24 is off by e * 2^s alone, so one is taken for some e whose e * 2^s is close to the
/// offset that is wanted (c.b64; mostly 0), near the middle of its range.
/// Later attempts (c.shift) allow fewer e, of one sign.
void fit_bias(RequantConstants& c) {
  const auto middle = static_cast<int64_t>(kMagic32);
  const int32_t zero = std::bit_cast<int32_t>(kMagic32);
  const auto fit = [&](int64_t value) {
    c.bias = static_cast<int32_t>(zero + (value - middle));
    c.b32 = static_cast<float>(c.b64 - static_cast<double>(value) * static_cast<double>(c.m32));
  };
  fit(middle);
  int exponent = 0;
  auto factor = static_cast<uint32_t>(std::ldexp(std::frexp(c.m32, &exponent), 24));
  if (factor == 0) return;
  const int zeros = std::countr_zero(factor);
  factor >>= zeros;
  if (zeros >= 22) return;
  const uint32_t modulus = uint32_t{1} << (24 - zeros);
  uint32_t inverse = factor;
  for (int i = 0; i < 5; ++i)
    inverse *= 2 - factor * inverse;
  // Only what two roundings add: a larger offset is off by no more than a float's unit, whatever the bias.
  const double small = std::fabs(c.b64) < 0x1p-4 ? c.b64 : 0;
  const int64_t wanted = std::llround(std::ldexp(small, 24 - exponent - zeros));
  const int64_t most = 64 >> (2 * std::abs(c.shift));
  int64_t nearest = 0;
  for (int64_t e = c.shift > 0 ? 0 : -most; e <= (c.shift < 0 ? 0 : most); ++e) {
    const int64_t residue = static_cast<uint32_t>(wanted + e) * inverse & (modulus - 1);
    const int64_t turns = (middle - residue + modulus / 2) / modulus;
    const int64_t value = residue + turns * modulus;
    if (std::abs(value - middle) < std::abs(nearest - middle)) nearest = value;
  }
  if (std::abs(nearest - middle) < int64_t{1} << 22) fit(nearest);
}

}  // namespace

std::string unusable(RequantFormula formula, const Affine& line) {
  if (!std::isfinite(line.slope) || !std::isfinite(line.offset)) return "the line it follows is not known";
  const bool whole_offset = formula == RequantFormula::kF32Magic || formula == RequantFormula::kF64Magic ||
                            formula == RequantFormula::kF32Mul || formula == RequantFormula::kF64Sided;
  if (whole_offset && !is_integer(line.offset)) return "the offset is not an integer";
  if (formula == RequantFormula::kF64Sided && line.away == 0) return "both signs round alike";
  const double limit = formula == RequantFormula::kF32Magic ? 0x1p21 : 0x1p29;
  if (std::fabs(line.offset) > limit) return "the offset is too large";
  if (std::fabs(line.slope) > 0x1p30) return "the multiplier is too large";
  const bool f32 = formula == RequantFormula::kF32Shifted || formula == RequantFormula::kF32Magic ||
                   formula == RequantFormula::kF32Fma || formula == RequantFormula::kF32Mul ||
                   formula == RequantFormula::kF32TwoOffsets || formula == RequantFormula::kF32ThreeOffsets;
  if (f32 && line.slope != 0 && std::fabs(line.slope) < 0x1p-100) return "the multiplier is too small";
  if (formula == RequantFormula::kI64 && line.slope != 0 && std::fabs(line.slope) < 0x1p-31)
    return "the multiplier is too small";
  return "";
}

RequantConstants nearest_constants(RequantFormula formula, const Affine& line, int32_t lo, int32_t hi) {
  RequantConstants c;
  c.lo = lo, c.hi = hi;
  switch (formula) {
    case RequantFormula::kF32Shifted:
      c.m32 = static_cast<float>(line.slope);
      // A whole offset is added after the rounding, where it disturbs no tie.
      c.zero_point = is_integer(line.offset) ? static_cast<int32_t>(line.offset) : 0;
      c.b64 = line.offset - c.zero_point;
      fit_bias(c);
      break;
    case RequantFormula::kF32Magic:
      c.m32 = static_cast<float>(line.slope);
      c.b32 = kMagic32 + static_cast<float>(line.offset);
      break;
    case RequantFormula::kF32Fma:
      c.m32 = static_cast<float>(line.slope);
      c.b32 = static_cast<float>(line.offset);
      break;
    case RequantFormula::kF32Mul:
      c.m32 = static_cast<float>(line.slope);
      c.zero_point = static_cast<int32_t>(line.offset);
      break;
    case RequantFormula::kF32TwoOffsets:
    case RequantFormula::kF32ThreeOffsets:
      c.m32 = static_cast<float>(line.slope);
      c.b32 = static_cast<float>(line.offset + line.away);
      c.below32 = static_cast<float>(line.offset - line.away);
      c.above32 = c.b32;
      c.upper_split = INT32_MAX;
      break;
    case RequantFormula::kF64Sided:
      c.m64 = line.slope;
      c.b64 = line.away;
      c.zero_point = static_cast<int32_t>(line.offset);
      break;
    case RequantFormula::kF64Magic:
      c.m64 = line.slope;
      c.b64 = kMagic64 + line.offset;
      break;
    case RequantFormula::kF64Fma:
      c.m64 = line.slope;
      c.b64 = line.offset;
      break;
    case RequantFormula::kI64: {
      const QuantizedMultiplier m = quantize_multiplier(line.slope);
      const double whole = std::floor(line.offset);
      c.mantissa = m.mantissa;
      c.shift = 31 - m.shift;
      c.zero_point = static_cast<int32_t>(whole);
      // Half up is the half in the rounding constant, which carries the offset's fraction too.
      c.rounding = static_cast<int64_t>(std::ldexp(0.5 + (line.offset - whole), c.shift));
      break;
    }
    case RequantFormula::kReference:
      break;
  }
  return c;
}

bool move_multiplier(RequantFormula formula, RequantConstants& c, int steps) {
  if (formula == RequantFormula::kI64) {
    c.mantissa += steps;
    return c.mantissa >= 0;
  }
  if (formula == RequantFormula::kF64Magic || formula == RequantFormula::kF64Fma ||
      formula == RequantFormula::kF64Sided) {
    const int64_t bits = std::bit_cast<int64_t>(c.m64) + steps;
    c.m64 = std::bit_cast<double>(std::max<int64_t>(bits, 0));
    return bits >= 0 && std::isfinite(c.m64);
  }
  const int64_t bits = int64_t{std::bit_cast<int32_t>(c.m32)} + steps;
  c.m32 = std::bit_cast<float>(static_cast<int32_t>(std::max<int64_t>(bits, 0)));
  if (formula == RequantFormula::kF32Shifted && steps != 0) fit_bias(c);
  return bits >= 0 && std::isfinite(c.m32);
}

bool has_free_offset(RequantFormula formula) { return formula == RequantFormula::kF32Shifted; }

void move_offset(RequantFormula formula, RequantConstants& c, int steps) {
  if (formula != RequantFormula::kF32Shifted) return;
  c.shift = steps;
  fit_bias(c);
}

void mirror(RequantConstants& c) {
  c.m32 = -c.m32;
  c.m64 = -c.m64;
  c.mantissa = -c.mantissa;
}

}  // namespace requant
}  // namespace qlathe
