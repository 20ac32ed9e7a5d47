#include "schedule/lane_calls.h"
#include "tests/codegen/kernels.h"

namespace qlathe::testing {

using namespace Halide;
using namespace Halide::Internal;

namespace {

// out[x][c] = limits(byte(5 * in + z)), `rows` x `vectors` vectors a tile.
TestKernel narrowing(const std::string& name, Type byte, int rows, int vectors, int n, int z) {
  const int lanes = 16, m = 2 * rows;
  ImageParam in(Int(32), 2, "in");
  Var c("c"), x("x"), xo("xo"), co("co"), v("v");
  Func tile("tile"), out("out");
  tile(c, x) = in(c, x) * 5;
  out(c, x) = max(saturated_call(byte, tile(c, x), z), make_const(byte, 3));
  out.split(x, xo, x, rows).split(c, co, c, vectors * lanes).split(c, v, c, lanes).vectorize(c);
  out.reorder(c, v, x, co, xo);
  tile.compute_at(out, co).split(c, v, c, lanes).vectorize(c).reorder(c, v, x);
  TestKernel test;
  test.pipeline.name = name;
  test.pipeline.inputs = {{in, dense_dims({n, m})}};
  test.pipeline.outputs = {{out, dense_dims({n, m})}};
  test.pipeline.row_loop = "xo";
  test.pipeline.row_extent = 2;
  test.fills = {{"in", Fill::kSmall}};
  // Three vectors of a row leave none to make four of.
  test.printed = {vectors == 3 ? "sat<" : "narrow4<"};
  return test;
}

// Every interleaving of two registers, and a pack, as a statement of its own.
TestKernel lanes(const std::string& name) {
  ImageParam bytes(UInt(8), 1, "bytes"), words(Int(32), 1, "words");
  Var i("i");
  Func out("out");
  out(i) = cast<uint8_t>(0);
  const auto load = [](Type type, const std::string& from, int at) {
    return Load::make(type, from, Ramp::make(at, 1, type.lanes()), Buffer<>(), Parameter(), const_true(type.lanes()),
                      ModulusRemainder());
  };
  const Expr a = load(UInt(8, 64), bytes.name(), 0), b = load(UInt(8, 64), bytes.name(), 64);
  std::vector<Expr> quads, values;
  for (int quad = 0; quad < 4; quad++)
    quads.push_back(load(Int(32, 16), words.name(), 16 * quad));
  for (const int width : {1, 2}) {
    for (const bool high : {false, true})
      values.push_back(zip_call(high, width, a, b));
  }
  values.push_back(pack_call(UInt(8), quads, 0));
  values.push_back(pack_call(UInt(8), quads, 100));
  std::vector<Stmt> stores;
  for (const Expr& value : values) {
    stores.push_back(Store::make(out.name(), value, Ramp::make(static_cast<int>(64 * stores.size()), 1, 64),
                                 Parameter(), const_true(64), ModulusRemainder()));
  }
  TestKernel test;
  test.pipeline.name = name;
  test.pipeline.inputs = {{bytes, dense_dims({128})}, {words, dense_dims({64})}};
  test.pipeline.outputs = {{out, dense_dims({static_cast<int>(64 * stores.size())})}};
  test.pipeline.row_loop = "y";
  test.pipeline.body =
      For::make(out.name() + ".s0.y", 0, 1, ForType::Serial, Partition::Never, DeviceAPI::None, Block::make(stores));
  test.fills = {{"words", Fill::kSmall}};
  test.printed = {"zip_lo1(", "zip_hi2(", "pack4<"};
  return test;
}

}  // namespace

TestKernels lane_kernels(Width width) {
  if (width.lanes != 16) return {};
  return {narrowing("narrow_8x4", UInt(8), 8, 4, 64, 0), narrowing("narrow_3x2", UInt(8), 3, 2, 64, 7),
          narrowing("narrow_6x1", Int(8), 6, 1, 16, -9), narrowing("narrow_2x3", Int(8), 2, 3, 96, 0),
          lanes("lanes_of_16_bytes")};
}

}  // namespace qlathe::testing
