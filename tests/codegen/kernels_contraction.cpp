#include "tests/codegen/kernels.h"

namespace qlathe::testing {

using namespace Halide;

namespace {

Expr i32(Expr e) { return cast<int32_t>(e); }

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
  acc.compute_at(out, jo).split(j, j, jv, lanes).reorder(jv, j, i);
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

}  // namespace qlathe::testing
