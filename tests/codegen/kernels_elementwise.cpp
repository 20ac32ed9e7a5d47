#include "tests/codegen/kernels.h"

namespace qlathe::testing {

using namespace Halide;

namespace {

using Internal::make_const;

using Builder = std::function<Expr(const std::vector<Expr>&)>;

// out[y][x] = f(inputs[y][x]...), vectors of `lanes` along x, the tail as stated; in rows of `size` elements.
TestKernel elementwise(const std::string& name, Width width, const std::vector<Type>& types, int vector_bits,
                       const Builder& f, std::vector<std::string> printed = {}, int size = 64,
                       TailStrategy tail = TailStrategy::Auto) {
  Var x("x"), y("y"), xv("xv");
  Func out("out");
  TestKernel test;
  std::vector<Expr> values;
  const int rows = 3;
  for (size_t i = 0; i < types.size(); ++i) {
    ImageParam in(types[i], 2, std::string(1, static_cast<char>('a' + i)));
    values.push_back(in(x, y));
    test.pipeline.inputs.push_back({in, dense_dims({size, rows})});
  }
  out(x, y) = f(values);
  if (width.vectorized()) out.split(x, x, xv, width.of(vector_bits), tail).vectorize(xv);
  test.pipeline.name = name;
  test.pipeline.outputs = {{out, dense_dims({size, rows})}};
  test.pipeline.row_loop = "y";
  test.pipeline.row_extent = rows;
  test.printed = std::move(printed);
  return test;
}

Expr i16(Expr e) { return cast<int16_t>(e); }
Expr i32(Expr e) { return cast<int32_t>(e); }
Expr i64(Expr e) { return cast<int64_t>(e); }

// TFLite's single rounding: (x * m + 2^(30 - s)) >> (31 - s).
Expr fixed_single(Expr x, int32_t multiplier, int shift) {
  Expr product = i64(x) * make_const(Int(64), multiplier);
  return i32((product + make_const(Int(64), int64_t{1} << (30 + shift))) >> make_const(Int(64), 31 + shift));
}

// TFLite's double rounding: saturating rounding doubling high multiply, then rounding shift, both half away from zero.
Expr fixed_double(Expr x, int32_t multiplier, int shift) {
  Expr product = i64(x) * make_const(Int(64), multiplier);
  Expr nudge = select(product >= 0, make_const(Int(64), 1 << 30), make_const(Int(64), 1 - (1 << 30)));
  Expr sum = product + nudge;
  Expr high = i32(select(sum < 0, -((-sum) >> 31), sum >> 31));
  Expr mask = (1 << shift) - 1, rest = high & mask, threshold = (mask >> 1) + select(high < 0, 1, 0);
  return (high >> shift) + select(rest > threshold, 1, 0);
}

}  // namespace

TestKernels elementwise_kernels(Width width) {
  const Type u8 = UInt(8), i8 = Int(8), s16 = Int(16), u16 = UInt(16), s32 = Int(32), f32 = Float(32);
  TestKernels tests;
  auto add = [&](const std::string& name, const std::vector<Type>& types, int bits, const Builder& f,
                 std::vector<std::string> printed = {}, int size = 64, TailStrategy tail = TailStrategy::Auto) {
    tests.push_back(elementwise(name, width, types, bits, f, std::move(printed), size, tail));
  };
  using V = const std::vector<Expr>&;
  add("sat_add_u8", {u8, u8}, 8, [](V v) { return saturating_add(v[0], v[1]); }, {"saturating_add("});
  add("sat_add_i8", {i8, i8}, 8, [](V v) { return saturating_add(v[0], v[1]); }, {"saturating_add("});
  add("sat_sub_i16", {s16, s16}, 16, [](V v) { return saturating_sub(v[0], v[1]); }, {"saturating_sub("});
  add("add_to_i16", {u8, u8}, 16, [](V v) { return i16(v[0]) + i16(v[1]); });
  add("wrap_i8", {i8, i8}, 8, [](V v) { return v[0] * v[1] + v[0] - v[1]; }, {"wrap_mul("});
  add("wrap_i16", {s16, s16}, 16, [](V v) { return v[0] * v[1] + v[0]; });
  add("wrap_u16", {u16, u16}, 16, [](V v) { return v[0] * v[1] - v[0]; });
  add("clamp_shift", {u8, i8}, 8, [](V v) { return cast<uint8_t>(clamp((i16(v[0]) * i16(v[1]) + 32) >> 6, 0, 255)); });
  add("average", {u8, u8}, 8, [](V v) { return rounding_halving_add(v[0], v[1]); }, {"rounding_halving_add("});
  add("difference", {u8, u8}, 8, [](V v) { return absd(v[0], v[1]); }, {"absd("});
  add("difference_i16", {s16, s16}, 16, [](V v) { return absd(v[0], v[1]); });
  add("magnitude", {i8}, 8, [](V v) { return abs(v[0]); });
  add("min_max", {i8, i8, s16}, 16, [](V v) { return max(min(i16(v[0]), v[2]), i16(v[1])); }, {"min(", "max("});
  add("requant_single", {s32}, 32, [](V v) { return saturating_cast<int8_t>(fixed_single(v[0], 1518500250, 7)); });
  add("requant_double", {s32}, 32, [](V v) { return saturating_cast<int8_t>(fixed_double(v[0], 1518500250, 7)); });
  add("requant_float", {s32, f32}, 32,
      [](V v) { return saturating_cast<uint8_t>(i32(round(min(max(cast<float>(v[0]) * v[1], -1e6f), 1e6f))) + 5); },
      {"round_to_i32("});
  tests.back().fills = {{"b", Fill::kScale}};
  add("requant_magic", {s32, f32}, 32,
      [](V v) {
        Expr scaled = clamp(cast<float>(v[0]) * v[1], -128.0f, 127.0f) + 12582912.0f;
        return cast<int8_t>(reinterpret<int32_t>(scaled) & 255);
      },
      {"bits_as<"});
  tests.back().fills = {{"b", Fill::kScale}};
  add("quantize", {f32}, 32, [](V v) { return saturating_cast<int8_t>(i32(round(v[0] * 8.0f)) + 1); });
  add("dequantize", {i8, f32}, 32, [](V v) { return (cast<float>(v[0]) - 3.0f) * v[1]; });
  add("select_widths", {u8, s32, s32}, 32, [](V v) { return select(v[0] < 100, v[1], v[2]); }, {"select("});
  add("select_logic", {i8, i8, s16}, 16,
      [](V v) { return select((v[0] < v[1] && v[2] > 5) || !(v[0] != 7), i16(v[0]), v[2]); });
  add("compare_store", {s32, s32}, 32, [](V v) { return v[0] <= v[1]; });
  add("bool_to_u8", {s32, s32}, 32, [](V v) { return cast<uint8_t>(v[0] == v[1] || v[0] > 5); });
  add("uniform_condition", {s32, s32}, 32, [](V v) { return select(Var("y") == 1, v[0] & v[1], v[0] ^ ~v[1]); });
  add("nibbles", {u8}, 8, [](V v) { return cast<int8_t>(cast<int8_t>(v[0] << 4) >> 4) + cast<int8_t>(v[0] >> 4); });
  add("variable_shifts", {s32, u8}, 32, [](V v) { return (v[0] >> cast<uint32_t>(v[1] & 31)) + (v[0] >> 3); });
  add("divide_constants", {s32}, 32, [](V v) { return v[0] / 7 + v[0] % 12 + v[0] / 16 + v[0] % 8; });
  add("divide_u8", {u8}, 8, [](V v) { return v[0] / 9 + v[0] % 5; });
  add("divide_values", {s32, s32}, 32, [](V v) { return clamp(v[0], -1000, 1000) / clamp(v[1], -7, 9); });
  tests.back().fills = {{"a", Fill::kSmall}, {"b", Fill::kSmall}};
  add("leading_zeros", {s32}, 32, [](V v) { return count_leading_zeros(v[0] | 1) + popcount(v[0]); });
  add("high_multiply", {s32, s32}, 32, [](V v) { return i32((i64(v[0]) * i64(v[1])) >> 31); }, {"widening_mul("});
  add("rounding_shift", {s16, s16}, 16, [](V v) { return rounding_mul_shift_right(v[0], v[1], 15); });
  add("mul_shift", {u8, u8}, 8, [](V v) { return cast<uint8_t>((cast<uint16_t>(v[0]) * v[1] + 128) >> 8); });
  add("i64_add", {Int(64), s32}, 64, [](V v) { return v[0] + i64(v[1]) * 3; });
  tests.back().fills = {{"a", Fill::kSmall}};
  add("sat_i64", {Int(64)}, 64, [](V v) { return saturating_cast<int32_t>(v[0]); });
  add("sat_all", {s32, s16}, 32, [](V v) {
    return i32(saturating_cast<uint16_t>(v[0])) + i32(saturating_cast<int16_t>(v[0])) +
           i32(saturating_cast<uint8_t>(v[1])) + i32(saturating_cast<int8_t>(v[1]));
  });
  add(
      "tail_shift_inwards", {u8, u8}, 8, [](V v) { return v[0] + v[1]; }, {}, 100, TailStrategy::ShiftInwards);
  add(
      "tail_guard", {s32, s32}, 32, [](V v) { return v[0] & v[1]; }, {}, 43, TailStrategy::GuardWithIf);
  add(
      "tail_predicate", {s32, s32}, 32, [](V v) { return v[0] | v[1]; }, {"store_first("}, 43, TailStrategy::Predicate);
  add(
      "tail_predicate_u8", {u8, u8}, 8, [](V v) { return max(v[0], v[1]); }, {}, 87, TailStrategy::Predicate);
  add(
      "tail_store_only", {u8, u8}, 8, [](V v) { return min(v[0], v[1]); }, {}, 87, TailStrategy::PredicateStores);
  return tests;
}

}  // namespace qlathe::testing
