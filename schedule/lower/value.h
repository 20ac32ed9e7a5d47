#pragma once
/// How values of every ValueType are stored in buffers and carried in expressions.
#include <Halide.h>

#include <limits>
#include <string>

#include "frontend/ir/graph.h"
#include "frontend/ops/enums.h"

namespace qlathe {

/// A value in flight. Integers of 8 bits and less are Int(8)/UInt(8), bool is Bool, bfloat16 and float16 are float32
/// already rounded, codes (float8, float4, nf4) are UInt(8).
struct FlightValue {
  Halide::Expr expr;
  ValueType type = ValueType::kF32;
  /// Largest magnitude the value can have; infinite where unknown, and then a float may be NaN too. Known bounds save
  /// the NaN and overflow guards of a conversion.
  double bound = std::numeric_limits<double>::infinity();
  /// Smallest magnitude it can have, 0 where unknown: what a division by it can be bounded with.
  double least = 0;

  bool may_be_nan() const { return !(bound < 3e38); }
};

Halide::Type storage_type(ValueType type);  ///< of a buffer element: bfloat16 and float16 are UInt(16), bool UInt(8)
Halide::Type flight_type(ValueType type);

/// What a kernel's code may assume of a tensor's elements, rounded to powers of two so that equal layers share kernels.
struct ElementBounds {
  double bound = std::numeric_limits<double>::infinity();
  double least = 0;
};
ElementBounds element_bounds(const Tensor& tensor);
std::string to_string(const ElementBounds& bounds);  ///< for a kernel's key

FlightValue load_value(ValueType type, Halide::Expr stored);
Halide::Expr store_value(const FlightValue& value);

/// The value as float32: codes decoded, integers converted (half to even).
FlightValue to_float(const FlightValue& value);
/// `x` rounded to bfloat16 or float16 (half to even, overflow to infinity), still float32; float32 is returned as it
/// is.
Halide::Expr round_to_float_type(Halide::Expr x, ValueType type);
/// Step `cast` (frontend/ops/pointwise.h).
FlightValue cast_value(const FlightValue& value, ValueType type, Rounding rounding, double lo, double hi);
/// The integer value of a float32 that is already in [-2^22, 2^22], by `rounding`, as float32.
Halide::Expr round_float(Halide::Expr x, Rounding rounding);

}  // namespace qlathe
