#include "schedule/lower/byte_formula.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "frontend/numerics/convert.h"
#include "frontend/ops/pointwise.h"
#include "schedule/lower/byte_values.h"

namespace qlathe {
namespace {

/// The real function that steps approximate: a * first + b * second + offset, or (a - za) * (b - zb) * factor.
struct Line {
  double first = 1, second = 0, offset = 0;
  double zero_point = 0;  ///< the last integer that was added: part of `offset`
  bool product = false;
  double za = 0, zb = 0, factor = 1;
  double away = 0;  ///< what two roundings add to the size before the last one

  void scale(double by) {
    if (product) factor *= by;
    first *= by;
    second *= by;
    offset *= by;
    zero_point *= by;
  }
  void add(double by) {
    offset += by;
    zero_point += by;
  }
};

bool is_byte(ValueType type) { return type == ValueType::kI8 || type == ValueType::kU8; }

/// Reads steps as a line; nothing where one has no place in it. That it follows the steps is no promise: all values are
/// compared afterwards.
class LineReader {
 public:
  explicit LineReader(const LoweringContext& context) : context_(context) {}

  std::optional<Line> read(const std::vector<PointwiseStep>& steps) {
    for (const PointwiseStep& step : steps) {
      if (!add(step)) return std::nullopt;
    }
    // Neither byte may be an operand a second time.
    int64_t bytes = 0;
    for (const PointwiseStep& step : steps)
      bytes +=
          std::count_if(step.operands.begin(), step.operands.end(), [&](int64_t i) { return i == 0 || i == other_; });
    return bytes == (other_ < 0 ? 0 : 1) ? std::optional<Line>(line_) : std::nullopt;
  }
  int64_t other() const { return other_; }

 private:
  std::optional<double> number(const PointwiseStep& step, size_t i) const {
    const Tensor& tensor = context_.in(static_cast<size_t>(step.operands[i]));
    if (!tensor.is_constant() || element_count(tensor.shape()) != 1 || is_code(tensor.type.type)) return std::nullopt;
    if (is_integer(tensor.type.type)) return static_cast<double>(tensor.data->int_at(0));
    return static_cast<double>(to_floats(*tensor.data)[0]);
  }
  /// The step's operand as the second byte: there is one, and it is used once.
  bool take_other(const PointwiseStep& step) {
    if (other_ >= 0 || !is_byte(context_.in(static_cast<size_t>(step.operands[0])).type.type)) return false;
    other_ = step.operands[0];
    return true;
  }
  bool add(const PointwiseStep& step);
  bool join(const PointwiseStep& step, double sign);

  const LoweringContext& context_;
  Line line_;
  int64_t other_ = -1;
};

/// v op (b - zero point) * factor, the operands being b and what gives the factor.
bool LineReader::join(const PointwiseStep& step, double sign) {
  const bool fixed = step.op.ends_with("_requantized");
  const auto multiplier = number(step, 1);
  const size_t zero_at = fixed ? 3 : 2;
  const auto zero_point = step.operands.size() > zero_at ? number(step, zero_at) : std::optional<double>(0.0);
  if (line_.product || !multiplier || !zero_point || !take_other(step)) return false;
  double factor = *multiplier;
  if (fixed) {
    const auto shift = number(step, 2);
    if (!shift) return false;
    factor = std::ldexp(factor, static_cast<int>(*shift) - 31 + static_cast<int>(step.shift_left));
  }
  if (step.swapped && sign < 0) {
    line_.scale(-1);
    sign = 1;
  }
  line_.second = sign * factor;
  line_.offset -= line_.second * *zero_point;
  line_.zero_point = 0;
  return true;
}

bool LineReader::add(const PointwiseStep& step) {
  const std::string& op = step.op;
  if (op == "cast" || op == "relu" || op == "clamp") return step.wraps == false;
  if (op == "shift_right") {
    line_.scale(std::ldexp(1.0, -static_cast<int>(step.shift_right)));
    return true;
  }
  if (op == "add_requantized" || op == "add_dequantized") return join(step, 1);
  if (op == "sub_requantized" || op == "sub_dequantized") return join(step, -1);
  if (op == "mul_centered") {
    // What enters the product is a - za.
    const auto zero_point = step.operands.size() > 1 ? number(step, 1) : std::optional<double>(0.0);
    if (line_.product || line_.first != 1 || line_.second != 0 || !zero_point || !take_other(step)) return false;
    line_.za = -line_.offset;
    line_.zb = *zero_point;
    line_.product = true;
    line_.offset = line_.zero_point = 0;
    return true;
  }
  if (step.operands.empty()) return false;
  const auto a = number(step, 0);
  if (!a) return false;
  if (op == "add") {
    line_.add(*a);
    return true;
  }
  if (op == "sub" && !step.swapped) {
    line_.add(-*a);
    return true;
  }
  if (op == "mul") {
    line_.scale(*a);
    return true;
  }
  const auto second = step.operands.size() > 1 ? number(step, 1) : std::optional<double>(0.0);
  if (!second) return false;
  if (op == "dequantize") {
    line_.add(-*second);
    line_.scale(*a);
    return true;
  }
  if (op == "quantize") {
    line_.scale(1 / *a);
    line_.add(*second);
    return true;
  }
  if (op != "requantize" || !second) return false;
  const auto zero_point = step.operands.size() > 2 ? number(step, 2) : std::optional<double>(0.0);
  if (!zero_point) return false;
  const int exponent = static_cast<int>(*second) - (step.mode == RequantizeMode::kFloat64 ? 0 : 31);
  line_.scale(std::ldexp(*a, exponent));
  line_.away =
      step.mode == RequantizeMode::kFixedDouble && *second < 0 ? std::ldexp(0.5, static_cast<int>(*second)) : 0;
  line_.add(*zero_point);
  return true;
}

/// The node's value for every byte, or every pair of bytes.
struct Values {
  int32_t first_a = 0, first_b = 0;
  int columns = 1;         ///< values of b
  std::vector<int32_t> y;  ///< [256][columns]
  int32_t lo = 0, hi = 0;  ///< the least and the largest
};

Values all_values(const LoweringContext& context, const std::vector<PointwiseStep>& steps, int64_t other) {
  Values out;
  out.first_a = least_byte(context.in(0).type.type);
  if (other >= 0) {
    out.columns = 256;
    out.first_b = least_byte(context.in(static_cast<size_t>(other)).type.type);
  }
  const HostTensor result = values_of_bytes(context, steps, other);
  out.y.resize(static_cast<size_t>(result.size()));
  for (size_t i = 0; i < out.y.size(); i++)
    out.y[i] = static_cast<int32_t>(result.int_at(static_cast<int64_t>(i)));
  const auto [lo, hi] = std::minmax_element(out.y.begin(), out.y.end());
  out.lo = *lo;
  out.hi = *hi;
  return out;
}

int64_t dot(const Values& values, int64_t wa, int64_t wb, size_t i) {
  const auto columns = static_cast<size_t>(values.columns);
  return wa * (values.first_a + static_cast<int64_t>(i / columns)) +
         wb * (values.first_b + static_cast<int64_t>(i % columns));
}

/// Addends with which the linear formula gives all values: an interval, for each value bounds it from both sides.
/// Limits that values are cut to bound it from one.
std::optional<int64_t> addend_for(const Values& values, int64_t wa, int64_t wb, int shift) {
  int64_t least = -(int64_t{1} << 40), most = int64_t{1} << 40;
  const int64_t unit = int64_t{1} << shift;
  for (size_t i = 0; i < values.y.size(); i++) {
    const int64_t y = values.y[i], t = dot(values, wa, wb, i);
    if (y > values.lo) least = std::max(least, y * unit - t);
    if (y < values.hi) most = std::min(most, (y + 1) * unit - 1 - t);
    if (least > most) return std::nullopt;
  }
  return least + (most - least) / 2;
}

bool half_away_is_exact(const Values& values, const ByteFormula& f) {
  for (size_t i = 0; i < values.y.size(); i++) {
    const int64_t t = dot(values, f.first, f.second, i) + f.addend;
    const int64_t y = ((t + (int64_t{1} << (f.shift - 1)) - (t < 0 ? 1 : 0)) >> f.shift) + f.zero_point;
    if (std::clamp<int64_t>(y, f.lo, f.hi) != values.y[i]) return false;
  }
  return true;
}

/// Whether no pair of bytes makes a sum that an int32 does not hold, also with half a unit added.
bool fits(const Values& values, const ByteFormula& f) {
  int64_t largest = 0;
  for (const size_t row : {0, 255}) {
    for (const int column : {0, values.columns - 1}) {
      const size_t i = row * static_cast<size_t>(values.columns) + static_cast<size_t>(column);
      largest = std::max(largest, std::abs(dot(values, f.first, f.second, i)));
    }
  }
  const int64_t alone = std::max(std::abs(int64_t{f.first}), std::abs(int64_t{f.second})) * 255;
  return std::max(largest, alone) + std::abs(int64_t{f.addend}) + (int64_t{1} << f.shift) < (int64_t{1} << 31);
}

constexpr int kNeighbours = 4;  // weights to either side of the nearest that are tried

std::optional<ByteFormula> linear(const Values& values, const Line& line) {
  const double far = 255 * (std::fabs(line.first) + std::fabs(line.second)) + std::fabs(line.offset) + 4;
  if (!(far < 0x1p20)) return std::nullopt;
  ByteFormula f;
  f.lo = values.lo;
  f.hi = values.hi;
  f.shift = std::min(24, 30 - std::ilogb(far));
  const auto wa = std::llround(std::ldexp(line.first, f.shift)), wb = std::llround(std::ldexp(line.second, f.shift));
  const int around = values.columns > 1 ? kNeighbours : 0;
  for (int distance = 0; distance <= kNeighbours + around; distance++) {
    for (int i = -std::min(distance, kNeighbours); i <= std::min(distance, kNeighbours); i++) {
      for (const int j : {distance - std::abs(i), std::abs(i) - distance}) {
        if (std::abs(j) > around) continue;
        f.first = static_cast<int32_t>(wa + i);
        f.second = static_cast<int32_t>(wb + j);
        if (const auto addend = addend_for(values, f.first, f.second, f.shift)) {
          if (std::abs(*addend) >= int64_t{1} << 31) continue;
          f.addend = static_cast<int32_t>(*addend);
          if (fits(values, f)) return f;
        }
        if (j == 0) break;
      }
    }
  }
  // Ties away from zero, which no addend gives.
  f.kind = ByteFormula::Kind::kHalfAway;
  f.first = static_cast<int32_t>(wa);
  f.second = static_cast<int32_t>(wb);
  f.zero_point = static_cast<int32_t>(std::lround(line.zero_point));
  f.addend = static_cast<int32_t>(std::llround(std::ldexp(line.offset - f.zero_point, f.shift)));
  if (fits(values, f) && half_away_is_exact(values, f)) return f;
  return std::nullopt;
}

/// The product's rounding, over all pairs.
bool product_is_exact(const Values& values, const ByteFormula& f) {
  for (size_t i = 0; i < values.y.size(); i++) {
    const auto columns = static_cast<size_t>(values.columns);
    const auto a = values.first_a + static_cast<int32_t>(i / columns) - f.first;
    const auto b = values.first_b + static_cast<int32_t>(i % columns) - f.second;
    const float t = std::nearbyint(std::fma(static_cast<float>(a * b), f.factor, a * b < 0 ? -f.bias : f.bias));
    if (std::clamp<int32_t>(static_cast<int32_t>(t) + f.zero_point, f.lo, f.hi) != values.y[i]) return false;
  }
  return true;
}

std::optional<ByteFormula> product(const Values& values, const Line& line) {
  const double largest = std::max(std::fabs(line.za), std::fabs(line.zb));
  if (!(largest <= 512) || !(std::fabs(line.factor) < 16) || std::fabs(line.offset) > 512) return std::nullopt;
  ByteFormula f;
  f.kind = ByteFormula::Kind::kProduct;
  f.first = static_cast<int32_t>(std::lround(line.za));
  f.second = static_cast<int32_t>(std::lround(line.zb));
  f.zero_point = static_cast<int32_t>(std::lround(line.offset));
  f.lo = values.lo;
  f.hi = values.hi;
  float below = static_cast<float>(line.factor), above = below;
  for (int distance = 0; distance <= 2 * kNeighbours; distance++) {
    for (const float factor : {above, below}) {
      f.factor = factor;
      for (const double bias : {line.away, 0.75 * line.away, 1.25 * line.away}) {
        f.bias = static_cast<float>(bias);
        if (product_is_exact(values, f)) return f;
        if (bias == 0) break;
      }
    }
    below = std::nextafter(below, 0.0f);
    above = std::nextafter(above, HUGE_VALF);
  }
  return std::nullopt;
}

}  // namespace

std::string ByteFormula::key() const {
  char text[200];
  std::snprintf(text, sizeof text, "byte formula %d,%d,%d,%d,%d,%d,%d,%a,%a,%d,%d", static_cast<int>(kind),
                static_cast<int>(other), first, second, addend, zero_point, shift, static_cast<double>(factor),
                static_cast<double>(bias), lo, hi);
  return text;
}

std::optional<ByteFormula> choose_byte_formula(const LoweringContext& context, std::string& note) {
  note.clear();
  const auto& steps = context.node.as<PointwiseAttrs>().steps;
  if (!is_byte(context.in(0).type.type) || !is_byte(context.out().type.type)) return std::nullopt;
  const bool integers = std::any_of(steps.begin(), steps.end(), [](const PointwiseStep& step) {
    return step.op == "mul_centered" || step.op.find("requantize") != std::string::npos || step.op == "quantize";
  });
  LineReader reader(context);
  const auto line = integers ? reader.read(steps) : std::nullopt;
  if (!line) return std::nullopt;
  if (line->product && !context.target.vectorize) return std::nullopt;  // its floats may be slow, or none
  const Values values = all_values(context, steps, reader.other());
  std::optional<ByteFormula> found = line->product ? product(values, *line) : linear(values, *line);
  const std::string all = reader.other() < 0 ? "all 256 values" : "all 65536 pairs";
  if (!found) {
    note = "steps: as stated, no short formula gives " + all;
    return std::nullopt;
  }
  found->other = reader.other();
  const char* kinds[] = {"int32 weights and one shift", "int32 weights and one shift, half away",
                         "float32 factor of the product"};
  note = std::string("steps: ") + kinds[static_cast<int>(found->kind)] + ", equal for " + all;
  return found;
}

}  // namespace qlathe
