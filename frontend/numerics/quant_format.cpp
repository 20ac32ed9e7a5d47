#include "frontend/numerics/quant_format.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace qlathe {

const std::vector<QuantFormat>& quant_formats() {
  using V = ValueType;
  constexpr ScaleRule kPlain = ScaleRule::kPlain;
  // Integers: B = qmax + 1/2, so that the outermost bucket is used in full. Floats: the largest finite value.
  static const std::vector<QuantFormat> table = {
      {"int2", V::kI2, V::kI4, 1.5f, kPlain, 0, false},
      {"int3", V::kI3, V::kI4, 3.5f, kPlain, 0, false},
      {"int4", V::kI4, V::kI4, 7.5f, kPlain, 0, true},
      {"int5", V::kI5, V::kI8, 15.5f, kPlain, 0, false},
      {"int6", V::kI6, V::kI8, 31.5f, kPlain, 0, false},
      {"int7", V::kI7, V::kI8, 63.5f, kPlain, 0, false},
      {"int8", V::kI8, V::kI8, 127.5f, kPlain, 0, true},
      {"uint2", V::kU2, V::kU2, 3.5f, kPlain, 0, false},
      {"uint4", V::kU4, V::kU4, 15.5f, kPlain, 0, false},
      {"uint8", V::kU8, V::kU8, 255.5f, kPlain, 0, false},
      {"float8_e4m3fn", V::kF8E4M3, V::kF8E4M3, 448.f, kPlain, 0, false},
      {"float8_e5m2", V::kF8E5M2, V::kF8E5M2, 57344.f, kPlain, 0, false},
      {"float4_e2m1fn", V::kF4E2M1, V::kF4E2M1, 6.f, kPlain, 0, false},
      {"nf4", V::kNF4, V::kU4, 1.f, kPlain, 0, false},
      {"mxfp8", V::kF8E4M3, V::kF8E4M3, 448.f, ScaleRule::kPowerOfTwo, 32, false},
      {"mxfp4", V::kF4E2M1, V::kF4E2M1, 6.f, ScaleRule::kPowerOfTwo, 32, false},
      {"nvfp4", V::kF4E2M1, V::kF4E2M1, 6.f, ScaleRule::kE4M3, 16, false},
  };
  return table;
}

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i) + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const int replace = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replace, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.size() > 64) return "";
  const std::string* best = nullptr;
  int best_distance = 0;
  for (const std::string& candidate : candidates) {
    const int distance = edit_distance(name, candidate);
    if (!best || distance < best_distance) best = &candidate, best_distance = distance;
  }
  if (!best || best_distance * 2 > static_cast<int>(std::max(name.size(), best->size()))) return "";
  return "did you mean '" + *best + "'?";
}

Result<const QuantFormat*> parse_quant_format(std::string_view name) {
  std::vector<std::string> names;
  std::string listed;
  for (const QuantFormat& format : quant_formats()) {
    if (format.name == name) return &format;
    names.emplace_back(format.name);
    listed += (listed.empty() ? "" : ", ") + names.back();
  }
  const std::string shown(name.substr(0, 64));
  if (const auto type = parse_value_type(name)) {
    const char* why = storage_bytes(*type) > 1 ? "is wider than one byte" : "is no type to quantize to";
    return Status::user({}, "'" + shown + "' " + why, "use one of " + listed);
  }
  const std::string guess = did_you_mean(name, names);
  return Status::user({}, "unknown type '" + shown + "'", guess.empty() ? "use one of " + listed : guess);
}

}  // namespace qlathe
