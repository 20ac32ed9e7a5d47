#include "tests/codegen/kernels.h"

namespace qlathe::testing {

using namespace Halide;

namespace {

TestKernel finish(const std::string& name, std::vector<KernelInput> inputs, std::vector<KernelOutput> outputs,
                  const std::string& row_loop, int rows) {
  TestKernel test;
  test.pipeline.name = name;
  test.pipeline.inputs = std::move(inputs);
  test.pipeline.outputs = std::move(outputs);
  test.pipeline.row_loop = row_loop;
  test.pipeline.row_extent = rows;
  return test;
}

TestKernel table(const std::string& name, Width width, Type in_type, Type out_type) {
  ImageParam in(in_type, 2, "in"), entries(out_type, 1, "entries");
  Var x("x"), y("y"), xv("xv");
  Func out("out");
  Expr index = cast<int32_t>(in(x, y));
  out(x, y) = entries(in_type.is_int() ? index + 128 : index);
  if (width.vectorized()) out.split(x, x, xv, width.of(8)).vectorize(xv);
  TestKernel test =
      finish(name, {{in, dense_dims({128, 3})}, {entries, dense_dims({256})}}, {{out, dense_dims({128, 3})}}, "y", 3);
  test.printed = {out_type.bits() == 8 ? "lut<" : "gather<"};
  return test;
}

TestKernel gather_rows(const std::string& name, Width width) {
  ImageParam in(Int(32), 2, "in"), index(Int(32), 1, "index");
  Var x("x"), y("y"), xv("xv");
  Func out("out");
  out(x, y) = in(unsafe_promise_clamped(index(x), 0, 63), y);
  if (width.vectorized()) out.split(x, x, xv, width.lanes).vectorize(xv);
  TestKernel test =
      finish(name, {{in, dense_dims({64, 3})}, {index, dense_dims({64})}}, {{out, dense_dims({64, 3})}}, "y", 3);
  test.fills = {{"index", Fill::kIndex}};
  return test;
}

TestKernel strided(const std::string& name, Width width, Type type, int stride) {
  ImageParam in(type, 2, "in");
  Var x("x"), y("y"), xv("xv");
  Func out("out");
  out(x, y) = in(x * stride, y) + in(x * stride + 1, y);
  if (width.vectorized()) out.split(x, x, xv, width.of(type.bits())).vectorize(xv);
  return finish(name, {{in, dense_dims({64 * stride + 2, 2})}}, {{out, dense_dims({64, 2})}}, "y", 2);
}

TestKernel transposed(const std::string& name, Width width, Type type) {
  ImageParam in(type, 2, "in");
  Var x("x"), y("y"), xv("xv");
  Func out("out");
  out(x, y) = in(y, x);
  if (width.vectorized()) out.split(x, x, xv, width.of(type.bits())).vectorize(xv);
  return finish(name, {{in, dense_dims({64, 64})}}, {{out, dense_dims({64, 64})}}, "y", 64);
}

TestKernel interleaved(const std::string& name, Width width) {
  ImageParam a(UInt(8), 2, "a"), b(UInt(8), 2, "b");
  Var x("x"), y("y"), xv("xv");
  Func out("out");
  out(x, y) = select(x % 2 == 0, a(x / 2, y), b(x / 2, y));
  if (width.vectorized()) out.split(x, x, xv, width.of(8)).vectorize(xv);
  return finish(name, {{a, dense_dims({64, 2})}, {b, dense_dims({64, 2})}}, {{out, dense_dims({128, 2})}}, "y", 2);
}

TestKernel padded(const std::string& name, Width width) {
  ImageParam in(UInt(8), 2, "in");
  Var x("x"), y("y"), xv("xv");
  Func out("out");
  Expr cx = clamp(x - 2, 0, 59), cy = clamp(y - 1, 0, 5);
  Expr inside = x >= 2 && x < 62 && y >= 1 && y < 7;
  out(x, y) = select(inside, in(cx, cy), cast<uint8_t>(7));
  if (width.vectorized()) out.split(x, x, xv, width.of(8)).vectorize(xv);
  return finish(name, {{in, dense_dims({60, 6})}}, {{out, dense_dims({64, 8})}}, "y", 8);
}

// 3x3 stride 2 maximum and average over channels-last data.
TestKernel pooling(const std::string& name, Width width, bool average) {
  const int c_size = 64, size = 4;
  ImageParam in(Int(8), 3, "in");
  Var c("c"), x("x"), y("y"), cv("cv");
  Func acc("acc"), out("out");
  RDom r(0, 3, 0, 3, "r");
  if (average) {
    acc(c, x, y) = cast<int32_t>(0);
    acc(c, x, y) += cast<int32_t>(in(c, x * 2 + r.x, y * 2 + r.y));
    out(c, x, y) = cast<int8_t>((acc(c, x, y) + 4) / 9);
  } else {
    acc(c, x, y) = Int(8).min();
    acc(c, x, y) = max(acc(c, x, y), in(c, x * 2 + r.x, y * 2 + r.y));
    out(c, x, y) = acc(c, x, y);
  }
  const int lanes = width.of(average ? 32 : 8);
  acc.compute_at(out, width.vectorized() ? c : x);
  acc.update().rename(r.x, RVar("kx")).rename(r.y, RVar("ky"));
  if (width.vectorized()) {
    out.split(c, c, cv, lanes).vectorize(cv);
    acc.vectorize(c, lanes);
    acc.update().vectorize(c, lanes);
  }
  return finish(name, {{in, dense_dims({c_size, 2 * size + 1, 2 * size + 1})}},
                {{out, dense_dims({c_size, size, size})}}, "y", size);
}

// Sums and maxima along a row of bytes, the reduction in vectors.
TestKernel row_sums(const std::string& name, Width width, bool maximum) {
  const int n = 128, rows = 5;
  ImageParam in(Int(8), 2, "in");
  Var y("y");
  Func acc("acc"), out("out");
  const int lanes = width.vectorized() ? width.of(8) : 8;
  RDom r(0, lanes, 0, n / lanes, "r");
  if (maximum) {
    acc(y) = Int(8).min();
    acc(y) = max(acc(y), in(r.y * lanes + r.x, y));
  } else {
    acc(y) = 0;
    acc(y) += cast<int32_t>(in(r.y * lanes + r.x, y));
  }
  out(y) = acc(y);
  acc.compute_at(out, y);
  if (width.vectorized()) acc.update().atomic().vectorize(r.x);
  acc.update().rename(r.x, RVar("kv")).rename(r.y, RVar("k"));
  return finish(name, {{in, dense_dims({n, rows})}}, {{out, dense_dims({rows})}}, "y", rows);
}

// An intermediate of more than the stack's share, and one float, one byte slice.
TestKernel scratch_slices(const std::string& name, Width width) {
  const int n = 640, rows = 3;
  ImageParam in(UInt(8), 2, "in");
  Var x("x"), y("y"), xv("xv");
  Func squares("squares"), bytes("bytes"), out("out");
  squares(x, y) = cast<float>(in(x, y)) * 0.5f;
  bytes(x, y) = cast<uint8_t>(in(x, y) + 3);
  out(x, y) = cast<int32_t>(squares((x * 7) % n, y)) + cast<int32_t>(bytes(n - 1 - x, y));
  squares.compute_at(out, y);
  bytes.compute_at(out, y);
  if (width.vectorized()) {
    squares.split(x, x, xv, width.lanes).vectorize(xv);
    bytes.split(x, x, xv, width.lanes).vectorize(xv);
  }
  return finish(name, {{in, dense_dims({n, rows})}}, {{out, dense_dims({n, rows})}}, "y", rows);
}

TestKernel with_scalars(const std::string& name, Width width) {
  ImageParam in(Int(32), 2, "in");
  Param<int32_t> offset("offset"), count("count");
  Var x("x"), y("y"), xv("xv");
  Func out("out");
  out(x, y) = select(x < count, in(x, y) & offset, offset);
  if (width.vectorized()) out.split(x, x, xv, width.lanes).vectorize(xv);
  TestKernel test = finish(name, {{in, dense_dims({64, 2})}}, {{out, dense_dims({64, 2})}}, "y", 2);
  test.pipeline.scalars = {offset, count};
  test.scalars = {1234567, 29};
  return test;
}

TestKernel two_outputs(const std::string& name, Width width) {
  ImageParam in(UInt(8), 2, "in");
  Var x("x"), y("y"), xv("xv");
  Func low("low"), high("high");
  low(x, y) = in(x, y) & 15;
  high(x, y) = cast<int16_t>(in(x, y)) << 3;
  if (width.vectorized()) {
    low.split(x, x, xv, width.of(8)).vectorize(xv);
    high.split(x, x, xv, width.of(16)).vectorize(xv);
  }
  return finish(name, {{in, dense_dims({64, 4})}}, {{low, dense_dims({64, 4})}, {high, dense_dims({64, 4})}}, "y", 4);
}

// Padded rows on both sides, an origin other than zero.
TestKernel padded_strides(const std::string& name, Width width) {
  ImageParam in(UInt(8), 2, "in");
  Var x("x"), y("y"), xv("xv");
  Func out("out");
  out(x, y) = in(x - 1, y) + in(x + 1, y + 1);
  if (width.vectorized()) out.split(x, x, xv, width.of(8)).vectorize(xv);
  return finish(name, {{in, {{130, 1, -1}, {5, 200, 0}}}}, {{out, {{128, 1, 0}, {4, 150, 0}}}}, "y", 4);
}

TestKernel one_row(const std::string& name, Width width) {
  ImageParam in(UInt(8), 1, "in");
  Var x("x"), xv("xv");
  Func out("out");
  out(x) = in(x) ^ cast<uint8_t>(128);
  if (width.vectorized()) out.split(x, x, xv, width.of(8)).vectorize(xv);
  return finish(name, {{in, dense_dims({128})}}, {{out, dense_dims({128})}}, "", 1);
}

// Names that mean something in C++ or the runtime.
TestKernel awkward_names(const std::string& name, Width width) {
  ImageParam in(Int(32), 2, "load");
  Var x("int"), y("splat"), xv("i32x16");
  Func out("min"), half("dot4");
  half(x, y) = in(x, y) >> 1;
  out(x, y) = half(x, y) + half(x + 1, y);
  half.compute_at(out, y);
  if (width.vectorized()) out.split(x, x, xv, width.lanes).vectorize(xv);
  TestKernel test = finish(name, {{in, dense_dims({65, 2})}}, {{out, dense_dims({64, 2})}}, "splat", 2);
  return test;
}

}  // namespace

TestKernels movement_kernels(Width width) {
  TestKernels tests = {
      table("table_u8", width, UInt(8), UInt(8)),
      table("table_i8", width, Int(8), Int(8)),
      table("table_f32", width, UInt(8), Float(32)),
      gather_rows("gather_rows", width),
      strided("stride2_u8", width, UInt(8), 2),
      strided("stride2_i32", width, Int(32), 2),
      strided("stride3_u8", width, UInt(8), 3),
      strided("stride4_i16", width, Int(16), 4),
      transposed("transpose_u8", width, UInt(8)),
      transposed("transpose_i32", width, Int(32)),
      interleaved("interleave_u8", width),
      padded("pad_constant", width),
      pooling("pool_max", width, false),
      pooling("pool_average", width, true),
      row_sums("row_sum", width, false),
      row_sums("row_max", width, true),
      scratch_slices("scratch_slices", width),
      with_scalars("scalar_arguments", width),
      two_outputs("two_outputs", width),
      padded_strides("padded_strides", width),
      one_row("one_row", width),
      awkward_names("awkward_names", width),
  };
  for (const char* name : {"stride2_i32"})
    for (TestKernel& t : tests)
      if (t.pipeline.name == name) t.fills = {{"in", Fill::kSmall}};
  return tests;
}

TestKernels all_kernels(Width width) {
  TestKernels all;
  for (auto* list : {&contraction_kernels, &elementwise_kernels, &float_kernels, &movement_kernels, &lane_kernels}) {
    TestKernels part = list(width);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace qlathe::testing
