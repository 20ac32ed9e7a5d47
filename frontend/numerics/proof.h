#pragma once

/// Requantization, fast and proven. The stated requantization of a channel and a candidate formula are both monotone in
/// the accumulator, so over the reachable interval they are equal everywhere exactly when they are equal on both sides
/// of every step of the stated one and at both ends, provided that the candidate does not wrap inside. All steps are
/// found and all those points compared, so an accepted formula is proven equal, not tested.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "frontend/numerics/accumulator.h"
#include "frontend/numerics/monotone_chain.h"
#include "frontend/numerics/requantize.h"

namespace qlathe {

/// How a kernel computes one output from the accumulator `acc` with the channel's constants, in the usual order of cost
/// on a vector machine. `clamp` is to [lo, hi]; proven not to wrap: clamping may as well be done by saturating packs,
/// or in float before the rounding. float(acc), double(acc): conversions of an int32, half to even. rint: half to even.
enum class RequantFormula {
  kF32Shifted,  ///< clamp(int(rint(fma(as_float(acc + bias), m32, b32))) + zero_point): a sum that starts at bias =
                ///< bits(1.5 * 2^23)
                ///< + something is the bits of a float already, and needs no conversion
  kF32Magic,    ///< t = fma(float(acc), m32, b32) with b32 = 1.5 * 2^23 + zero point; clamp(bits(t) - bits(1.5 * 2^23))
  kF32Fma,      ///< clamp(int(rint(fma(float(acc), m32, b32))))
  kF32Mul,      ///< clamp(int(rint(float(acc) * m32)) + zero_point)
  kF32TwoOffsets,  ///< clamp(int(rint(fma(float(acc), m32, acc < split ? below32 : b32)))): two roundings and ties away
                   ///< from zero take another offset below zero, and steps that no one offset meets may with two
  kF32ThreeOffsets,  ///< the same with above32 from `upper_split` on
  kF64Magic,         ///< t = fma(double(acc), m64, b64) with b64 = 1.5 * 2^52 + zero point; clamp(low32(bits(t)))
  kF64Fma,           ///< clamp(int(rint(fma(double(acc), m64, b64))))
  kF64Sided,         ///< clamp(int(rint(fma(double(acc), m64, acc < 0 ? -b64 : b64))) + zero_point)
  kI64,              ///< clamp(((int64(acc) * mantissa + rounding) >> shift) + zero_point)
  kReference,        ///< the stated requantization itself
};
const char* name(RequantFormula formula);

/// The constants of one channel for its block's formula; the others are 0.
struct RequantConstants {
  float m32 = 0, b32 = 0;
  float below32 = 0, above32 = 0;  ///< offsets of accumulators below `split` and from `upper_split` on
  int32_t split = 0, upper_split = 0;
  double m64 = 0, b64 = 0;
  int64_t mantissa = 0, rounding = 0;
  int32_t shift = 0;
  int32_t bias = 0;  ///< kF32Shifted: what the accumulator is to start with; b64 is then the offset that b32 stands for
  int32_t zero_point = 0;
  int32_t lo = 0, hi = 0;
};

/// The output of `formula` for `acc`: the definition that kernels follow. Not for kReference.
int64_t evaluate(RequantFormula formula, const RequantConstants& constants, int64_t acc);

/// A stated requantization that is neither of the two structs: any monotone function to integers with the line it
/// follows. The caller vouches for monotony.
struct MonotoneFunction {
  std::function<int64_t(int64_t)> value;
  Affine line;
  int32_t lo = -128, hi = 127;  ///< what the function's own clamp cuts to
};

struct ProofOptions {
  /// Tried in this order; kReference is always the last resort.
  std::vector<RequantFormula> formulas = {
      RequantFormula::kF32Magic,      RequantFormula::kF32Fma,          RequantFormula::kF32Mul,
      RequantFormula::kF32TwoOffsets, RequantFormula::kF32ThreeOffsets, RequantFormula::kF64Magic,
      RequantFormula::kF64Fma,        RequantFormula::kF64Sided,        RequantFormula::kI64};
  int64_t block = 16;        ///< channels of a vector block; 0: one formula for all channels
  int neighbours = 8;        ///< how many floats (or mantissas) to either side of the given multiplier may be taken
  int64_t max_steps = 1024;  ///< more output steps than this are not enumerated (16-bit outputs)
};

/// The choice for the channels [first, first + count).
struct ProvenBlock {
  RequantFormula formula = RequantFormula::kReference;
  int64_t first = 0, count = 0;
  std::string reason;  ///< what was proven, and for each cheaper formula where it differs
};

struct RequantProof {
  std::vector<ProvenBlock> blocks;
  std::vector<RequantConstants> channels;

  /// One formula for all blocks.
  bool uniform() const;
  /// For the report: how many blocks use what, and the first block's reason for each formula.
  std::string summary() const;
};

/// `reachable`: one interval per channel, or one for all. Blocks are independent: callers may split the channels at
/// multiples of the block among threads.
RequantProof prove_requantization(std::span<const Requantization> channels,
                                  std::span<const AccumulatorInterval> reachable, const ProofOptions& options = {});
RequantProof prove_requantization(std::span<const MonotoneChain> channels,
                                  std::span<const AccumulatorInterval> reachable, const ProofOptions& options = {});
RequantProof prove_requantization(std::span<const MonotoneFunction> channels,
                                  std::span<const AccumulatorInterval> reachable, const ProofOptions& options = {});

/// Whether `formula` with these constants equals the stated requantization on the whole interval; the empty string, or
/// where it does not, or why that is not known. Independent of how the constants were found.
std::string check_formula(const Requantization& stated, AccumulatorInterval reachable, RequantFormula formula,
                          const RequantConstants& constants);
std::string check_formula(const MonotoneChain& stated, AccumulatorInterval reachable, RequantFormula formula,
                          const RequantConstants& constants);

}  // namespace qlathe
