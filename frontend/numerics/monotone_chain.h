#pragma once

/// An epilogue of one channel as a chain of steps, each monotone in its input: so the whole is monotone in the
/// accumulator, and proof.h can collapse it to one fused multiply-add where that gives the same integers.

#include <cstdint>
#include <string>
#include <vector>

namespace qlathe {

/// One step on the value in flight, which starts as the integer accumulator `v`; `f` is the float it becomes. Float
/// arithmetic is float32, one rounding a step.
struct ChainStep {
  enum class Kind {
    kAddInt,         ///< v + i
    kClampInt,       ///< min(max(v, i), j)
    kToFloat,        ///< f = float(v), half to even
    kMul,            ///< f * a
    kDiv,            ///< f / a
    kAdd,            ///< f + a
    kFma,            ///< fma(f, a, b)
    kMax,            ///< f > a ? f : a
    kMin,            ///< f < a ? f : a
    kRoundHalfEven,  ///< to an integer, still a float
    kRoundHalfAway,
    kFloor,
    kCeil,
    kTruncate,
    kToInt,  ///< v = int(f), f integral, saturated to [i, j]
  };
  Kind kind;
  float a = 0, b = 0;
  int64_t i = 0, j = 0;
};

/// What a chain is when its roundings and clamps are left out: slope * acc + offset.
struct Affine {
  double slope = 0, offset = 0;
  double away = 0;  ///< added to the size of acc * slope: what stands for two roundings, or for ties away from zero
};

class MonotoneChain {
 public:
  MonotoneChain() = default;
  explicit MonotoneChain(std::vector<ChainStep> steps) : steps_(std::move(steps)) {}

  int64_t operator()(int64_t acc) const;
  Affine affine() const;
  const std::vector<ChainStep>& steps() const { return steps_; }
  /// Empty, or why this is no monotone function to integers: a constant that is not finite, a division by zero, steps
  /// out of order, no conversion to an integer in the end.
  std::string problem() const;

 private:
  std::vector<ChainStep> steps_;
};

}  // namespace qlathe
