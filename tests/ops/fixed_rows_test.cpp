// The operators of integer networks over rows, and the 16-bit sigmoids, against what LiteRT's reference kernels gave
// (tests/numerics/make_litert_goldens.py).
#include "frontend/ops/fixed_rows.h"

#include "frontend/formats/arrays/array_file.h"
#include "frontend/numerics/fixed/litert_tables.h"
#include "tests/ops/op_runner.h"
#include "tests/support/compare.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;
using V = ValueType;

const std::map<std::string, HostTensor>& goldens() {
  static const auto arrays = read_all_arrays(QLATHE_SOURCE_DIR "/tests/numerics/goldens/litert.npz");
  QL_CHECK(arrays.ok(), arrays.status().text());
  return *arrays;
}

struct RowSet {
  float scale = 0;
  int32_t zero_point = 0;
  float beta = 0;
  HostTensor x, y;
};

HostTensor part(const HostTensor& flat, int64_t begin, const Shape& shape) {
  HostTensor out(flat.type(), shape);
  for (int64_t i = 0; i < out.size(); i++)
    out.set_int(i, flat.int_at(begin + i));
  return out;
}

/// The sets of "OPERATOR.operand type.result type": five rows each.
std::vector<RowSet> row_sets(const std::string& key) {
  const HostTensor& params = goldens().at(key + ".params");
  std::vector<RowSet> sets;
  int64_t begin = 0;
  for (int64_t set = 0; set < params.shape()[0]; set++) {
    const auto p = params.as<float>().subspan(static_cast<size_t>(set) * 4, 4);
    const Shape shape = {5, static_cast<int64_t>(p[3])};
    sets.push_back({p[0], static_cast<int32_t>(p[1]), p[2], part(goldens().at(key + ".in"), begin, shape),
                    part(goldens().at(key + ".out"), begin, shape)});
    begin += element_count(shape);
  }
  EXPECT_GE(sets.size(), 4u) << key;
  return sets;
}

TEST(FixedRows, SoftmaxOfBytesEqualsTheReferenceKernels) {
  for (const std::string key : {"int8.int8", "uint8.uint8", "int8.int16", "uint8.int16"}) {
    for (const RowSet& set : row_sets("SOFTMAX." + key)) {
      SoftmaxFixedAttrs attrs;
      attrs.type = set.y.type();
      const LitertSoftmax8 tables = litert_softmax_8(set.scale, set.beta);
      EXPECT_TRUE(same_bits(run_op("softmax_fixed", share(attrs), {set.x, tables.exps}), set.y))
          << key << " " << set.scale;
    }
  }
}

TEST(FixedRows, SoftmaxOfInt16EqualsTheReferenceKernel) {
  for (const RowSet& set : row_sets("SOFTMAX.int16.int16")) {
    const LitertSoftmax16 tables = litert_softmax_16(set.scale, set.beta);
    SoftmaxFixedAttrs attrs;
    attrs.type = V::kI16;
    attrs.multiplier = tables.multiplier.mantissa;
    attrs.shift = tables.multiplier.shift;
    EXPECT_TRUE(same_bits(run_op("softmax_fixed", share(attrs), {set.x, tables.exps, tables.reciprocals}), set.y))
        << set.scale;
  }
}

TEST(FixedRows, LogSoftmaxEqualsTheReferenceKernels) {
  for (const std::string key : {"int8.int8", "uint8.uint8"}) {
    for (const RowSet& set : row_sets("LOG_SOFTMAX." + key)) {
      const LitertSoftmax8 tables = litert_softmax_8(set.scale, 1);
      LogSoftmaxFixedAttrs attrs;
      attrs.diff_min = tables.diff_min;
      attrs.multiplier = tables.reverse.mantissa;
      attrs.shift = tables.reverse.shift;
      EXPECT_TRUE(same_bits(run_op("log_softmax_fixed", share(attrs), {set.x, tables.exps, tables.diffs}), set.y))
          << key << " " << set.scale;
    }
  }
}

TEST(FixedRows, L2NormalizationEqualsTheReferenceKernels) {
  for (const std::string key : {"int8.int8", "uint8.uint8"}) {
    for (const RowSet& set : row_sets("L2_NORMALIZATION." + key)) {
      L2NormalizeFixedAttrs attrs;
      attrs.zero_point = set.zero_point;
      EXPECT_TRUE(same_bits(run_op("l2_normalize_fixed", share(attrs), {set.x}), set.y))
          << key << " " << set.zero_point;
    }
  }
}

/// cast, mul, shift_right and the lookup, as litert_logistic_16 says.
TEST(FixedRows, SigmoidsOfInt16EqualTheReferenceKernels) {
  for (const std::string op : {"LOGISTIC", "TANH"}) {
    const HostTensor &params = goldens().at(op + ".int16.params"), &out = goldens().at(op + ".int16.out");
    const HostTensor& x = goldens().at("x16");
    for (int64_t set = 0; set < params.shape()[0]; set++) {
      const float scale = params.as<float>()[static_cast<size_t>(set) * 6];
      const LitertSigmoid16 s = op == "TANH" ? litert_tanh_16(scale) : litert_logistic_16(scale);
      PointwiseStep shift = step("shift_right", {}, V::kI32);
      shift.shift_right = s.shift;
      shift.rounding = Rounding::kHalfUp;
      const HostTensor y = run_op("pointwise",
                                  chain({step("cast", {}, V::kI32), step("mul", {1}, V::kI32), shift,
                                         step(op == "TANH" ? "tanh_lookup" : "logistic_lookup", {2}, V::kI16)}),
                                  {x, i32({}, {s.multiplier}), sigmoid_table()});
      EXPECT_TRUE(same_bits(y, part(out, set * x.size(), x.shape()))) << op << " " << scale;
    }
  }
}

TEST(FixedRows, SigmoidLookupsEndInTheirLimits) {
  const HostTensor x = i32({5}, {INT32_MIN, INT32_MAX, 0, 255 << 9, -(255 << 9)});
  EXPECT_TRUE(same_bits(run_op("pointwise", chain({step("logistic_lookup", {1}, V::kI16)}), {x, sigmoid_table()}),
                        HostTensor::of<int16_t>(V::kI16, {5}, {1, 32767, 16384, 32767, 1})));
  EXPECT_TRUE(same_bits(run_op("pointwise", chain({step("tanh_lookup", {1}, V::kI16)}), {x, sigmoid_table()}),
                        HostTensor::of<int16_t>(V::kI16, {5}, {-32767, 32767, 0, 32767, -32767})));
}

TEST(FixedRows, EqualNumbersShareOneEvenly) {
  // Four equal ones: a quarter is 64 / 256.
  const LitertSoftmax8 tables = litert_softmax_8(0.1f, 1);
  EXPECT_TRUE(same_bits(run_op("softmax_fixed", share(SoftmaxFixedAttrs{}), {i8({1, 4}, {5, 5, 5, 5}), tables.exps}),
                        i8({1, 4}, {-64, -64, -64, -64})));
}

TEST(FixedRows, AnyTableHasADefinedResult) {
  // Sums of 0, below 0 and beyond 32 bits.
  for (int32_t entry : {0, INT32_MIN, INT32_MAX, -1}) {
    const HostTensor table = i32({256}, std::vector<int32_t>(256, entry));
    const HostTensor x = i8({1, 5000}, std::vector<int8_t>(5000, 3));
    EXPECT_EQ(run_op("softmax_fixed", share(SoftmaxFixedAttrs{}), {x, table}).size(), 5000);
    EXPECT_EQ(run_op("log_softmax_fixed", share(LogSoftmaxFixedAttrs{}), {x, table, table}).size(), 5000);
  }
  const HostTensor zeros = HostTensor(V::kI16, {513});
  SoftmaxFixedAttrs attrs;
  attrs.type = V::kI16;
  EXPECT_EQ(run_op("softmax_fixed", share(attrs), {HostTensor(V::kI16, {3}), zeros, zeros}).int_at(0), 0);
}

TEST(FixedRows, RefuseWhatTheyDoNotTake) {
  const HostTensor x = i8({1, 2}, {0, 0}), exps = i32({256}, std::vector<int32_t>(256));
  const HostTensor wide(V::kI16, {2}), table(V::kI16, {513});
  SoftmaxFixedAttrs attrs;
  EXPECT_THAT(error_of("softmax_fixed", share(attrs), {i32({2}, {0, 0}), exps}),
              HasSubstr("expected int8, uint8 or int16"));
  EXPECT_THAT(error_of("softmax_fixed", share(attrs), {x, table}), HasSubstr("expected int32 256"));
  EXPECT_THAT(error_of("softmax_fixed", share(attrs), {wide, table}), HasSubstr("is missing for int16"));
  EXPECT_THAT(error_of("softmax_fixed", share(attrs), {wide, table, table}), HasSubstr("expected int16"));
  attrs.type = V::kF32;
  EXPECT_THAT(error_of("softmax_fixed", share(attrs), {x, exps}), HasSubstr("is float32"));
  attrs.type = V::kI8;
  attrs.shift = 31;
  EXPECT_THAT(error_of("softmax_fixed", share(attrs), {x, exps}), HasSubstr("31 is outside -31 to 30"));
  L2NormalizeFixedAttrs l2;
  l2.zero_point = 128;
  EXPECT_THAT(error_of("l2_normalize_fixed", share(l2), {x}), HasSubstr("128 is outside -128 to 127"));
  EXPECT_THAT(error_of("l2_normalize_fixed", share(L2NormalizeFixedAttrs{}), {HostTensor(V::kI8, {3, 0})}),
              HasSubstr("last axis with elements"));
}

}  // namespace
}  // namespace qlathe::testing
