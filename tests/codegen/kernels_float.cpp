#include "tests/codegen/kernels.h"

namespace qlathe::testing {

using namespace Halide;

namespace {

Expr fma(Expr a, Expr b, Expr c) {
  return Internal::Call::make(Float(32), "llvm.fma.f32", {a, b, c}, Internal::Call::PureExtern);
}

// exp by a polynomial on the rest after the integer part of x / ln 2: the shape of all our elementary functions.
Expr exp_polynomial(Expr x) {
  x = clamp(x, -87.0f, 88.0f);
  Expr n = floor(x * 1.44269504f + 0.5f);
  Expr r = fma(n, -0.693359375f, x);
  r = fma(n, 2.12194440e-4f, r);
  Expr p = Expr(1.98756915e-4f);
  for (float c : {1.39819995e-3f, 8.33345190e-3f, 4.16657959e-2f, 1.66666656e-1f, 5.00000012e-1f})
    p = fma(p, r, c);
  Expr y = fma(p * r, r, r) + 1.0f;
  return y * reinterpret<float>((cast<int32_t>(n) + 127) << 23);
}

TestKernel pointwise(const std::string& name, Width width, Type in_type, const std::function<Expr(Expr, Expr)>& f,
                     Fill fill = Fill::kAny) {
  const int size = 64, rows = 2;
  ImageParam a(in_type, 2, "a"), b(in_type, 2, "b");
  Var x("x"), y("y"), xv("xv");
  Func out("out");
  out(x, y) = f(a(x, y), b(x, y));
  if (width.vectorized()) out.split(x, x, xv, width.of(in_type.bits() == 64 ? 64 : 32)).vectorize(xv);
  TestKernel test;
  test.pipeline.name = name;
  test.pipeline.inputs = {{a, dense_dims({size, rows})}, {b, dense_dims({size, rows})}};
  test.pipeline.outputs = {{out, dense_dims({size, rows})}};
  test.pipeline.row_loop = "y";
  test.pipeline.row_extent = rows;
  test.fills = {{"a", fill}, {"b", fill}};
  return test;
}

// softmax over rows: maximum, exponentials, a sum of 16 interleaved parts joined by a fixed tree, quotient.
TestKernel softmax(const std::string& name, Width width) {
  const int n = 64, rows = 3;
  ImageParam in(Float(32), 2, "in");
  Var x("x"), y("y"), xv("xv"), p("p");
  Func highest("highest"), e("e"), parts("parts"), half("half"), quarter("quarter"), pair("pair"), out("out");
  RDom r(0, n, "r"), s(0, n / 16, "s");
  highest(y) = -3.0e38f;
  highest(y) = max(highest(y), in(r, y));
  e(x, y) = exp_polynomial(in(x, y) - highest(y));
  parts(p, y) = 0.0f;
  parts(p, y) += e(s * 16 + p, y);
  half(p, y) = parts(p, y) + parts(p + 8, y);
  quarter(p, y) = half(p, y) + half(p + 4, y);
  pair(p, y) = quarter(p, y) + quarter(p + 2, y);
  out(x, y) = e(x, y) / (pair(0, y) + pair(1, y));
  highest.compute_at(out, y).update().rename(r, RVar("k"));
  e.compute_at(out, y);
  parts.compute_at(out, y).bound(p, 0, 16);
  parts.update().reorder(p, s).rename(s, RVar("step"));
  half.compute_at(out, y);
  quarter.compute_at(out, y);
  pair.compute_at(out, y);
  if (width.vectorized()) {
    out.split(x, x, xv, width.lanes).vectorize(xv);
    e.split(x, x, xv, width.lanes).vectorize(xv);
    parts.vectorize(p, width.lanes);
    parts.update().vectorize(p, width.lanes);
    half.vectorize(p, 8);
    quarter.vectorize(p, 4);
    pair.vectorize(p, 2);
  }
  TestKernel test;
  test.pipeline.name = name;
  test.pipeline.inputs = {{in, dense_dims({n, rows})}};
  test.pipeline.outputs = {{out, dense_dims({n, rows})}};
  test.pipeline.row_loop = "y";
  test.pipeline.row_extent = rows;
  return test;
}

}  // namespace

TestKernels float_kernels(Width width) {
  const Type f32 = Float(32), f64 = Float(64);
  TestKernels tests = {
      pointwise("exp_poly", width, f32, [](Expr a, Expr) { return exp_polynomial(a); }),
      pointwise(
          "mul_add_strict", width, f32, [](Expr a, Expr b) { return a * b + a; }, Fill::kBits),
      pointwise(
          "mul_sub_strict", width, f32, [](Expr a, Expr b) { return a - a * b * 3.0f; }, Fill::kScale),
      pointwise(
          "fma_all", width, f32, [](Expr a, Expr b) { return fma(a, b, a) - fma(-a, a, b); }, Fill::kBits),
      pointwise(
          "quotient", width, f32, [](Expr a, Expr b) { return a / b; }, Fill::kBits),
      pointwise(
          "root", width, f32, [](Expr a, Expr) { return sqrt(abs(a)); }, Fill::kBits),
      pointwise("roundings", width, f32,
                [](Expr a, Expr b) { return floor(a) + ceil(b) * 2.0f + trunc(a) * 4.0f + round(b); }),
      pointwise("compare_float", width, f32,
                [](Expr a, Expr b) { return select(a < b, min(a, 0.5f), select(a == b, a, max(b, -0.25f))); }),
      pointwise("not_a_number", width, f32, [](Expr a, Expr b) { return select(is_nan(a / b), 1.0f, a); }),
      pointwise("to_integer", width, f32, [](Expr a, Expr b) { return cast<int32_t>(a) + cast<int16_t>(b); }),
      pointwise("to_u8", width, f32, [](Expr a, Expr b) { return cast<uint8_t>(clamp(a * b, 0.0f, 255.0f)); }),
      pointwise("double_precision", width, f64, [](Expr a, Expr b) { return a * b + sqrt(abs(a)) / (b + 0.5f); }),
      pointwise("double_mixed", width, f32,
                [](Expr a, Expr b) { return cast<float>(cast<double>(a) * cast<double>(b) + cast<double>(a)); }),
      pointwise(
          "bf16_round_trip", width, BFloat(16),
          [](Expr a, Expr b) { return cast<bfloat16_t>(cast<float>(a) * cast<float>(b)); }, Fill::kBits),
      pointwise(
          "f16_round_trip", width, Float(16),
          [](Expr a, Expr b) { return cast<float16_t>(cast<float>(a) * cast<float>(b) + 1.0f); }, Fill::kBits),
      pointwise(
          "f16_to_float", width, Float(16), [](Expr a, Expr b) { return cast<float>(a) - cast<float>(b); },
          Fill::kBits),
      softmax("softmax", width),
  };
  return tests;
}

}  // namespace qlathe::testing
