#include "frontend/numerics/brevitas_catalogue.h"

#include <cmath>

namespace qlathe::brevitas {
namespace {

// The families below are how the published names are put together: a number format, a granularity, a restriction of the
// scale, and how the scale and the zero point are found.

void add_int_weights(std::vector<Quantizer>& out) {
  for (bool channel : {false, true}) {
    for (bool fixed : {false, true}) {
      for (Search search : {Search::kNone, Search::kMse, Search::kHqo}) {
        if (fixed && search == Search::kHqo) continue;
        Quantizer q;
        q.name = std::string("Int8WeightPer") + (channel ? "Channel" : "Tensor") + (fixed ? "FixedPoint" : "Float");
        if (search != Search::kNone) q.name += search == Search::kMse ? "MSE" : "HQO";
        q.narrow_range = true;
        q.granularity = channel ? Granularity::kChannel : Granularity::kTensor;
        q.restrict = fixed ? Restrict::kPowerOfTwoCeil : Restrict::kFloat;
        q.scale_search = search;
        out.push_back(q);
      }
    }
  }
}

Quantizer shifted(std::string name, Role role, Granularity granularity, Restrict restrict, Search search) {
  Quantizer q;
  q.name = std::move(name);
  q.role = role;
  q.is_signed = false;
  q.granularity = granularity;
  q.restrict = restrict;
  q.statistic = role == Role::kWeight ? Statistic::kMinMax : Statistic::kPercentileInterval;
  q.zero_point = role == Role::kWeight ? ZeroPoint::kMin : ZeroPoint::kLowPercentile;
  // MSE searches scale and zero point; HQO the zero point alone, which then is no integer.
  q.scale_search = search == Search::kMse ? Search::kMse : Search::kNone;
  q.zero_point_search = search;
  q.quantize_zero_point = search != Search::kHqo;
  return q;
}

void add_shifted(std::vector<Quantizer>& out) {
  using G = Granularity;
  const Search searches[] = {Search::kNone, Search::kMse, Search::kHqo};
  const char* suffixes[] = {"", "MSE", "HQO"};
  for (int s = 0; s < 3; s++) {
    const std::string end = std::string("Float") + suffixes[s];
    out.push_back(
        shifted("ShiftedUint8WeightPerTensor" + end, Role::kWeight, G::kTensor, Restrict::kFloat, searches[s]));
    out.push_back(
        shifted("ShiftedUint8WeightPerChannel" + end, Role::kWeight, G::kChannel, Restrict::kFloat, searches[s]));
    out.push_back(shifted("ShiftedUint8ActPerTensor" + end, Role::kAct, G::kTensor, Restrict::kFloat, searches[s]));
    if (searches[s] == Search::kHqo) continue;
    out.push_back(shifted(std::string("ShiftedUint8ActPerTensorFixedPoint") + suffixes[s], Role::kAct, G::kTensor,
                          Restrict::kPowerOfTwoCeil, searches[s]));
    out.push_back(shifted(std::string("ShiftedMXUInt8Weight") + suffixes[s], Role::kWeight, G::kGroup,
                          Restrict::kPowerOfTwoFloor, searches[s]));
  }
  out.push_back(
      shifted("ShiftedUint8WeightGroupQuantFloat", Role::kWeight, G::kGroup, Restrict::kFloat, Search::kNone));
  out.push_back(
      shifted("ShiftedUint8WeightPerGroupFloatHQO", Role::kWeight, G::kGroup, Restrict::kFloat, Search::kHqo));
}

void add_int_acts(std::vector<Quantizer>& out) {
  for (bool is_signed : {true, false}) {
    for (bool fixed : {false, true}) {
      Quantizer q;
      q.role = Role::kAct;
      q.is_signed = is_signed;
      q.restrict = fixed ? Restrict::kPowerOfTwoCeil : Restrict::kFloat;
      const std::string base = std::string(is_signed ? "Int8" : "Uint8") + "ActPerTensor";
      const std::string family = base + (fixed ? "FixedPoint" : "Float");
      q.statistic = Statistic::kAbsPercentile;
      q.name = family;
      out.push_back(q);
      q.name = family + "MSE";
      q.scale_search = Search::kMse;
      out.push_back(q);
      q.scale_search = Search::kNone;
      q.statistic = Statistic::kRange;
      q.scaling_min_val = 0;
      q.name = family + (is_signed ? "MinMaxInit" : "MaxInit");
      out.push_back(q);
      if (fixed) continue;
      q.statistic = Statistic::kAbsMaxMean;
      q.scaling_min_val = 1e-10;
      q.momentum = -1;
      for (const char* rank : {"1d", "2d"}) {
        q.name = family + "BatchQuant" + rank;
        out.push_back(q);
      }
    }
  }
}

void add_binary_and_ternary(std::vector<Quantizer>& out) {
  for (bool weight : {true, false}) {
    Quantizer q;
    q.role = weight ? Role::kWeight : Role::kAct;
    q.narrow_range = true;
    q.statistic = weight ? Statistic::kConstant : Statistic::kRange;
    q.min_val = -1;
    q.max_val = 1;
    q.scaling_min_val = 0;
    q.name = weight ? "SignedTernaryWeightPerTensorConst" : "SignedTernaryActPerTensorConst";
    q.bit_width = 2;
    out.push_back(q);
    q.name = weight ? "SignedBinaryWeightPerTensorConst" : "SignedBinaryActPerTensorConst";
    q.number = Number::kBinary;
    q.bit_width = 1;
    out.push_back(q);
  }
}

enum class Flavour { kPlain, kOcp, kFnuz };

// OCP reserves codes at the top (all of the last exponent of e5m2, the last mantissa of e4m3); FNUZ moves the bias by
// one; the plain format uses every code for a number.
MinifloatFormat minifloat_format(bool e4m3, Flavour flavour) {
  MinifloatFormat f;
  f.exponent_bits = e4m3 ? 4 : 5;
  f.mantissa_bits = e4m3 ? 3 : 2;
  f.exponent_bias = (1 << (f.exponent_bits - 1)) - (flavour == Flavour::kFnuz ? 0 : 1);
  const float full_mantissa = 2.0f - std::ldexp(1.0f, -f.mantissa_bits);
  f.max_value = std::ldexp(full_mantissa, (1 << f.exponent_bits) - 1 - f.exponent_bias);
  if (flavour == Flavour::kOcp) f.max_value = e4m3 ? 448.0f : 57344.0f;
  return f;
}

void add_minifloats(std::vector<Quantizer>& out) {
  for (bool e4m3 : {true, false}) {
    for (Flavour flavour : {Flavour::kPlain, Flavour::kOcp, Flavour::kFnuz}) {
      const std::string format = std::string(e4m3 ? "Fp8e4m3" : "Fp8e5m2") + (flavour == Flavour::kOcp    ? "OCP"
                                                                              : flavour == Flavour::kFnuz ? "FNUZ"
                                                                                                          : "");
      Quantizer q;
      q.number = Number::kMinifloat;
      q.format = minifloat_format(e4m3, flavour);
      for (Role role : {Role::kWeight, Role::kAct}) {
        q.role = role;
        const std::string base = format + (role == Role::kWeight ? "Weight" : "Act");
        q.name = base;
        q.statistic = Statistic::kUnit;
        out.push_back(q);
        q.statistic = Statistic::kAbsMax;
        for (Search search : {Search::kNone, Search::kMse}) {
          // The plain e5m2 format has no searched weight quantizers.
          if (search == Search::kMse && role == Role::kWeight && !e4m3 && flavour == Flavour::kPlain) continue;
          const std::string end = search == Search::kMse ? "MSE" : "";
          q.scale_search = search;
          q.granularity = Granularity::kTensor;
          q.name = base + "PerTensorFloat" + end;
          out.push_back(q);
          q.granularity = Granularity::kChannel;
          q.name = base + "PerChannelFloat" + (role == Role::kAct ? "2d" : "") + end;
          if (role == Role::kAct) q.unsupported = "activations have one scale per tensor";
          out.push_back(q);
          q.unsupported.clear();
        }
        q.scale_search = Search::kNone;
        q.granularity = Granularity::kTensor;
      }
    }
  }
}

void add_mx(std::vector<Quantizer>& out) {
  for (bool minifloat : {false, true}) {
    Quantizer q;
    q.number = minifloat ? Number::kMinifloat : Number::kInt;
    q.format = minifloat_format(true, Flavour::kOcp);
    q.granularity = Granularity::kGroup;
    q.restrict = Restrict::kPowerOfTwoFloor;
    const std::string base = minifloat ? "MXFloat8e4m3" : "MXInt8";
    q.name = base + "Weight";
    out.push_back(q);
    q.scale_search = Search::kMse;
    q.name = base + "WeightMSE";
    out.push_back(q);
    q.scale_search = Search::kNone;
    q.role = Role::kAct;
    q.name = base + "Act";
    q.unsupported = "its scales are made at run time";
    out.push_back(q);
  }
}

void add_biases(std::vector<Quantizer>& out) {
  for (int bits : {0, 8, 16, 24, 32}) {
    Quantizer q;
    q.role = Role::kBias;
    q.statistic = Statistic::kAccumulator;
    q.bit_width = bits == 0 ? 32 : bits;
    q.name = bits == 0 ? "IntBias" : "Int" + std::to_string(bits) + "Bias";
    out.push_back(q);
  }
  for (bool fixed : {false, true}) {
    Quantizer q;
    q.role = Role::kBias;
    q.restrict = fixed ? Restrict::kPowerOfTwoCeil : Restrict::kFloat;
    q.name = std::string("Int8BiasPerTensor") + (fixed ? "FixedPoint" : "Float") + "InternalScaling";
    out.push_back(q);
  }
}

// Known by name so that the message says why, instead of "unknown".
void add_trained(std::vector<Quantizer>& out) {
  for (const char* name : {"Int4WeightPerTensorFloatDecoupled", "Int8WeightPerChannelFloatDecoupled",
                           "Int4WeightPerTensorFixedPointDecoupled", "Int8WeightNormL2PerChannelFixedPoint",
                           "Int8AccumulatorAwareWeightQuant", "Int8AccumulatorAwareZeroCenterWeightQuant"}) {
    Quantizer q;
    q.name = name;
    q.unsupported = "its scales are trained; give the trained scales or the quantized weights instead";
    out.push_back(q);
  }
}

std::vector<Quantizer> make_catalogue() {
  std::vector<Quantizer> out;
  add_int_weights(out);
  add_shifted(out);
  add_int_acts(out);
  add_binary_and_ternary(out);
  add_minifloats(out);
  add_mx(out);
  add_biases(out);
  add_trained(out);
  return out;
}

}  // namespace

const std::vector<Quantizer>& catalogue() {
  static const std::vector<Quantizer> all = make_catalogue();
  return all;
}

}  // namespace qlathe::brevitas
