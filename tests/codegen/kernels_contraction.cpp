#include "tests/codegen/kernels.h"

namespace qlathe::testing {

using namespace Halide;

namespace {

Expr i32(Expr e) { return cast<int32_t>(e); }

// acc + a * b over k, of any operand types, reduction factor `kr`; stores the accumulator.
TestKernel dot_sums(const std::string& name, Width width, Type a_type, Type b_type, int kr) {
  const int lanes = width.lanes, k = 8 * kr, n = 2 * lanes, m = 6;
  ImageParam a(a_type, 2, "a"), b(b_type, 4, "b");
  Var i("i"), j("j"), jv("jv");
  Func acc("acc"), out("out");
  RDom r(0, kr, 0, k / kr, "r");
  acc(j, i) = 7;
  acc(j, i) += i32(a(r.y * kr + r.x, i)) * i32(b(r.x, j % lanes, r.y, j / lanes));
  out(j, i) = acc(j, i);
  out.split(j, j, jv, lanes).reorder(jv, j, i);
  acc.compute_at(out, i).split(j, j, jv, lanes).reorder(jv, j, i);
  acc.update().split(j, j, jv, lanes).reorder(r.x, jv, j, i, r.y);
  if (width.vectorized()) {
    out.vectorize(jv);
    acc.vectorize(jv);
    acc.update().atomic().vectorize(jv).vectorize(r.x);
  }
  acc.update().rename(r.x, RVar("kr")).rename(r.y, RVar("k"));
  TestKernel test;
  test.pipeline.name = name;
  test.pipeline.inputs = {{a, dense_dims({k, m})}, {b, dense_dims({kr, lanes, k / kr, n / lanes})}};
  test.pipeline.outputs = {{out, dense_dims({n, m})}};
  test.pipeline.row_loop = "i";
  test.pipeline.row_extent = m;
  test.printed = {kr == 4 ? "dot4(" : "dot2("};
  return test;
}

// One accumulator, the reduction vectorized: what a microcontroller's kernel looks like.
TestKernel dot_to_scalar(const std::string& name, Width width) {
  const int k = 64, n = 5;
  ImageParam a(Int(8), 1, "a"), b(Int(8), 2, "b");
  Var j("j");
  Func acc("acc"), out("out");
  RDom r(0, 4, 0, k / 4, "r");
  acc(j) = 0;
  acc(j) += i32(a(r.y * 4 + r.x)) * i32(b(r.y * 4 + r.x, j));
  out(j) = acc(j);
  acc.compute_at(out, j);
  if (width.vectorized()) acc.update().atomic().vectorize(r.x);
  acc.update().rename(r.x, RVar("kr")).rename(r.y, RVar("k"));
  TestKernel test;
  test.pipeline.name = name;
  test.pipeline.inputs = {{a, dense_dims({k})}, {b, dense_dims({k, n})}};
  test.pipeline.outputs = {{out, dense_dims({n})}};
  test.pipeline.row_loop = "j";
  test.pipeline.row_extent = n;
  test.printed = {"dot4("};
  return test;
}

// float accumulators in ascending order of k, a fused multiply-add or two roundings.
TestKernel float_gemm(const std::string& name, Width width, bool fused) {
  const int lanes = width.lanes, k = 37, n = 3 * lanes, m = 4;
  ImageParam a(Float(32), 2, "a"), b(Float(32), 2, "b");
  Var i("i"), j("j"), jv("jv");
  Func acc("acc"), out("out");
  RDom r(0, k, "r");
  acc(j, i) = 0.0f;
  Expr x = a(r, i), y = b(j, r), sum = acc(j, i);
  acc(j, i) =
      fused ? Internal::Call::make(Float(32), "llvm.fma.f32", {x, y, sum}, Internal::Call::PureExtern) : sum + x * y;
  out(j, i) = acc(j, i);
  out.split(j, j, jv, lanes).reorder(jv, j, i);
  acc.compute_at(out, i).split(j, j, jv, lanes).reorder(jv, j, i);
  acc.update().split(j, j, jv, lanes).reorder(jv, j, i, r).rename(r, RVar("k"));
  if (width.vectorized()) {
    out.vectorize(jv);
    acc.vectorize(jv);
    acc.update().vectorize(jv);
  }
  TestKernel test;
  test.pipeline.name = name;
  test.pipeline.inputs = {{a, dense_dims({k, m})}, {b, dense_dims({n, k})}};
  test.pipeline.outputs = {{out, dense_dims({n, m})}};
  test.pipeline.row_loop = "i";
  test.pipeline.row_extent = m;
  test.fills = {{"a", Fill::kScale}};
  test.printed = {fused ? "fma(" : "rounded("};
  return test;
}

}  // namespace

KernelPipeline conv3x3(const std::string& name, Width width, int size, int channels, int out_channels, int pixels) {
  const int lanes = width.lanes;
  ImageParam in(UInt(8), 3, "in"), w(Int(8), 6, "w"), bias(Int(32), 1, "bias"), scale(Float(32), 1, "scale");
  Var c("c"), x("x"), y("y"), xo("xo"), co("co");
  Func acc("acc"), out("out");
  RDom r(0, 4, 0, channels / 4, 0, 3, 0, 3, "r");
  acc(c, x, y) = bias(c);
  acc(c, x, y) += i32(in(r.y * 4 + r.x, x + r.z, y + r.w)) * i32(w(r.x, c % lanes, r.y, r.z, r.w, c / lanes));
  Expr scaled = i32(round(cast<float>(acc(c, x, y)) * scale(c)));
  out(c, x, y) = saturating_cast<int8_t>(saturating_cast<int16_t>(scaled) + cast<int16_t>(3));

  out.split(x, xo, x, pixels).split(c, co, c, lanes).reorder(c, co, x, xo, y);
  acc.compute_at(out, xo).split(c, co, c, lanes).reorder(c, co, x, y);
  acc.update().split(c, co, c, lanes).reorder(r.x, c, co, x, r.y, r.z, r.w);
  if (width.vectorized()) {
    out.vectorize(c);
    acc.vectorize(c);
    acc.update().atomic().vectorize(c).vectorize(r.x);
  }
  acc.update().rename(r.x, RVar("kr")).rename(r.y, RVar("k")).rename(r.z, RVar("kx")).rename(r.w, RVar("ky"));

  KernelPipeline kernel;
  kernel.name = name;
  kernel.inputs = {{in, dense_dims({channels, size + 2, size + 2}), 64},
                   {w, dense_dims({4, lanes, channels / 4, 3, 3, out_channels / lanes}), 64},
                   {bias, dense_dims({out_channels}), 64},
                   {scale, dense_dims({out_channels}), 64}};
  kernel.outputs = {{out, dense_dims({out_channels, size, size}), 64}};
  kernel.row_loop = "y";
  kernel.row_extent = size;
  return kernel;
}

KernelPipeline gemm(const std::string& name, Width width, int m, int n, int k, int rows, int columns) {
  const int lanes = width.lanes;
  ImageParam a(UInt(8), 2, "a"), b(Int(8), 4, "b"), scale(Float(32), 1, "scale");
  Var i("i"), j("j"), io("io"), jo("jo"), jv("jv");
  Func acc("acc"), out("out");
  RDom r(0, 4, 0, k / 4, "r");
  acc(j, i) = 0;
  acc(j, i) += i32(a(r.y * 4 + r.x, i)) * i32(b(r.x, j % lanes, r.y, j / lanes));
  Expr scaled = i32(round(cast<float>(acc(j, i)) * scale(j)));
  out(j, i) = saturating_cast<uint8_t>(saturating_cast<int16_t>(scaled) + cast<int16_t>(128));

  out.split(j, jo, j, columns * lanes).split(j, j, jv, lanes).split(i, io, i, rows, TailStrategy::GuardWithIf);
  out.reorder(jv, j, i, jo, io);
  acc.compute_at(out, jo).store_in(MemoryType::Stack).split(j, j, jv, lanes).reorder(jv, j, i);
  acc.update().split(j, j, jv, lanes).reorder(r.x, jv, j, i, r.y);
  if (width.vectorized()) {
    out.vectorize(jv);
    acc.vectorize(jv);
    acc.update().atomic().vectorize(jv).vectorize(r.x);
  }
  acc.update().rename(r.x, RVar("kr")).rename(r.y, RVar("k"));

  KernelPipeline kernel;
  kernel.name = name;
  kernel.inputs = {
      {a, dense_dims({k, m}), 64}, {b, dense_dims({4, lanes, k / 4, n / lanes}), 64}, {scale, dense_dims({n}), 64}};
  kernel.outputs = {{out, dense_dims({n, m}), 64}};
  kernel.row_loop = "io";
  kernel.row_extent = (m + rows - 1) / rows;
  return kernel;
}

// The dot instruction on four rows interleaved byte by byte; two output rows use one interleaving.
KernelPipeline depthwise3x3(const std::string& name, Width width, int size, int channels, int pixels) {
  const int lanes = width.lanes;
  ImageParam in(UInt(8), 3, "in"), w(Int(8), 4, "w"), scale(Float(32), 1, "scale");
  Var c("c"), x("x"), y("y"), yo("yo"), xo("xo"), cv("cv"), r4("r4"), co("co");
  Func inter("inter"), acc("acc"), out("out");
  RDom r(0, 4, 0, 3, "r");
  // w [parity][kx][c][4]: the filter's rows moved by the parity of the output row.
  inter(r4, c, x, y) = in(c, x, y * 2 + r4);
  acc(c, x, y) = 0;
  acc(c, x, y) += i32(inter(r.x, c, x + r.y, y / 2)) * i32(w(r.x, c, r.y, y % 2));
  out(c, x, y) = saturating_cast<int8_t>(i32(round(cast<float>(acc(c, x, y)) * scale(c))));
  out.bound(y, 0, size).split(y, yo, y, 2).split(x, xo, x, pixels).split(c, co, c, 2 * lanes).split(c, c, cv, lanes);
  out.reorder(cv, c, y, x, xo, co, yo);
  inter.compute_at(out, xo).bound(r4, 0, 4).reorder_storage(r4, c, x, y).reorder(r4, c, x, y);
  acc.compute_at(out, x).split(c, c, cv, lanes).reorder(cv, c, y, x);
  acc.update().split(c, c, cv, lanes).reorder(r.x, cv, c, y, x, r.y);
  if (width.vectorized()) {
    out.vectorize(cv);
    inter.unroll(r4).split(c, c, cv, lanes).vectorize(cv);
    acc.vectorize(cv);
    acc.update().atomic().vectorize(cv).vectorize(r.x);
  }
  acc.update().rename(r.x, RVar("kr")).rename(r.y, RVar("kx"));
  KernelPipeline kernel;
  kernel.name = name;
  kernel.inputs = {{in, dense_dims({channels, size + 2, size + 2}), 64},
                   {w, dense_dims({4, channels, 3, 2}), 64},
                   {scale, dense_dims({channels}), 64}};
  kernel.outputs = {{out, dense_dims({channels, size, size}), 64}};
  kernel.row_loop = "yo";
  kernel.row_extent = size / 2;
  return kernel;
}

TestKernels contraction_kernels(Width width) {
  const int l = width.lanes;
  return {
      {conv3x3("conv_tile4", width, 8, 8, width.vectorized() ? 2 * l : 8, 4), {{"scale", Fill::kScale}}, {}, {"dot4("}},
      {gemm("gemm_tile6", width, 12, 4 * l, 32, 6, 2), {{"scale", Fill::kScale}}, {}, {"dot4(", "splat4<u8x"}},
      {gemm("gemm_tail", width, 10, 4 * l, 32, 4, 2), {{"scale", Fill::kScale}}, {}, {"dot4("}},
      {depthwise3x3("depthwise", width, 8, 4 * l, 4), {{"scale", Fill::kScale}}, {}, {"dot4("}},
      dot_sums("dot_u8_i8", width, UInt(8), Int(8), 4),
      dot_sums("dot_i8_u8", width, Int(8), UInt(8), 4),
      dot_sums("dot_i8_i8", width, Int(8), Int(8), 4),
      dot_sums("dot_u8_u8", width, UInt(8), UInt(8), 4),
      dot_to_scalar("dot_scalar", width),
      float_gemm("gemm_fma", width, true),
      float_gemm("gemm_two_roundings", width, false),
  };
}

}  // namespace qlathe::testing
