#include "frontend/numerics/quant_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qlathe {
namespace {

using ::testing::HasSubstr;

TEST(QuantFormat, EveryNameIsFoundWithItsBoundAndRange) {
  const auto int3 = parse_quant_format("int3");
  ASSERT_TRUE(int3.ok());
  EXPECT_EQ((*int3)->bound, 3.5f);
  EXPECT_EQ((*int3)->qmin(), -4);
  EXPECT_EQ((*int3)->qmax(), 3);
  const auto mxfp8 = parse_quant_format("mxfp8");
  ASSERT_TRUE(mxfp8.ok());
  EXPECT_EQ((*mxfp8)->type, ValueType::kF8E4M3);
  EXPECT_EQ((*mxfp8)->tile, 32);
  EXPECT_FALSE((*parse_quant_format("uint8"))->asymmetric);
  EXPECT_FALSE((*parse_quant_format("nf4"))->uniform());
}

TEST(QuantFormat, WideAndUnknownTypesAreRefused) {
  EXPECT_THAT(parse_quant_format("int16").status().text(), HasSubstr("'int16' is wider than one byte"));
  EXPECT_THAT(parse_quant_format("bfloat16").status().text(), HasSubstr("'bfloat16' is wider than one byte"));
  EXPECT_THAT(parse_quant_format("int9").status().text(), HasSubstr("unknown type 'int9'; did you mean 'int"));
  EXPECT_THAT(parse_quant_format("float8_e4m3").status().text(), HasSubstr("did you mean 'float8_e4m3fn'?"));
  EXPECT_THAT(parse_quant_format("").status().text(), HasSubstr("known are: int2, int3"));
}

}  // namespace
}  // namespace qlathe
