#include "frontend/formats/tflite/integer_arithmetic.h"

#include <algorithm>
#include <map>

#include "frontend/numerics/fixed/algebra.h"
#include "frontend/numerics/fixed/row_functions.h"
#include "frontend/numerics/multiplier_of.h"

namespace qlathe {
namespace {

struct Division {
  TfliteQuant a, b, y;
  TfliteRange range;
  QuantizedMultiplier multiplier;

  /// RoundingDivideByPOT; shifts that C++ leaves open as x86 does them.
  static int32_t divide_by_power(int32_t x, int shift) {
    const auto mask = static_cast<int32_t>((uint64_t{1} << (shift & 63)) - 1);
    const int32_t rest = x & mask, threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> (shift & 31)) + (rest > threshold ? 1 : 0);
  }

  /// Of two integers less their zero points.
  int64_t operator()(int32_t n, int32_t d) const {
    // The runtime refuses to run where it divides by zero.
    if (d == 0) return n < 0 ? range.lo : range.hi;
    if (d < 0) {
      n = -n;
      d = -d;
    }
    const auto inverse = fixed::reciprocal<fixed::ScalarAlgebra>(d, 31);
    const int headroom = std::countl_zero(static_cast<uint32_t>(n < 0 ? ~n : n)) - 1;
    const int32_t quotient =
        doubling_high_multiply(static_cast<int32_t>(static_cast<uint32_t>(n) << headroom), inverse.scale);
    const int shift = multiplier.shift - inverse.bits_over_unit - headroom;
    const int64_t scaled = divide_by_power(doubling_high_multiply(quotient, multiplier.mantissa), -shift);
    return std::clamp(scaled + y.zero_point[0], range.lo, range.hi);
  }
};

/// Where every value of an operand stands in a table: the value less the type's lowest, or the place among the values
/// that a constant really has.
struct Places {
  std::vector<int32_t> values;  ///< of each place
  TensorId index;               ///< int32, of the operand's shape
};

Places places_of(TfliteNode& node, size_t i) {
  Places out;
  const ValueType type = node.in_type(i);
  if (const HostTensor* constant = node.data(node.in(i))) {
    std::map<int64_t, int64_t> place;
    for (int64_t e = 0; e < constant->size(); e++)
      place.emplace(constant->int_at(e), 0);
    for (auto& [value, at] : place) {
      at = static_cast<int64_t>(out.values.size());
      out.values.push_back(static_cast<int32_t>(value));
    }
    HostTensor index(ValueType::kI32, constant->shape());
    for (int64_t e = 0; e < constant->size(); e++)
      index.set_int(e, place.at(constant->int_at(e)));
    out.index = node.constant(std::move(index), "place");
    return out;
  }
  for (int64_t v = info(type).min; v <= info(type).max; v++)
    out.values.push_back(static_cast<int32_t>(v));
  const TensorId wide = node.cast(node.in(i), ValueType::kI32);
  out.index = node.binary("sub", wide, node.scalar(ValueType::kI32, static_cast<double>(info(type).min)));
  return out;
}

}  // namespace

TensorId tflite_quantized_division(TfliteNode& node, tflite::ActivationFunctionType function) {
  constexpr size_t kMost = size_t{1} << 20;
  Division divide{node.in_quant(0), node.in_quant(1), node.out_quant(), {}, {}};
  const ValueType type = node.output_type();
  if (type != node.in_type(0)) node.unsupported("output", std::string("is ") + name(type));
  divide.range = tflite_range(node, function, type, divide.y);
  divide.multiplier = multiplier_of(static_cast<double>(divide.a.scale[0] / (divide.b.scale[0] * divide.y.scale[0])));
  const Places a = places_of(node, 0), b = places_of(node, 1);
  if (a.values.size() > kMost / std::max<size_t>(b.values.size(), 1))
    node.unsupported("input", "of 16 bits needs a constant divisor of few values");
  // A table of all quotients.
  const auto columns = static_cast<int64_t>(b.values.size());
  HostTensor table(type, {static_cast<int64_t>(a.values.size()) * columns});
  int64_t at = 0;
  for (const int32_t n : a.values) {
    for (const int32_t d : b.values)
      table.set_int(at++, divide(n - static_cast<int32_t>(divide.a.zero_point[0]),
                                 d - static_cast<int32_t>(divide.b.zero_point[0])));
  }
  const TensorId row = node.binary("mul", a.index, node.scalar(ValueType::kI32, static_cast<double>(columns)));
  return node.gather(node.constant(std::move(table), "quotients"), node.binary("add", row, b.index), 0);
}

TensorId tflite_integer_power(TfliteNode& node) {
  const TensorId x = node.in(0), exponent = node.in(1);
  const bool wraps = element_count(node.shape(exponent)) == 1 && node.shape(x) != node.shape(exponent);
  const ValueType type = wraps ? ValueType::kI32 : ValueType::kI64;
  const HostTensor* known = node.data(exponent);
  const auto number = [&](double value) { return node.scalar(type, value); };
  // What leaves 32 bits stays just outside of them.
  const auto held = [&](TensorId v) {
    if (wraps) return v;
    PointwiseStep clamp = import_step("clamp", type);
    clamp.lo = -0x1p31 - 1;
    clamp.hi = 0x1p31 + 1;
    return node.pointwise(v, {clamp});
  };
  int64_t most = INT32_MAX;
  if (known != nullptr) {
    most = 0;
    for (int64_t e = 0; e < known->size(); e++) {
      if (known->int_at(e) < 0) node.problem("exponent", std::to_string(known->int_at(e)) + " is negative");
      most = std::max(most, known->int_at(e));
    }
  }
  TensorId e = node.cast(exponent, type), power = node.cast(x, type);
  if (!wraps) {
    // Beyond 32 only whether it is even makes a difference: to -1.
    const TensorId odd = node.binary("bitwise_and", e, number(1));
    e = node.select(node.compare("greater", e, number(33)), node.binary("add", number(32), odd), e);
    most = std::min<int64_t>(most, 33);
  }
  TensorId result = node.broadcast(number(1), node.broadcast_shape(node.shape(x), node.shape(exponent)));
  for (int64_t bit = 1; bit <= most; bit *= 2) {
    const TensorId set =
        node.compare("not_equal", node.binary("bitwise_and", e, number(static_cast<double>(bit))), number(0));
    result = held(node.binary("mul", result, node.select(set, power, number(1))));
    if (bit * 2 <= most) power = held(node.binary("mul", power, power));
  }
  if (wraps) return result;
  const TensorId fits = node.binary("and", node.compare("less", result, number(0x1p31)),
                                    node.compare("greater_equal", result, number(-0x1p31)));
  return node.cast(node.select(fits, result, number(-0x1p31)), ValueType::kI32);
}

}  // namespace qlathe
