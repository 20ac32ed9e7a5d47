#pragma once

#include <Halide.h>

#include <optional>
#include <set>
#include <string>

namespace qlathe {

/// A register array is a small local allocation that compilers can keep in registers once the loops over it are
/// unrolled: every access is dense, starts at a multiple of its own lanes, the widest access divides the array into at
/// most kMaxRegisters vectors, and every narrower one divides the widest. (Marking by "small extent" instead unrolls
/// the reduction too, which costs g++ 6 % on a 3x3 convolution.)
struct RegisterArray {
  static constexpr int kMaxRegisters = 32;

  int lanes = 1;                ///< of the widest access
  int vectors = 0;              ///< elements / lanes
  std::set<std::string> loops;  ///< loop variables in the indices, bound inside the allocation
  bool uniform = true;          ///< all accesses have `lanes` lanes
};

/// Analyses the accesses in the body of an allocation; nullopt where it is not a register array. Affine lets must have
/// been inlined.
std::optional<RegisterArray> find_register_array(const Halide::Internal::Allocate* allocation);

}  // namespace qlathe
