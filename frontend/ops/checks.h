#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "frontend/ir/op_registry.h"
#include "frontend/ops/contraction.h"

namespace qlathe {

/// Sizes come from files: arithmetic on them saturates instead of overflowing, and a saturated size is refused later.
inline constexpr int64_t kHugeSize = int64_t{1} << 62;
int64_t saturating_add(int64_t a, int64_t b);
int64_t saturating_mul(int64_t a, int64_t b);

/// "axes": every entry in [0, rank), none twice.
Status check_axes(const InferContext& ctx, const std::string& field, const std::vector<int64_t>& axes, int64_t rank);
/// One entry per axis.
Status check_length(const InferContext& ctx, const std::string& field, size_t length, size_t expected);
/// Operand `i` has the rank.
Status check_rank(const InferContext& ctx, size_t i, size_t rank, const std::string& layout);

/// Number of window positions along an axis of `extent` elements (padding included).
Result<int64_t> window_positions(const InferContext& ctx, const std::string& field, const Window& window,
                                 int64_t extent);

/// float32, bfloat16 or float16: the types that float arithmetic takes and gives.
bool is_arithmetic_float(ValueType type);

/// The name of operand `i`, as the registry has it.
std::string operand_name(const Node& node, size_t i);
/// "int8[2x3]"
std::string to_string(const TensorType& type);

}  // namespace qlathe
