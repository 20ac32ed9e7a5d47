#include "frontend/formats/spec/windows.h"

#include <algorithm>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

/// Sizes in files are bounded, so that sums and products of a few of them do not overflow.
constexpr int64_t kMaxSize = int64_t{1} << 30;

}  // namespace

std::optional<std::vector<int64_t>> per_axis(SpecNode& node, const std::string& key, size_t axes,
                                             std::vector<int64_t> fallback) {
  const JsonValue* value = node.fields.find(key);
  if (!value) return fallback;
  if (value->integer()) {
    const auto one = node.fields.integer(key, 1, kMaxSize);
    if (!one) return std::nullopt;
    return std::vector<int64_t>(axes, *one);
  }
  auto list = node.fields.integers(key, 1, kMaxSize);
  if (list && list->size() != axes) {
    node.problem(key, "has " + std::to_string(list->size()) + " entries for " + std::to_string(axes) + " spatial axes");
    return std::nullopt;
  }
  return list;
}

std::optional<Padding> explicit_padding(SpecNode& node, size_t axes) {
  const JsonValue* value = node.fields.find("padding");
  if (!value || value->string()) return std::nullopt;
  const auto size = [](const JsonValue& v) { return v.integer() && std::abs(*v.integer()) <= kMaxSize; };
  Padding out;
  if (size(*value)) {
    out.lo = out.hi = std::vector<int64_t>(axes, *value->integer());
    return out;
  }
  bool good = value->array() && value->array()->size() == axes;
  for (size_t i = 0; good && i < axes; ++i) {
    const JsonValue& entry = (*value->array())[i];
    const JsonValue::Array* pair = entry.array();
    good = pair && pair->size() == 2 && size((*pair)[0]) && size((*pair)[1]);
    if (!good) break;
    out.lo.push_back(*(*pair)[0].integer());
    out.hi.push_back(*(*pair)[1].integer());
  }
  if (good) return out;
  node.problem("padding", "expected \"SAME\", \"VALID\" or one [before, after] for each of the " +
                              std::to_string(axes) + " spatial axes");
  return std::nullopt;
}

std::optional<Padding> read_padding(SpecNode& node, const std::string& fallback, const std::vector<int64_t>& extent,
                                    const std::vector<int64_t>& window, const std::vector<int64_t>& strides) {
  const size_t axes = extent.size();
  if (node.fields.has("padding") && !node.fields.value().find("padding")->string()) return explicit_padding(node, axes);
  const std::string word = node.fields.string("padding").value_or(fallback);
  Padding out{std::vector<int64_t>(axes, 0), std::vector<int64_t>(axes, 0)};
  if (word == "VALID") return out;
  if (word != "SAME") {
    node.problem("padding", "expected \"SAME\", \"VALID\" or pairs, found " + in_quotes(word));
    return std::nullopt;
  }
  for (size_t i = 0; i < axes; ++i) {
    const int64_t positions = (extent[i] + strides[i] - 1) / strides[i];
    const int64_t total = std::max<int64_t>((positions - 1) * strides[i] + window[i] - extent[i], 0);
    out.lo[i] = total / 2;
    out.hi[i] = total - total / 2;
  }
  return out;
}

std::vector<int64_t> covered(const std::vector<int64_t>& kernel, const std::vector<int64_t>& dilation) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < kernel.size(); ++i)
    out.push_back((kernel[i] - 1) * dilation[i] + 1);
  return out;
}

}  // namespace qlathe
