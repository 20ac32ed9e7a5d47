// Tables against what LiteRT's reference kernels gave (make_litert_goldens.py).
#include "frontend/numerics/fixed/litert_tables.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frontend/formats/arrays/array_file.h"

namespace qlathe {
namespace {

std::map<std::string, HostTensor> goldens() {
  auto arrays = read_all_arrays(QLATHE_SOURCE_DIR "/tests/numerics/goldens/litert.npz");
  QL_CHECK(arrays.ok(), arrays.status().text());
  return std::move(*arrays);
}

/// As step interpolated_lookup (frontend/ops/pointwise.h).
int64_t interpolated(const HostTensor& table, int64_t x) {
  const int64_t i = (x >> 7) + 256, base = table.int_at(i);
  return base + (((table.int_at(i + 1) - base) * (x & 127) + 64) >> 7);
}

TEST(LitertTables, EqualWhatTheReferenceKernelsGave) {
  const auto arrays = goldens();
  int tables = 0;
  for (const auto& [key, params] : arrays) {
    const size_t dot = key.find('.'), second = key.find('.', dot + 1);
    if (dot == std::string::npos || key.substr(second + 1) != "params") continue;
    LitertUnary u;
    u.op = key.substr(0, dot);
    const std::string kind = key.substr(dot + 1, second - dot - 1);
    u.type = kind == "int8" ? ValueType::kI8 : kind == "uint8" ? ValueType::kU8 : ValueType::kI16;
    const bool wide = u.type == ValueType::kI16;
    if (wide && (u.op == "LOGISTIC" || u.op == "TANH")) continue;  // those are steps of their own
    const HostTensor& out = arrays.at(u.op + "." + kind + ".out");
    const HostTensor& x16 = arrays.at("x16");
    for (int64_t set = 0; set < params.shape()[0]; set++) {
      const auto p = params.as<float>().subspan(static_cast<size_t>(set) * 6, 6);
      u.in_scale = p[0], u.in_zero_point = static_cast<int32_t>(p[1]);
      u.out_scale = p[2], u.out_zero_point = static_cast<int32_t>(p[3]);
      u.alpha = p[4], u.approximate = p[5] != 0;
      const auto table = litert_table(u);
      ASSERT_TRUE(table.ok()) << table.status().text();
      const int64_t n = out.shape()[1];
      const bool positive = u.op == "SQRT" || u.op == "RSQRT";
      for (int64_t i = 0; i < n; i++) {
        int64_t got = 0;
        if (wide) {
          got = interpolated(*table, positive ? std::max<int64_t>(x16.int_at(i), 0) : x16.int_at(i));
        } else {
          const int64_t lowest = info(u.type).min;
          got = table->int_at(positive ? std::max<int64_t>(i, u.in_zero_point - lowest) : i);
        }
        ASSERT_EQ(got, out.int_at(set * n + i)) << key << " set " << set << " element " << i;
      }
      tables++;
    }
  }
  EXPECT_GT(tables, 100);
}

TEST(LitertTables, NumbersWithoutARootOrLogarithmHaveAnEntry) {
  LitertUnary u{"SQRT", ValueType::kI8, 0.1f, 0, 0.05f, -3};
  EXPECT_EQ(litert_table(u)->int_at(0), -3);
  u.op = "RSQRT";
  EXPECT_EQ(litert_table(u)->int_at(0), 127);
  EXPECT_EQ(litert_table(u)->int_at(128), 127);
  u.op = "LOG";
  EXPECT_EQ(litert_table(u)->int_at(128), -128);
}

TEST(LitertTables, RefuseWhatLitertRefuses) {
  LitertUnary u{"HARD_SWISH", ValueType::kI8, 1.0f, 0, 0.001f, 0};
  EXPECT_EQ(litert_table(u).status().text().find("HARD_SWISH has an operand's scale"),
            litert_table(u).status().text().find("HARD_SWISH"));
  EXPECT_FALSE(litert_table(u).ok());
  u = {"COS", ValueType::kI8, 1.0f, 0, 1.0f, 0};
  EXPECT_NE(litert_table(u).status().text().find("COS of int8 has no table"), std::string::npos);
  u = {"TANH", ValueType::kI32, 1.0f, 0, 1.0f, 0};
  EXPECT_FALSE(litert_table(u).ok());
  u = {"TANH", ValueType::kI8, std::nanf(""), 0, 1.0f, 0};
  EXPECT_FALSE(litert_table(u).ok());
}

TEST(LitertTables, SoftmaxSkipsWhatIsBelowItsSmallestDifference) {
  // Steps of 1 = 2^26 / 2^26: a multiplier of 1/2 * 2^27, so 31 * 2^26 / 2^27 = 15.5 steps; exp(-1) = 0.3679.
  const LitertSoftmax8 s = litert_softmax_8(1.0f, 1.0f);
  EXPECT_EQ(s.diff_min, -15);
  EXPECT_EQ(s.exps.int_at(255), INT32_MAX);
  EXPECT_NEAR(static_cast<double>(s.exps.int_at(254)), std::exp(-1.0) * 0x1p31, 512);
  EXPECT_EQ(s.diffs.int_at(254), -(1 << 26));
  EXPECT_EQ(s.exps.int_at(255 - 16), 0);
  EXPECT_GT(s.exps.int_at(255 - 15), 0);
}

}  // namespace
}  // namespace qlathe
