#include "schedule/lower/requantize_kernel.h"

#include <algorithm>
#include <cstring>

#include "schedule/halide_algebra.h"
#include "schedule/lane_calls.h"

namespace qlathe {

using Halide::cast;
using Halide::Expr;

namespace {

/// kI64: every channel shifts the lower word away: what is left is arithmetic of 32 bits.
bool upper_word(const RequantChoice& choice) {
  return std::all_of(choice.channels.begin(), choice.channels.end(),
                     [](const RequantConstants& c) { return c.shift >= 32; });
}

/// And every channel rounds by half a unit of at least 2^33, which its shift tells.
bool rounds_by_half(const RequantChoice& choice) {
  return std::all_of(choice.channels.begin(), choice.channels.end(), [](const RequantConstants& c) {
    return c.shift > 32 && c.rounding == int64_t{1} << (c.shift - 1);
  });
}

bool is_f64(RequantFormula f) {
  return f == RequantFormula::kF64Magic || f == RequantFormula::kF64Fma || f == RequantFormula::kF64Sided;
}

/// `b` with the accumulator's sign.
Expr by_sign(const Expr& accumulator, const Expr& b) {
  return Halide::select(accumulator < 0, Halide::Internal::make_zero(b.type()) - b, b);
}

Expr fma(const Expr& a, const Expr& b, const Expr& c) {
  const bool wide = a.type().bits() == 64;
  return Halide::Internal::Call::make(a.type(), wide ? "llvm.fma.f64" : "llvm.fma.f32", {a, b, c},
                                      Halide::Internal::Call::PureExtern);
}

}  // namespace

template <class T, class Get>
RequantKernel::Constants RequantKernel::bind(ValueType type, const std::string& what, Get&& get, FlatOperands& operands,
                                             NodeLowering& lowering) {
  std::vector<T> values;
  for (const RequantConstants& c : choice_.channels)
    values.push_back(static_cast<T>(get(c)));
  const bool uniform =
      std::all_of(values.begin(), values.end(), [&](T v) { return std::memcmp(&v, &values[0], sizeof(T)) == 0; });
  if (uniform) values.resize(1);
  PackedConstant constant;
  constant.name = node_ + "." + what;
  constant.type = type;
  constant.shape = {static_cast<int64_t>(values.size())};
  constant.bytes.resize(values.size() * sizeof(T));
  std::memcpy(constant.bytes.data(), values.data(), constant.bytes.size());
  constant.layout = uniform ? "one for all channels" : "[c]";
  const int index = static_cast<int>(lowering.constants.size());
  lowering.constants.push_back(constant);
  return {operands.constant(constant, index, what), uniform, true};
}

RequantKernel::RequantKernel(const RequantChoice& choice, ValueType out_type, const std::string& node, bool joined,
                             FlatOperands& operands, NodeLowering& lowering)
    : choice_(choice),
      out_type_(out_type),
      node_(node),
      joined_(joined && !is_f64(choice.formula) && choice.formula != RequantFormula::kI64) {
  const RequantFormula f = choice.formula;
  if (f == RequantFormula::kI64) {
    upper_ = upper_word(choice);
    multiplier_ = bind<int32_t>(
        ValueType::kI32, "multiplier", [](auto& c) { return c.mantissa; }, operands, lowering);
    shift_ = bind<int32_t>(
        ValueType::kI32, "shift", [&](auto& c) { return upper_ ? c.shift - 32 : c.shift; }, operands, lowering);
    if (!rounds_by_half(choice))
      addend_ = bind<int64_t>(
          ValueType::kI64, "rounding", [](auto& c) { return c.rounding; }, operands, lowering);
    zero_ = choice.channels[0].zero_point;
    if (std::any_of(choice.channels.begin(), choice.channels.end(), [&](auto& c) { return c.zero_point != zero_; })) {
      zero_ = 0;
      zero_point_ = bind<int32_t>(
          ValueType::kI32, "zero_point", [](auto& c) { return c.zero_point; }, operands, lowering);
    }
    return;
  }
  if (is_f64(f)) {
    multiplier_ = bind<double>(
        ValueType::kF64, "multiplier", [](auto& c) { return c.m64; }, operands, lowering);
    addend_ = bind<double>(
        ValueType::kF64, "addend", [](auto& c) { return c.b64; }, operands, lowering);
    if (f == RequantFormula::kF64Sided) {
      zero_point_ = bind<int32_t>(
          ValueType::kI32, "zero_point", [](auto& c) { return c.zero_point; }, operands, lowering);
    }
    return;
  }
  multiplier_ = bind<float>(
      ValueType::kF32, "multiplier", [](auto& c) { return c.m32; }, operands, lowering);
  if (f == RequantFormula::kF32Mul || f == RequantFormula::kF32Shifted) {
    const std::optional<int32_t> common = choice.common_zero_point();
    if (common && (joined_ || *common == 0)) {
      zero_ = *common;
    } else {
      zero_point_ = bind<int32_t>(
          ValueType::kI32, "zero_point", [](auto& c) { return c.zero_point; }, operands, lowering);
    }
    if (f == RequantFormula::kF32Mul) return;
  }
  addend_ = bind<float>(
      ValueType::kF32, "addend", [](auto& c) { return c.b32; }, operands, lowering);
  if (f != RequantFormula::kF32TwoOffsets && f != RequantFormula::kF32ThreeOffsets) return;
  addend_below_ = bind<float>(
      ValueType::kF32, "addend_below", [](auto& c) { return c.below32; }, operands, lowering);
  split_ = bind<int32_t>(
      ValueType::kI32, "split", [](auto& c) { return c.split; }, operands, lowering);
  if (f != RequantFormula::kF32ThreeOffsets) return;
  addend_above_ = bind<float>(
      ValueType::kF32, "addend_above", [](auto& c) { return c.above32; }, operands, lowering);
  upper_split_ = bind<int32_t>(
      ValueType::kI32, "upper_split", [](auto& c) { return c.upper_split; }, operands, lowering);
}

Expr RequantKernel::load(const Constants& constants, const Expr& channel) {
  return constants.param(constants.uniform ? Expr(0) : channel);
}

Expr RequantKernel::addend(const Expr& accumulator, const Expr& channel) const {
  Expr b = load(addend_, channel);
  if (upper_split_.present)
    b = Halide::select(accumulator < load(upper_split_, channel), b, load(addend_above_, channel));
  if (!split_.present) return b;
  return Halide::select(accumulator < load(split_, channel), load(addend_below_, channel), b);
}

/// Clamped in float, then moved to where a float's unit is 1: the low byte of the bits is the integer. That is one add
/// and a truncation, where rounding, converting and saturating cost Halide's x86 back end a dozen shuffles. `x` is no
/// bare product, so no compiler can contract the addition.
Expr RequantKernel::low_byte(const Expr& x, float lo, float hi, const Expr& shift) const {
  Expr t = Halide::select(x > lo, x, lo);
  t = Halide::select(t < hi, t, hi);
  if (shift.defined()) t = t + shift;
  return cast<uint8_t>(Halide::reinterpret<uint32_t>(t));
}

/// floor((acc * m + r) / 2^s) with s = 32 + t is floor(upper / 2^t), upper the upper word of the sum: one long
/// multiplication with its addition, where shifting 64 bits by a variable takes ten instructions of a 32-bit processor.
/// Where r is 2^(s - 1) and t > 0 that is floor((upper + 2^(t - 1)) / 2^t), upper the product's upper word. |upper| is
/// at most 2^30, t at most 30: no overflow.
Expr RequantKernel::integer(const Expr& accumulator, const Expr& channel) const {
  const Expr product = cast<int64_t>(accumulator) * cast<int64_t>(load(multiplier_, channel));
  const Expr shift = load(shift_, channel);
  Expr value;
  if (!addend_.present) {
    const Expr upper = cast<int32_t>(product >> Halide::Internal::make_const(Halide::UInt(64), 32));
    const Expr half = (Expr(1) << cast<uint32_t>(shift)) >> Halide::Internal::make_const(Halide::UInt(32), 1);
    value = (upper + half) >> cast<uint32_t>(shift);
  } else if (upper_) {
    const Expr sum = product + load(addend_, channel);
    value = cast<int32_t>(sum >> Halide::Internal::make_const(Halide::UInt(64), 32)) >> cast<uint32_t>(shift);
  } else {
    value = cast<int32_t>((product + load(addend_, channel)) >> cast<uint64_t>(cast<uint32_t>(shift)));
  }
  if (zero_point_.present) value = value + load(zero_point_, channel);
  if (zero_ != 0) value = value + zero_;
  return Halide::clamp(value, choice_.lo, choice_.hi);
}

/// To int32 first, which packs saturate four vectors at a time.
Expr RequantKernel::saturated(const Expr& accumulator, const Expr& channel) const {
  const bool shifted = choice_.formula == RequantFormula::kF32Shifted;
  const Expr x = shifted ? Halide::reinterpret<float>(accumulator) : cast<float>(accumulator);
  const Expr m = load(multiplier_, channel);
  Expr whole;
  if (choice_.formula == RequantFormula::kF32Magic) {
    whole = Halide::reinterpret<int32_t>(fma(x, m, load(addend_, channel))) - 0x4B400000;
  } else if (choice_.formula == RequantFormula::kF32Mul) {
    whole = cast<int32_t>(Halide::round(x * m));
  } else {
    whole = cast<int32_t>(Halide::round(fma(x, m, addend(accumulator, channel))));
  }
  if (zero_point_.present) whole = whole + load(zero_point_, channel);
  const Halide::Type byte = is_signed(out_type_) ? Halide::Int(8) : Halide::UInt(8);
  Expr value = saturated_call(byte, whole, zero_);
  const int64_t least = is_signed(out_type_) ? -128 : 0;
  if (choice_.lo > least) value = Halide::max(value, Halide::Internal::make_const(byte, choice_.lo));
  if (choice_.hi < least + 255) value = Halide::min(value, Halide::Internal::make_const(byte, choice_.hi));
  return value;
}

Expr RequantKernel::apply(const Expr& accumulator, const Expr& channel) const {
  if (choice_.formula == RequantFormula::kI64) {
    const Expr value = integer(accumulator, channel);
    return is_signed(out_type_) ? cast<int8_t>(value) : cast<uint8_t>(value);
  }
  if (joined_) return saturated(accumulator, channel);
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23
  const Expr m = load(multiplier_, channel);
  const auto lo = static_cast<float>(choice_.lo), hi = static_cast<float>(choice_.hi);
  const Expr magic = HalideAlgebra::f32(kMagic);
  Expr byte;
  switch (choice_.formula) {
    case RequantFormula::kF32Magic:
      byte = low_byte(fma(cast<float>(accumulator), m, load(addend_, channel)), kMagic + lo, kMagic + hi, Expr());
      break;
    case RequantFormula::kF32Fma:
    case RequantFormula::kF32TwoOffsets:
    case RequantFormula::kF32ThreeOffsets:
      byte = low_byte(fma(cast<float>(accumulator), m, addend(accumulator, channel)), lo, hi, magic);
      break;
    case RequantFormula::kF32Shifted:
    case RequantFormula::kF32Mul: {
      Expr product;
      if (choice_.formula == RequantFormula::kF32Mul)
        product = cast<float>(accumulator) * m;
      else
        product = fma(Halide::reinterpret<float>(accumulator), m, load(addend_, channel));
      if (!zero_point_.present) {
        byte = low_byte(product, lo, hi, magic);
      } else {
        // The limits before the zero point differ from channel to channel.
        const Expr zp = load(zero_point_, channel);
        const Expr rounded = Halide::select(product > -4096.0f, product, -4096.0f);
        const Expr whole =
            Halide::reinterpret<int32_t>(Halide::select(rounded < 4096.0f, rounded, 4096.0f) + magic) - 0x4B400000 + zp;
        byte = cast<uint8_t>(Halide::clamp(whole, choice_.lo, choice_.hi));
      }
      break;
    }
    case RequantFormula::kF64Sided: {
      const Expr t = fma(cast<double>(accumulator), m, by_sign(accumulator, load(addend_, channel)));
      const Expr whole = cast<int32_t>(Halide::round(t)) + load(zero_point_, channel);
      byte = cast<uint8_t>(Halide::clamp(whole, choice_.lo, choice_.hi));
      break;
    }
    case RequantFormula::kF64Magic:
    case RequantFormula::kF64Fma: {
      const Expr t = fma(cast<double>(accumulator), m, load(addend_, channel));
      const Expr whole = choice_.formula == RequantFormula::kF64Fma ? cast<int32_t>(Halide::round(t))
                                                                    : cast<int32_t>(Halide::reinterpret<int64_t>(t));
      byte = cast<uint8_t>(Halide::clamp(whole, choice_.lo, choice_.hi));
      break;
    }
    default:
      internal_error(__FILE__, __LINE__, "a formula for kernels", name(choice_.formula));
  }
  return is_signed(out_type_) ? Halide::reinterpret<int8_t>(byte) : byte;
}

std::string RequantKernel::key() const {
  std::string key = std::string(joined_ ? "requant joined " : "requant ") + name(choice_.formula) + "," +
                    std::to_string(choice_.lo) + "," + std::to_string(choice_.hi) + "+" + std::to_string(zero_) +
                    (upper_ ? "^" : "") + ",";
  for (const Constants* c :
       {&multiplier_, &addend_, &addend_below_, &addend_above_, &split_, &upper_split_, &shift_, &zero_point_})
    key += c->present ? c->uniform ? "u" : "c" : "-";
  return key;
}

}  // namespace qlathe
