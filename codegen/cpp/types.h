#pragma once

#include <Halide.h>

#include <stdexcept>
#include <string>

namespace qlathe {

/// Thrown inside the printer where a kernel needs something it does not know; print_kernel makes a Status of it.
class CannotPrint : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// "i32", "f32x16"; float16 and bfloat16 are carried as their bits, "u16". Throws for lanes that are no power of two.
std::string cpp_type(const Halide::Type& type);
/// The type of an element in memory: bool is a byte.
std::string cpp_storage_type(const Halide::Type& type);

/// Literals with the type they are used as: nine digits for float32, casts where C++ has no suffix.
std::string integer_literal(const Halide::Type& type, int64_t value);
std::string unsigned_literal(const Halide::Type& type, uint64_t value);
std::string float_literal(const Halide::Type& type, double value);

}  // namespace qlathe
