#pragma once
#include <optional>
#include <string>
#include <vector>

#include "frontend/formats/spec/builder.h"

namespace qlathe {

/// Padding of every spatial axis.
struct Padding {
  std::vector<int64_t> lo, hi;
};

/// A field with one integer per spatial axis, or one for all; `fallback` where it is missing. Nothing after a problem.
std::optional<std::vector<int64_t>> per_axis(SpecNode& node, const std::string& key, size_t axes,
                                             std::vector<int64_t> fallback);

/// The field `padding`: "SAME", "VALID", or one [lo, hi] per axis. With SAME the result has ceil(extent / stride)
/// positions, and an odd total puts the extra element at the end. `window` is the extent that a window covers.
std::optional<Padding> read_padding(SpecNode& node, const std::string& fallback, const std::vector<int64_t>& extent,
                                    const std::vector<int64_t>& window, const std::vector<int64_t>& strides);

/// The field `padding` as explicit pairs, nothing (and no problem) where it is a word.
std::optional<Padding> explicit_padding(SpecNode& node, size_t axes);

/// (kernel - 1) * dilation + 1 per axis.
std::vector<int64_t> covered(const std::vector<int64_t>& kernel, const std::vector<int64_t>& dilation);

}  // namespace qlathe
