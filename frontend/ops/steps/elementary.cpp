// Functions of one float.
#include "frontend/ops/steps/rules.h"

namespace qlathe {
namespace {

std::vector<StepDef> unary_steps() {
  std::vector<StepDef> steps;
  for (const char* name : {"neg",        "abs",          "sqrt",     "rsqrt", "exp",        "log",
                           "sin",        "cos",          "erf",      "floor", "ceil",       "round",
                           "reciprocal", "sigmoid",      "tanh",     "gelu",  "gelu_tanh",  "silu",
                           "hard_swish", "hard_sigmoid", "softplus", "elu",   "leaky_relu", "power_of_two_ceil"}) {
    steps.push_back({name, 0, 0, false, all_float, nullptr});
  }
  steps.push_back({"pow", 1, 1, false, all_float, nullptr});
  return steps;
}

const StepRegistry::Add kSteps{unary_steps()};

}  // namespace
}  // namespace qlathe
