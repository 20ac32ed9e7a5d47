#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "frontend/ir/tensor.h"

namespace qlathe::testing {

/// EXPECT_TRUE(same_bits(actual, expected)): types, shapes and every bit. The failure says how many elements differ, by
/// how much at most and shows the first ones with their indices. NaNs of different bits are different.
::testing::AssertionResult same_bits(const HostTensor& actual, const HostTensor& expected);
::testing::AssertionResult same_bits(const std::vector<HostTensor>& actual, const std::vector<HostTensor>& expected);

/// |actual - expected| <= absolute + relative * |expected| everywhere, both widened to double; NaN equals NaN only.
::testing::AssertionResult near(const HostTensor& actual, const HostTensor& expected, double absolute, double relative);

/// Element i as a double, codes decoded.
double real_at(const HostTensor& tensor, int64_t i);
/// "[1,0,3]"
std::string index_text(const Shape& shape, int64_t i);

}  // namespace qlathe::testing
