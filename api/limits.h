#pragma once
/// What a device has room for.
#include <optional>
#include <string>

#include "api/output.h"

namespace qlathe {

struct MemoryLimits {
  std::optional<int64_t> ram, flash;  ///< bytes
};

/// "65536", "64K", "2M": K and M are powers of 1024. `option` is for the message.
Result<int64_t> parse_bytes(const std::string& text, const std::string& option);

/// An error that names each limit that the output does not keep, by how much, and what it consists of.
Status check_limits(const ModelOutput& output, const MemoryLimits& limits);

}  // namespace qlathe
