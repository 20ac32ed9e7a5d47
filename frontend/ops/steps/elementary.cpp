// Functions of one float, by the expressions of numerics/elementary.h.
#include "frontend/numerics/elementary.h"

#include <cmath>

#include "frontend/numerics/convert.h"
#include "frontend/numerics/power_of_two.h"
#include "frontend/ops/steps/rules.h"

namespace qlathe {
namespace {

using A = elementary::ScalarAlgebra;

template <float (*kFunction)(float)>
Value unary(const StepArgs& args, Value v, const Value*) {
  return rounded(args, kFunction(v.f));
}

template <float (*kFunction)(float, float)>
Value with_alpha(const StepArgs& args, Value v, const Value*) {
  return rounded(args, kFunction(v.f, static_cast<float>(args.step.alpha)));
}

float reciprocal(float x) { return 1.f / x; }
float hard_sigmoid(float x) { return elementary::hard_sigmoid<A>(x); }

/// The numbers that power_of_two_scale takes start at 2^-63 (float16: 2^-7); smaller ones count as that.
Value power_of_two_ceil(const StepArgs& args, Value v, const Value*) {
  const float least = args.step.type == ValueType::kF16 ? 0x1p-7f : 0x1p-63f;
  const float scale = round_to(args.step.type, v.f);
  return rounded(args, power_of_two_scale(args.step.type, scale < least ? least : scale));
}

Value pow(const StepArgs& args, Value v, const Value* a) {
  return rounded(args, args.step.swapped ? elementary::pow<A>(a->f, v.f) : elementary::pow<A>(v.f, a->f));
}

const StepRegistry::Add kSteps{std::vector<StepDef>{
    {"neg", 0, 0, 0, all_float, unary<elementary::negate<A>>},
    {"abs", 0, 0, 0, all_float, unary<elementary::abs<A>>},
    {"sqrt", 0, 0, 0, all_float, unary<std::sqrt>},
    {"rsqrt", 0, 0, 0, all_float, unary<elementary::rsqrt<A>>},
    {"exp", 0, 0, 0, all_float, unary<elementary::exp<A>>},
    {"log", 0, 0, 0, all_float, unary<elementary::log<A>>},
    {"sin", 0, 0, 0, all_float, unary<elementary::sin<A>>},
    {"cos", 0, 0, 0, all_float, unary<elementary::cos<A>>},
    {"erf", 0, 0, 0, all_float, unary<elementary::erf<A>>},
    {"floor", 0, 0, 0, all_float, unary<elementary::floor<A>>},
    {"ceil", 0, 0, 0, all_float, unary<elementary::ceil<A>>},
    {"round", 0, 0, 0, all_float, unary<elementary::round_half_even<A>>},
    {"reciprocal", 0, 0, 0, all_float, unary<reciprocal>},
    {"sigmoid", 0, 0, 0, all_float, unary<elementary::sigmoid<A>>},
    {"tanh", 0, 0, 0, all_float, unary<elementary::tanh<A>>},
    {"gelu", 0, 0, 0, all_float, unary<elementary::gelu<A>>},
    {"gelu_tanh", 0, 0, 0, all_float, unary<elementary::gelu_tanh<A>>},
    {"silu", 0, 0, 0, all_float, unary<elementary::silu<A>>},
    {"hard_swish", 0, 0, 0, all_float, unary<elementary::hard_swish<A>>},
    {"hard_sigmoid", 0, 0, 0, all_float, unary<hard_sigmoid>},
    {"softplus", 0, 0, 0, all_float, unary<elementary::softplus<A>>},
    {"elu", 0, 0, 0, all_float, with_alpha<elementary::elu<A>>},
    {"leaky_relu", 0, 0, 0, all_float, with_alpha<elementary::leaky_relu<A>>},
    {"power_of_two_ceil", 0, 0, 0, all_float, power_of_two_ceil},
    {"pow", 1, 1, 0, all_float, pow},
}};

}  // namespace
}  // namespace qlathe
