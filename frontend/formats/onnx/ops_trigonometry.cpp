// Functions of angles and their inverses, of the elementary functions that there are.
#include <numbers>

#include "frontend/formats/onnx/node.h"

namespace qlathe {
namespace {

constexpr float kHalfPi = std::numbers::pi_v<float> / 2, kQuarterPi = std::numbers::pi_v<float> / 4;

/// Short names for the arithmetic on one operand; it computes in float32.
struct Arithmetic {
  OnnxNode& node;

  TensorId number(float value) const { return node.scalar(value); }
  TensorId add(TensorId a, TensorId b) const { return node.binary("add", a, b); }
  TensorId sub(TensorId a, TensorId b) const { return node.binary("sub", a, b); }
  TensorId mul(TensorId a, TensorId b) const { return node.binary("mul", a, b); }
  TensorId div(TensorId a, TensorId b) const { return node.binary("div", a, b); }
  TensorId of(const char* function, TensorId x) const { return node.unary(function, x); }
  TensorId square(TensorId x) const { return mul(x, x); }
  TensorId greater(TensorId a, float b) const { return node.compare("greater", a, number(b)); }
  /// y with the sign of x.
  TensorId with_sign(TensorId x, TensorId y) const {
    return node.select(node.compare("less", x, number(0)), of("neg", y), y);
  }

  /// Cephes' atanf: arguments above tan(3 pi / 8) and tan(pi / 8) are brought below by what atan adds and subtracts.
  TensorId atan(TensorId x) const {
    const TensorId t = of("abs", x), one = number(1);
    const TensorId far = greater(t, 2.414213562373095f), middle = greater(t, 0.4142135623730950f);
    const TensorId base = node.select(far, number(kHalfPi), node.select(middle, number(kQuarterPi), number(0)));
    const TensorId z = node.select(far, of("neg", of("reciprocal", node.select(far, t, one))),
                                   node.select(middle, div(sub(t, one), add(t, one)), t));
    const TensorId w = square(z);
    TensorId p = number(8.05374449538e-2f);
    for (float c : {-1.38776856032e-1f, 1.99777106478e-1f, -3.33329491539e-1f})
      p = add(mul(p, w), number(c));
    return with_sign(x, add(base, add(mul(mul(p, w), z), z)));
  }

  /// asin x = 2 atan(x / (1 + sqrt(1 - x^2))), with 1 - x^2 as (1 - x)(1 + x).
  TensorId asin(TensorId x) const {
    const TensorId one = number(1), root = of("sqrt", mul(sub(one, x), add(one, x)));
    return mul(number(2), atan(div(x, add(one, root))));
  }

  /// acos x = 2 atan(sqrt((1 - x) / (1 + x))), pi at -1.
  TensorId acos(TensorId x) const {
    const TensorId one = number(1), root = of("sqrt", div(sub(one, x), add(one, x)));
    return mul(number(2), atan(root));
  }

  /// Near 0 the difference of exponentials cancels: x + x^3 / 6 + x^5 / 120 there.
  TensorId sinh(TensorId x) const {
    const TensorId w = square(x), near = node.compare("less", of("abs", x), number(0.25f));
    const TensorId series = mul(x, add(number(1), mul(w, add(number(1.0f / 6), mul(w, number(1.0f / 120))))));
    return node.select(near, series, mul(number(0.5f), sub(of("exp", x), of("exp", of("neg", x)))));
  }

  /// sign(x) log(|x| + sqrt(x^2 + 1)); near 0 the series x - x^3 / 6 + 3 x^5 / 40.
  TensorId asinh(TensorId x) const {
    const TensorId t = of("abs", x), w = square(x), near = node.compare("less", t, number(0.125f));
    const TensorId series = mul(x, add(number(1), mul(w, add(number(-1.0f / 6), mul(w, number(3.0f / 40))))));
    return node.select(near, series, with_sign(x, of("log", add(t, of("sqrt", add(w, number(1)))))));
  }

  /// log((1 + x) / (1 - x)) / 2; near 0 the series x + x^3 / 3 + x^5 / 5.
  TensorId atanh(TensorId x) const {
    const TensorId w = square(x), one = number(1), near = node.compare("less", of("abs", x), number(0.125f));
    const TensorId series = mul(x, add(one, mul(w, add(number(1.0f / 3), mul(w, number(1.0f / 5))))));
    return node.select(near, series, mul(number(0.5f), of("log", div(add(one, x), sub(one, x)))));
  }

  TensorId read(const std::string& op, TensorId x) const {
    if (op == "Tan") return div(of("sin", x), of("cos", x));
    if (op == "Atan") return atan(x);
    if (op == "Asin") return asin(x);
    if (op == "Acos") return acos(x);
    if (op == "Sinh") return sinh(x);
    if (op == "Cosh") return mul(number(0.5f), add(of("exp", x), of("exp", of("neg", x))));
    if (op == "Asinh") return asinh(x);
    if (op == "Atanh") return atanh(x);
    // Acosh: x - 1 and x + 1 apart, so that the root is exact near 1.
    return of("log", add(x, of("sqrt", mul(sub(x, number(1)), add(x, number(1))))));
  }
};

void read_trigonometry(OnnxNode& node) {
  const TensorId x = node.in(0);
  const ValueType type = node.type(x).type;
  if (!is_float(type)) node.problem("input", std::string("is ") + name(type) + ", expected real numbers");
  const TensorId y = Arithmetic{node}.read(node.op(), node.cast(x, ValueType::kF32));
  node.result(type == ValueType::kF64 ? y : node.cast(y, type));
}

const OnnxOps::Add kOps({{"Tan", read_trigonometry},
                         {"Atan", read_trigonometry},
                         {"Asin", read_trigonometry},
                         {"Acos", read_trigonometry},
                         {"Sinh", read_trigonometry},
                         {"Cosh", read_trigonometry},
                         {"Asinh", read_trigonometry},
                         {"Atanh", read_trigonometry},
                         {"Acosh", read_trigonometry}});

}  // namespace
}  // namespace qlathe
