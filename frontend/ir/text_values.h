#pragma once
#include <optional>
#include <string>

#include "frontend/ir/tensor.h"

namespace qlathe {

// Single numbers of the text form, exact in both directions.

/// Shortest decimal that reads back as the same double, always with '.', 'e', "inf" or "nan", so that it is no integer.
std::string double_text(double value);

/// Element i: integers, bool (0, 1) and codes (float8, float4, nf4, float16) as integers of their bits, codes in
/// hexadecimal; float32, float64 and bfloat16 as the shortest decimal; NaN with its bits, as 0x7fc00000.
std::string element_text(const HostTensor& tensor, int64_t i);

/// A number as the lexer gives it: an integer (decimal or hexadecimal) or a decimal with its text.
struct NumberText {
  std::string text;  // with its sign
  bool hexadecimal = false;
};

/// Sets element i; false where the type cannot hold the number.
bool set_element(HostTensor& tensor, int64_t i, const NumberText& number);

}  // namespace qlathe
