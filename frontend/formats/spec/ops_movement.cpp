// Ops that move data: reshape, flatten, transpose, concat, split, slice, pad, gather.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "frontend/formats/spec/builder.h"
#include "frontend/ir/suggest.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

void read_reshape(SpecNode& node) {
  auto attrs = std::make_shared<ReshapeAttrs>();
  attrs->shape = node.fields.required_integers("shape", -1);
  if (!node.ok()) return node.result(std::nullopt);
  const int64_t have = element_count(node.type(0).shape);
  int64_t known = 1;
  const auto unknown = std::count(attrs->shape.begin(), attrs->shape.end(), -1);
  for (int64_t extent : attrs->shape) {
    if (extent == -1) continue;
    // More than the input has is wrong already, so the product stays small.
    known = extent == 0 ? 0 : known > have ? known : known * std::min<int64_t>(extent, have + 1);
  }
  if (unknown > 1) node.problem("shape", "has more than one -1");
  if (unknown == 1 && (known == 0 || have % known != 0)) {
    node.problem("shape", "no extent in place of -1 makes the " + std::to_string(have) + " elements of the input");
  } else if (unknown == 0 && known != have) {
    node.problem("shape", to_string(attrs->shape) + " has another number of elements than the input of shape " +
                              to_string(node.type(0).shape));
  }
  if (!node.ok()) return node.result(std::nullopt);
  std::replace(attrs->shape.begin(), attrs->shape.end(), int64_t{-1}, known == 0 ? 0 : have / known);
  node.result(node.add("reshape", {node.inputs[0]}, attrs));
}

/// All axes from `start_axis` (default 1) on become one.
void read_flatten(SpecNode& node) {
  const auto start = node.axis("start_axis", node.rank(0), std::min<int64_t>(1, node.rank(0) - 1));
  if (!start) return node.result(std::nullopt);
  const Shape& x = node.type(0).shape;
  auto attrs = std::make_shared<ReshapeAttrs>();
  attrs->shape.assign(x.begin(), x.begin() + *start);
  attrs->shape.push_back(std::accumulate(x.begin() + *start, x.end(), int64_t{1}, std::multiplies<>()));
  node.result(node.add("reshape", {node.inputs[0]}, attrs));
}

void read_transpose(SpecNode& node) {
  auto attrs = std::make_shared<TransposeAttrs>();
  const int64_t rank = node.rank(0);
  if (!node.fields.has("permutation")) {
    node.fields.ignore("permutation");
    for (int64_t d = rank; d-- > 0;)
      attrs->permutation.push_back(d);
  } else {
    const auto axes = node.axes("permutation", rank);
    if (axes && static_cast<int64_t>(axes->size()) != rank) {
      node.problem("permutation", "names " + std::to_string(axes->size()) + " of " + std::to_string(rank) + " axes");
    }
    if (!axes || !node.ok()) return node.result(std::nullopt);
    attrs->permutation = *axes;
  }
  node.result(node.add("transpose", {node.inputs[0]}, attrs));
}

void read_concat(SpecNode& node) {
  auto attrs = std::make_shared<ConcatAttrs>();
  const auto axis = node.axis("axis", node.rank(0), -1);
  if (!axis) return node.result(std::nullopt);
  attrs->axis = *axis;
  node.result(node.add("concat", node.inputs, attrs));
}

std::shared_ptr<SliceAttrs> whole(const Shape& shape) {
  auto attrs = std::make_shared<SliceAttrs>();
  attrs->start.assign(shape.size(), 0);
  attrs->size = shape;
  return attrs;
}

/// `sections`: a number of equal parts, or the extent of each. Every part is a result.
void read_split(SpecNode& node) {
  constexpr size_t kMaxParts = 1024;
  const auto axis = node.axis("axis", node.rank(0), -1);
  const JsonValue* value = node.fields.find("sections");
  if (!axis) return node.result(std::nullopt);
  const Shape x = node.type(0).shape;
  const int64_t extent = x[static_cast<size_t>(*axis)];
  std::vector<int64_t> sections;
  if (value && value->integer()) {
    const int64_t parts = node.fields.integer("sections", 1, kMaxParts).value_or(1);
    if (extent % parts != 0) {
      node.problem("sections",
                   "an axis of " + std::to_string(extent) + " has no " + std::to_string(parts) + " equal parts",
                   "give the extent of each part");
    }
    sections.assign(static_cast<size_t>(parts), extent / parts);
  } else {
    sections = node.fields.required_integers("sections", 0, extent);
    if (node.ok() &&
        (sections.size() > kMaxParts || std::accumulate(sections.begin(), sections.end(), int64_t{0}) != extent)) {
      node.problem("sections", "do not add up to the axis of " + std::to_string(extent));
    }
  }
  if (!node.ok()) return node.result(std::nullopt);
  int64_t start = 0;
  for (size_t i = 0; i < sections.size(); ++i) {
    auto attrs = whole(x);
    attrs->start[static_cast<size_t>(*axis)] = start;
    attrs->size[static_cast<size_t>(*axis)] = sections[i];
    start += sections[i];
    node.result(node.add("slice", {node.inputs[0]}, attrs, "." + std::to_string(i)));
  }
}

/// x[start:stop:step] of Python along each of `axes` (default: the first ones): negative numbers count from the end,
/// ends beyond the axis are cut.
void read_slice(SpecNode& node) {
  const Shape& x = node.type(0).shape;
  const std::vector<int64_t> start = node.fields.required_integers("start"),
                             stop = node.fields.required_integers("stop");
  std::vector<int64_t> axes(start.size()), step(start.size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  if (node.fields.has("axes")) axes = node.axes("axes", node.rank(0)).value_or(std::vector<int64_t>{});
  node.fields.ignore("axes");
  if (const auto given = node.fields.integers("step", INT32_MIN, INT32_MAX)) step = *given;
  if (!node.ok()) return node.result(std::nullopt);
  if (axes.size() != start.size() || stop.size() != start.size() || step.size() != start.size() ||
      start.size() > x.size()) {
    node.problem("start",
                 "'start', 'stop', 'step' and 'axes' need one entry per axis, at most " + std::to_string(x.size()));
    return node.result(std::nullopt);
  }
  auto attrs = whole(x);
  attrs->step.assign(x.size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto d = static_cast<size_t>(axes[i]);
    const int64_t n = x[d], s = step[i];
    if (s == 0) {
      node.problem("step", "is 0");
      return node.result(std::nullopt);
    }
    const auto clip = [&](int64_t v) {
      if (v < 0) v = v < -n ? -1 : v + n;
      return s > 0 ? std::clamp<int64_t>(v, 0, n) : std::clamp<int64_t>(v, -1, n - 1);
    };
    const int64_t from = clip(start[i]);
    // "Before the first element" has no index of its own: anything below -n.
    const int64_t to = clip(stop[i]);
    attrs->start[d] = from;
    attrs->size[d] = std::max<int64_t>(s > 0 ? (to - from + s - 1) / s : (from - to - s - 1) / -s, 0);
    attrs->step[d] = s;
    if (attrs->size[d] == 0) attrs->start[d] = 0;
  }
  node.result(node.add("slice", {node.inputs[0]}, attrs));
}

/// `padding`: one [before, after] per axis; `value` (default 0) or mode "reflect", "edge", "symmetric".
void read_pad(SpecNode& node) {
  auto attrs = std::make_shared<PadAttrs>();
  const JsonValue::Array* pairs = node.fields.required_array("padding");
  if (!pairs) return node.result(std::nullopt);
  bool good = static_cast<int64_t>(pairs->size()) == node.rank(0);
  for (const JsonValue& pair : *pairs) {
    const JsonValue::Array* two = pair.array();
    good = good && two && two->size() == 2 && (*two)[0].integer() && (*two)[1].integer();
    if (!good) break;
    attrs->lo.push_back(*(*two)[0].integer());
    attrs->hi.push_back(*(*two)[1].integer());
  }
  if (!good) {
    node.problem("padding", "expected one [before, after] for each of the " + std::to_string(node.rank(0)) + " axes");
  }
  if (const auto mode = node.fields.string("mode")) {
    const auto names = enum_names(PadMode{});
    const auto at = std::find(names.begin(), names.end(), *mode);
    if (at == names.end()) {
      node.problem("mode", "there is no mode " + in_quotes(*mode), did_you_mean(*mode, {names.begin(), names.end()}));
    } else {
      attrs->mode = static_cast<PadMode>(at - names.begin());
    }
  }
  std::vector<TensorId> operands = {node.inputs[0]};
  if (const auto value = node.fields.number("value"); value && *value != 0) {
    HostTensor data(node.type(0).type, {});
    if (data.type() == ValueType::kF32) {
      data.as<float>()[0] = static_cast<float>(*value);
    } else if (is_integer(data.type()) && *value >= static_cast<double>(info(data.type()).min) &&
               *value <= static_cast<double>(info(data.type()).max) && std::floor(*value) == *value) {
      data.set_int(0, static_cast<int64_t>(*value));
    } else {
      node.problem("value", std::string("is no value of ") + name(data.type()));
    }
    operands.push_back(node.constant(".value", std::move(data)));
  }
  if (!node.ok()) return node.result(std::nullopt);
  node.result(node.add("pad", operands, attrs));
}

/// gather(x, indices): indices are the second input, or the field `indices` (an integer or a list).
void read_gather(SpecNode& node) {
  auto attrs = std::make_shared<GatherAttrs>();
  const auto axis = node.axis("axis", node.rank(0), 0);
  std::optional<TensorId> indices;
  const JsonValue* field = node.fields.find("indices");
  if (field && node.inputs.size() == 2) node.problem("indices", "are given as the second input already");
  if (node.inputs.size() == 2) {
    indices = node.inputs[1];
  } else if (field && field->integer()) {
    HostTensor data(ValueType::kI64, {});
    data.set_int(0, *field->integer());
    indices = node.constant(".indices", std::move(data));
  } else {
    const std::vector<int64_t> list = node.fields.required_integers("indices");
    if (node.ok()) {
      indices = node.constant(".indices", HostTensor::of(ValueType::kI64, {static_cast<int64_t>(list.size())}, list));
    }
  }
  if (!axis || !indices) return node.result(std::nullopt);
  attrs->axis = *axis;
  node.result(node.add("gather", {node.inputs[0], *indices}, attrs));
}

const SpecOps::Add kMovementOps({
    {"reshape", 1, 1, read_reshape, {"shape"}, false},
    {"flatten", 1, 1, read_flatten, {"start_axis"}, false},
    {"transpose", 1, 1, read_transpose, {"permutation"}, false},
    {"concat", 1, 1 << 16, read_concat, {"axis"}, false},
    {"split", 1, 1, read_split, {"axis", "sections"}, false},
    {"slice", 1, 1, read_slice, {"axes", "start", "step", "stop"}, false},
    {"pad", 1, 1, read_pad, {"mode", "padding", "value"}, false},
    {"gather", 1, 2, read_gather, {"axis", "indices"}, false},
});

}  // namespace
}  // namespace qlathe
