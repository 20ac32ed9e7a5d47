#include "frontend/numerics/monotone_chain.h"

#include <algorithm>
#include <cmath>

#include "frontend/numerics/requantize.h"

namespace qlathe {

using Kind = ChainStep::Kind;

int64_t MonotoneChain::operator()(int64_t acc) const {
  int64_t v = acc;
  float f = 0;
  for (const ChainStep& s : steps_) {
    switch (s.kind) {
      case Kind::kAddInt:
        v += s.i;
        break;
      case Kind::kClampInt:
        v = std::clamp(v, s.i, s.j);
        break;
      case Kind::kToFloat:
        f = static_cast<float>(v);
        break;
      case Kind::kMul:
        f *= s.a;
        break;
      case Kind::kDiv:
        f /= s.a;
        break;
      case Kind::kAdd:
        f += s.a;
        break;
      case Kind::kFma:
        f = std::fma(f, s.a, s.b);
        break;
      case Kind::kMax:
        f = f > s.a ? f : s.a;
        break;
      case Kind::kMin:
        f = f < s.a ? f : s.a;
        break;
      case Kind::kRoundHalfEven:
        f = round_half_even(f);
        break;
      case Kind::kRoundHalfAway:
        f = std::round(f);
        break;
      case Kind::kFloor:
        f = std::floor(f);
        break;
      case Kind::kCeil:
        f = std::ceil(f);
        break;
      case Kind::kTruncate:
        f = std::trunc(f);
        break;
      case Kind::kToInt:
        v = std::clamp(static_cast<int64_t>(std::clamp(f, -0x1p62f, 0x1p62f)), s.i, s.j);
        break;
    }
  }
  return v;
}

Affine MonotoneChain::affine() const {
  Affine line{1, 0};
  for (const ChainStep& s : steps_) {
    const double a = s.a;
    if (s.kind == Kind::kAddInt) line.offset += static_cast<double>(s.i);
    if (s.kind == Kind::kAdd) line.offset += a;
    if (s.kind == Kind::kMul) line = {line.slope * a, line.offset * a};
    if (s.kind == Kind::kDiv) line = {line.slope / a, line.offset / a};
    if (s.kind == Kind::kFma) line = {line.slope * a, line.offset * a + static_cast<double>(s.b)};
  }
  return line;
}

std::string MonotoneChain::problem() const {
  bool is_float = false;
  double bound = 0x1p63;  // of the value in flight: an infinity times zero would be NaN
  for (const ChainStep& s : steps_) {
    if (!std::isfinite(s.a) || !std::isfinite(s.b)) return "a constant of the chain is not finite";
    if (s.kind == Kind::kDiv && s.a == 0) return "the chain divides by zero";
    const bool multiplies = s.kind == Kind::kMul || s.kind == Kind::kFma;
    if (multiplies && s.a == 0 && bound > 0x1p127) return "the chain multiplies a value that may be infinite by zero";
    if (multiplies) bound *= std::fabs(static_cast<double>(s.a));
    if (s.kind == Kind::kDiv) bound /= std::fabs(static_cast<double>(s.a));
    bound += std::fabs(static_cast<double>(s.kind == Kind::kFma ? s.b : s.a));
    const bool on_integer = s.kind == Kind::kAddInt || s.kind == Kind::kClampInt || s.kind == Kind::kToFloat;
    if (on_integer == is_float) return "a step of the chain is applied to a value of the wrong type";
    if ((s.kind == Kind::kClampInt || s.kind == Kind::kToInt) && s.i > s.j) return "a clamp of the chain is empty";
    if (s.kind == Kind::kToFloat) is_float = true;
    if (s.kind == Kind::kToInt) is_float = false;
  }
  return is_float ? "the chain ends in a float" : "";
}

}  // namespace qlathe
