#include "frontend/rules/statistics.h"

#include <charconv>
#include <cmath>

#include "frontend/formats/json_reader.h"
#include "frontend/formats/json_writer.h"
#include "frontend/numerics/convert.h"

namespace qlathe {
namespace {

HostTensor averaged(const HostTensor& sums, int64_t count, ValueType type) {
  std::vector<float> values = to_floats(sums);
  const auto n = static_cast<float>(count);
  const bool reciprocal = division_of(sums.size(), 1) == Division::kReciprocal;
  for (float& value : values)
    value = reciprocal ? value * (1.0f / n) : value / n;
  return from_floats(type, sums.shape(), values);
}

std::string number_text(float value) {
  if (value == 0 && std::signbit(value)) return "-0.0";  // "-0" would be read as an integer, which has no sign at zero
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  QL_CHECK(error == std::errc(), std::to_string(value));
  return std::string(buffer, end);
}

std::string array_text(const HostTensor& tensor) {
  std::string shape, values;
  for (int64_t extent : tensor.shape())
    shape += (shape.empty() ? "" : ", ") + std::to_string(extent);
  for (float value : tensor.as<float>())
    values += (values.empty() ? "" : ", ") + number_text(value);
  return "{\"shape\": [" + shape + "], \"values\": [" + values + "]}";
}

template <class Test>
bool any_of(const HostTensor& tensor, Test test) {
  const auto values = tensor.as<float>();
  for (size_t i = 0; i < values.size(); i++)
    if (test(i, values[i])) return true;
  return false;
}

std::optional<HostTensor> read_array(const JsonDocument& document, JsonObject& stat, const std::string& key,
                                     Status& problems) {
  const JsonValue* value = stat.find(key);
  if (!value) return std::nullopt;
  JsonObject object(document, *value, stat.node(), problems);
  if (!value->object()) return std::nullopt;
  const Shape shape = object.required_integers("shape", 0);
  const JsonValue::Array* values = object.required_array("values");
  object.finish();
  if (!values) return std::nullopt;
  if (Status status = check_shape(shape); !status.ok()) {
    object.problem("shape", status.diagnostics().front().message);
    return std::nullopt;
  }
  if (element_count(shape) != static_cast<int64_t>(values->size())) {
    object.problem("values", std::to_string(values->size()) + " values for the shape " + to_string(shape));
    return std::nullopt;
  }
  HostTensor out(ValueType::kF32, shape);
  for (size_t i = 0; i < values->size(); ++i) {
    const auto number = (*values)[i].number();
    if (!number || !std::isfinite(static_cast<float>(*number))) {
      object.problem_at((*values)[i], "values", "expected a float32 number");
      return std::nullopt;
    }
    out.as<float>()[i] = static_cast<float>(*number);
  }
  return out;
}

Result<QuantStats> read_document(const JsonDocument& document) {
  const JsonValue::Object* entries = document.root.object();
  if (!entries) {
    return Status::user(document.place(document.root), "expected an object of statistics by activation name");
  }
  QuantStats out;
  Status problems;
  for (const JsonValue::Member& entry : *entries) {
    JsonObject object(document, entry.value, entry.key, problems);
    if (!entry.value.object()) continue;
    QuantStat stat;
    stat.count = object.required_integer("count", 1);
    stat.sums.absmax = read_array(document, object, "sum_of_absmax", problems);
    stat.sums.lo = read_array(document, object, "sum_of_min", problems);
    stat.sums.hi = read_array(document, object, "sum_of_max", problems);
    object.finish();
    const bool symmetric = stat.sums.absmax && !stat.sums.lo && !stat.sums.hi;
    const bool asymmetric = !stat.sums.absmax && stat.sums.lo && stat.sums.hi;
    if (!symmetric && !asymmetric && problems.ok()) {
      object.problem("", "needs either sum_of_absmax, or sum_of_min and sum_of_max");
    } else if (asymmetric && stat.sums.lo->shape() != stat.sums.hi->shape()) {
      object.problem("sum_of_max", "has another shape than sum_of_min");
    } else if (symmetric && any_of(*stat.sums.absmax, [](size_t, float value) { return value < 0; })) {
      object.problem("sum_of_absmax", "a largest absolute value is negative");
    } else if (asymmetric &&
               any_of(*stat.sums.lo, [&](size_t i, float value) { return value > stat.sums.hi->as<float>()[i]; })) {
      object.problem("sum_of_max", "is below sum_of_min");
    }
    out[entry.key] = std::move(stat);
  }
  if (!problems.ok()) return problems;
  return out;
}

}  // namespace

Statistics QuantStat::average(ValueType type) const {
  Statistics out;
  if (sums.absmax) out.absmax = averaged(*sums.absmax, count, type);
  if (sums.lo) out.lo = averaged(*sums.lo, count, type);
  if (sums.hi) out.hi = averaged(*sums.hi, count, type);
  return out;
}

std::string write_statistics(const QuantStats& stats) {
  std::string out = "{";
  for (const auto& [name, stat] : stats) {
    out += (out.size() == 1 ? "\n  " : ",\n  ") + json_string(name) + ": {\"count\": " + std::to_string(stat.count);
    if (stat.sums.absmax) out += ", \"sum_of_absmax\": " + array_text(*stat.sums.absmax);
    if (stat.sums.hi) out += ", \"sum_of_max\": " + array_text(*stat.sums.hi);
    if (stat.sums.lo) out += ", \"sum_of_min\": " + array_text(*stat.sums.lo);
    out += "}";
  }
  return out + "\n}\n";
}

Result<QuantStats> read_statistics_file(const std::string& path) {
  QL_ASSIGN(const JsonDocument document, read_json_file(path));
  return read_document(document);
}

Result<QuantStats> parse_statistics(std::string name, std::string text) {
  QL_ASSIGN(const JsonDocument document, parse_json(std::move(name), std::move(text)));
  return read_document(document);
}

}  // namespace qlathe
