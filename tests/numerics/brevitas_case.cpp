#include "tests/numerics/brevitas_case.h"

#include <cstdlib>
#include <cstring>
#include <sstream>
#include <stdexcept>

namespace qlathe::brevitas::cases {
namespace {

template <class T>
T take(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().text());
  return std::move(result).value();
}

float number_at(const HostTensor& t, size_t i) {
  return t.type() == ValueType::kF32 ? t.as<float>()[i] : static_cast<float>(t.int_at(static_cast<int64_t>(i)));
}

// Index into an array of one value per tile, for the flat index of an element.
size_t tile_index(size_t flat, const Shape& shape, const Shape& tile) {
  int64_t index = 0;
  int64_t stride = 1;
  auto rest = static_cast<int64_t>(flat);
  for (size_t axis = shape.size(); axis-- > 0;) {
    index += rest % shape[axis] / tile[axis] * stride;
    rest /= shape[axis];
    stride *= (shape[axis] + tile[axis] - 1) / tile[axis];
  }
  return static_cast<size_t>(index);
}

void apply_options(const nlohmann::ordered_json& options, Quantizer& q) {
  if (options.contains("bit_width")) q.bit_width = static_cast<int>(options["bit_width"].get<double>());
  if (options.contains("narrow_range")) q.narrow_range = options["narrow_range"].get<bool>();
  if (options.contains("signed")) q.is_signed = options["signed"].get<bool>();
  if (options.contains("group_size") && q.granularity == Granularity::kGroup)
    q.group_size = static_cast<int64_t>(options["group_size"].get<double>());
  if (options.contains("scaling_const")) q.scaling_const = options["scaling_const"];
  if (options.contains("min_val")) q.min_val = options["min_val"];
  if (options.contains("max_val")) q.max_val = options["max_val"];
  if (options.contains("float_to_int_impl_type"))
    q.rounding = take(parse_round_mode(options["float_to_int_impl_type"].get<std::string>()));
}

}  // namespace

std::vector<std::filesystem::path> folders(const std::string& kind) {
  std::vector<std::filesystem::path> roots;
  if (!testing::shared_folder().empty()) roots.push_back(testing::shared_folder() / "golden" / "brevitas");
  if (const char* more = std::getenv("QLATHE_BREVITAS_CASES")) {
    std::stringstream list(more);
    for (std::string root; std::getline(list, root, ':');)
      roots.emplace_back(root);
  }
  std::vector<std::filesystem::path> found;
  for (const auto& root : roots) {
    if (!std::filesystem::is_directory(root / kind)) continue;
    for (const auto& folder : testing::case_folders(root / kind))
      found.push_back(folder);
  }
  return found;
}

Quantizer weight_quantizer(const Case& c) {
  Quantizer q = take(find_quantizer(Role::kWeight, c.json.at("quantizer").get<std::string>()));
  apply_options(c.json, q);
  if (c.json.contains("options")) apply_options(c.json["options"], q);
  return q;
}

Quantizer act_quantizer(const Case& c) {
  const std::string layer = c.json.at("layer");
  const std::string about = c.json.value("description", "");
  auto mentions = [&](const char* text) { return about.find(text) != std::string::npos; };
  std::string name = c.json.value("act_quant", "");
  nlohmann::ordered_json options = c.json.value("options", nlohmann::ordered_json::object());
  if (name.empty()) {
    const bool is_signed = c.json.at("signed").get<bool>();
    const std::string base = is_signed ? "Int8ActPerTensor" : "Uint8ActPerTensor";
    name = base + "Float";
    if (mentions("power-of-two")) name = base + "FixedPoint";
    if (mentions("shifted")) name = "ShiftedUint8ActPerTensorFloat";
    if (mentions("fixed range") || layer == "QuantHardTanh") {
      name = base + (is_signed ? "FloatMinMaxInit" : "FloatMaxInit");
      double low = -1;
      double high = 1;
      const auto at = about.find("fixed range ");
      const auto dots = about.find("..", at);
      if (at != std::string::npos && dots != std::string::npos) {
        low = std::stod(about.substr(at + 12, dots - at - 12));
        high = std::stod(about.substr(dots + 2));
      }
      options["min_val"] = low;
      options["max_val"] = high;
    }
    const auto at = about.find("float_to_int_impl_type=");
    if (at != std::string::npos) options["float_to_int_impl_type"] = about.substr(at + 23);
  }
  Quantizer q = take(find_quantizer(Role::kAct, name));
  apply_options(c.json, q);
  apply_options(options, q);
  return q;
}

std::string difference(const HostTensor& got, const HostTensor& wanted, const Shape& shape, const Shape& tile) {
  const bool expand = got.size() != wanted.size();
  if (expand && (tile.empty() || element_count(shape) != wanted.size())) {
    return "shape " + to_string(got.shape()) + " instead of " + to_string(wanted.shape());
  }
  size_t count = 0;
  size_t first = 0;
  const auto n = static_cast<size_t>(wanted.size());
  auto value = [&](size_t i) { return number_at(got, expand ? tile_index(i, shape, tile) : i); };
  for (size_t i = 0; i < n; i++) {
    const float a = value(i);
    const float b = number_at(wanted, i);
    const bool same_float = std::memcmp(&a, &b, sizeof a) == 0;
    const bool same = wanted.type() == ValueType::kF32 && got.type() == ValueType::kF32 ? same_float : a == b;
    if (!same && count++ == 0) first = i;
  }
  if (count == 0) return "";
  std::ostringstream out;
  out.precision(9);
  out << count << " of " << n << " differ, first at " << first << ": " << value(first) << " instead of "
      << number_at(wanted, first);
  return out.str();
}

}  // namespace qlathe::brevitas::cases
