// Compiled with -ffp-contract=fast and FMA instructions (CMakeLists.txt): what a user's compiler may do to emitted
// code.
#include "tests/numerics/contracting_compiler.h"

#include "tests/numerics/function_list.h"

namespace qlathe::elementary {
namespace {

/// A type of its own, so that no instantiation is shared with files compiled without contraction.
struct ContractedAlgebra {
  using F = float;
  using I = int32_t;
  using B = bool;
  static F f32(float x) { return x; }
  static I i32(int32_t x) { return x; }
  static F fma(F a, F b, F c) { return __builtin_fmaf(a, b, c); }
  static F sqrt(F x) { return __builtin_sqrtf(x); }
  static F select(B c, F a, F b) { return c ? a : b; }
  static I select(B c, I a, I b) { return c ? a : b; }
  static I bits(F x) { return __builtin_bit_cast(int32_t, x); }
  static F from_bits(I x) { return __builtin_bit_cast(float, x); }
  static F to_float(I x) { return static_cast<float>(x); }
};

}  // namespace

std::vector<ContractedFunction> contracted_functions() {
  std::vector<ContractedFunction> list;
  for_each_function([&](const char* name, auto function) {
    list.push_back({name, [](const float* x, float* y, int64_t n) {
                      decltype(function) f{};
                      for (int64_t i = 0; i < n; ++i)
                        y[i] = f(ContractedAlgebra{}, x[i]);
                    }});
  });
  return list;
}

float contracted_product_sum(float a, float b, float c) { return a * b + c; }

float contracted_pow(float x, float y) { return pow<ContractedAlgebra>(x, y); }

}  // namespace qlathe::elementary
