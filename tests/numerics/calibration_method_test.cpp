#include "frontend/numerics/calibration_method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qlathe {
namespace {

using ::testing::HasSubstr;
using Kind = CalibrationMethod::Kind;

std::string problem(std::string_view text) {
  const auto result = parse_calibration_method(text);
  return result.ok() ? "" : result.status().text();
}

TEST(CalibrationMethod, NamesAreReadInAnyCaseWithTheirArguments) {
  EXPECT_EQ(*parse_calibration_method("absmax"), (CalibrationMethod{Kind::kAbsmax, {}, 0, 0}));
  EXPECT_EQ(*parse_calibration_method("AbsMax,0.8"), (CalibrationMethod{Kind::kAbsmax, 0.8f, 0, 0}));
  EXPECT_EQ(*parse_calibration_method("minmax, 1e-1"), (CalibrationMethod{Kind::kMinmax, 0.1f, 0, 0}));
  EXPECT_EQ(*parse_calibration_method("rms,+4"), (CalibrationMethod{Kind::kRms, 4.f, 0, 0}));
  EXPECT_EQ(*parse_calibration_method("fixed,2"), (CalibrationMethod{Kind::kFixed, {}, -2, 2}));
  EXPECT_EQ(*parse_calibration_method("fixed,-0.5,1.5"), (CalibrationMethod{Kind::kFixed, {}, -0.5f, 1.5f}));
}

TEST(CalibrationMethod, TheMethodDecidesWhetherThereIsAZeroPoint) {
  EXPECT_FALSE(parse_calibration_method("absmax")->asymmetric());
  EXPECT_FALSE(parse_calibration_method("rms,3")->asymmetric());
  EXPECT_TRUE(parse_calibration_method("minmax")->asymmetric());
  EXPECT_FALSE(parse_calibration_method("fixed,-1,1")->asymmetric());
  EXPECT_TRUE(parse_calibration_method("fixed,0,1")->asymmetric());
}

TEST(CalibrationMethod, MistakesAreNamed) {
  EXPECT_THAT(problem("entropy"), HasSubstr("unknown calibration method 'entropy'; use absmax"));
  EXPECT_THAT(problem("minmx"), HasSubstr("did you mean 'minmax'?"));
  EXPECT_THAT(problem("rms"), HasSubstr("needs a factor"));
  EXPECT_THAT(problem("fixed"), HasSubstr("needs a range"));
  EXPECT_THAT(problem("fixed,-1,0,1"), HasSubstr("needs a range"));
  EXPECT_THAT(problem("fixed,1,2"), HasSubstr("does not contain 0"));
  EXPECT_THAT(problem("fixed,0"), HasSubstr("is empty"));
  EXPECT_THAT(problem("absmax,half"), HasSubstr("'half', which is not a finite number"));
  EXPECT_THAT(problem("absmax,"), HasSubstr("not a finite number"));
  EXPECT_THAT(problem("fixed,nan"), HasSubstr("not a finite number"));
  EXPECT_THAT(problem("absmax,inf"), HasSubstr("not a finite number"));
  EXPECT_THAT(problem(""), HasSubstr("unknown calibration method"));
}

}  // namespace
}  // namespace qlathe
