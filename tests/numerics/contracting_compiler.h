#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace qlathe::elementary {

struct ContractedFunction {
  std::string name;
  void (*apply)(const float* x, float* y, int64_t n);
};

/// The elementary functions (tests/numerics/function_list.h) in the order of the list, compiled with contraction.
std::vector<ContractedFunction> contracted_functions();
float contracted_pow(float x, float y);
/// a * b + c, to know that contraction is on.
float contracted_product_sum(float a, float b, float c);

}  // namespace qlathe::elementary
