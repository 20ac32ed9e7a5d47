#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "frontend/ir/result.h"

namespace qlathe {

/// A parsed `weight_calibration_method` or `act_calibration_method`: "absmax[,f]", "minmax[,f]", "rms,f",
/// "fixed,a", "fixed,lo,hi"; the name in any case.
struct CalibrationMethod {
  enum class Kind { kAbsmax, kMinmax, kRms, kFixed };
  Kind kind = Kind::kAbsmax;
  std::optional<float> factor;  ///< of absmax, minmax and rms; without one nothing is multiplied
  float lo = 0, hi = 0;         ///< of fixed; "fixed,a" is lo = -a, hi = a

  /// The method alone decides: minmax, and fixed unless lo == -hi, give a zero point.
  bool asymmetric() const { return kind == Kind::kMinmax || (kind == Kind::kFixed && lo != -hi); }
  /// fixed gives one scale for the whole tensor, whatever the axes say.
  bool per_tensor() const { return kind == Kind::kFixed; }

  friend bool operator==(const CalibrationMethod&, const CalibrationMethod&) = default;
};

/// Errors: an unknown name, an argument that is not a finite number, rms without a factor, fixed without one or two
/// arguments, a fixed range that is empty or does not contain 0.
Result<CalibrationMethod> parse_calibration_method(std::string_view text);

}  // namespace qlathe
