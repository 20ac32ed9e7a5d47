#include <algorithm>
#include <array>
#include <string_view>

#include "codegen/halide/statement_passes.h"

namespace qlathe {

namespace {

// C++11..20 keywords and alternative tokens, then the runtime's functions (runtime/README.md), each part sorted.
constexpr std::array kKeywords = std::to_array<std::string_view>({
    "alignas",     "alignof",  "and",        "and_eq",    "asm",       "auto",         "bitand",
    "bitor",       "bool",     "break",      "case",      "catch",     "char",         "char16_t",
    "char32_t",    "char8_t",  "class",      "co_await",  "co_return", "co_yield",     "compl",
    "concept",     "const",    "const_cast", "consteval", "constexpr", "constinit",    "continue",
    "decltype",    "default",  "delete",     "do",        "double",    "dynamic_cast", "else",
    "enum",        "explicit", "export",     "extern",    "false",     "float",        "for",
    "friend",      "goto",     "if",         "inline",    "int",       "long",         "mutable",
    "namespace",   "new",      "noexcept",   "not",       "not_eq",    "nullptr",      "operator",
    "or",          "or_eq",    "private",    "protected", "public",    "register",     "reinterpret_cast",
    "requires",    "return",   "short",      "signed",    "sizeof",    "static",       "static_assert",
    "static_cast", "struct",   "switch",     "template",  "this",      "thread_local", "throw",
    "true",        "try",      "typedef",    "typeid",    "typename",  "union",        "unsigned",
    "using",       "virtual",  "void",       "volatile",  "wchar_t",   "while",        "xor",
    "xor_eq",
});

constexpr std::array kRuntime = std::to_array<std::string_view>({
    "abs",
    "absd",
    "bits_as",
    "ceil",
    "concat",
    "convert",
    "count_leading_zeros",
    "div_euclid",
    "dot2",
    "dot4",
    "dot4_lane",
    "eq",
    "extract",
    "floor",
    "fma",
    "from_f16",
    "gather",
    "halving_add",
    "halving_sub",
    "interleave",
    "is_finite",
    "is_inf",
    "is_nan",
    "le",
    "load",
    "load_first",
    "load_lanes",
    "load_masked",
    "load_strided",
    "lt",
    "lut",
    "mask_and",
    "mask_not",
    "mask_or",
    "max",
    "min",
    "mod_euclid",
    "mul_shift_right",
    "narrow4",
    "ne",
    "pack4",
    "popcount",
    "ql",
    "ramp",
    "reduce_add",
    "reduce_max",
    "reduce_min",
    "reduce_mul",
    "round",
    "round_to_i32",
    "rounded",
    "rounding_halving_add",
    "rounding_mul_shift_right",
    "rounding_shift_left",
    "rounding_shift_right",
    "sat",
    "saturating_add",
    "saturating_sub",
    "scatter",
    "select",
    "shl",
    "shr",
    "shuffle",
    "slice",
    "splat",
    "splat2",
    "splat4",
    "sqrt",
    "std",
    "store",
    "store_first",
    "store_masked",
    "store_strided",
    "to_f16",
    "trunc",
    "widening_add",
    "widening_mul",
    "widening_sub",
    "wrap_add",
    "wrap_mul",
    "wrap_neg",
    "wrap_sub",
    "zip_hi1",
    "zip_hi2",
    "zip_lo1",
    "zip_lo2",
});

// i8, u16x32, f32x4, bf16...
bool is_type_name(std::string_view name) {
  size_t letters = name.starts_with("bf") ? 2 : name.find_first_of("iuf") == 0 ? 1 : 0;
  if (letters == 0) return false;
  size_t end = name.find_first_not_of("0123456789", letters);
  if (end == letters || letters == name.size()) return false;
  return end == std::string_view::npos || (name[end] == 'x' && end + 1 < name.size() &&
                                           name.find_first_not_of("0123456789", end + 1) == std::string_view::npos);
}

}  // namespace

bool is_reserved_name(const std::string& name) {
  static_assert(std::ranges::is_sorted(kKeywords) && std::ranges::is_sorted(kRuntime));
  return std::ranges::binary_search(kKeywords, name) || std::ranges::binary_search(kRuntime, name) ||
         is_type_name(name) || name.starts_with("QL_") || name.find("__") != std::string::npos;
}

}  // namespace qlathe
