#pragma once
/// Proven requantization formulas in kernels. Only .cpp files that build pipelines include this.
#include <string>

#include "schedule/lower/flat_operands.h"
#include "schedule/lower/requantize_choice.h"

namespace qlathe {

/// A choice with its constants bound to kernel parameters.
class RequantKernel {
 public:
  /// `joined`: results come in vectors of 16 int32, several of which are narrowed at once
  /// (codegen/halide/merge_narrowing_stores.cpp).
  RequantKernel(const RequantChoice& choice, ValueType out_type, const std::string& node, bool joined,
                FlatOperands& operands, NodeLowering& lowering);

  /// The stored result for an int32 accumulator; `channel` indexes [slice][n].
  Halide::Expr apply(const Halide::Expr& accumulator, const Halide::Expr& channel) const;
  /// What of it is part of the code.
  std::string key() const;

 private:
  struct Constants {
    Halide::ImageParam param;
    bool uniform = false;
    bool present = false;
  };
  template <class T, class Get>
  Constants bind(ValueType type, const std::string& what, Get&& get, FlatOperands& operands, NodeLowering& lowering);
  static Halide::Expr load(const Constants& constants, const Halide::Expr& channel);

  Halide::Expr saturated(const Halide::Expr& accumulator, const Halide::Expr& channel) const;
  /// The addend of a fma: of several, the one for the accumulator.
  Halide::Expr addend(const Halide::Expr& accumulator, const Halide::Expr& channel) const;
  Halide::Expr integer(const Halide::Expr& accumulator, const Halide::Expr& channel) const;
  Halide::Expr low_byte(const Halide::Expr& x, float lo, float hi, const Halide::Expr& shift) const;

  const RequantChoice& choice_;
  ValueType out_type_;
  std::string node_;
  bool joined_;
  bool upper_ = false;  ///< kI64: the upper word alone is shifted
  int32_t zero_ = 0;    ///< a zero point that is part of the code
  Constants multiplier_, addend_, addend_below_, addend_above_, split_, upper_split_, shift_, zero_point_;
};

}  // namespace qlathe
