#include "frontend/formats/import/import_node.h"

#include <algorithm>
#include <numeric>

#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

std::vector<int64_t> iota(int64_t n) {
  std::vector<int64_t> out(static_cast<size_t>(n));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

}  // namespace

PointwiseStep import_step(const char* op, ValueType type, std::vector<int64_t> operands) {
  PointwiseStep step;
  step.op = op;
  step.type = type;
  step.operands = std::move(operands);
  return step;
}

void ImportNode::fail(const Status& status) {
  for (const Diagnostic& d : status.diagnostics())
    owner_.note(d.kind, kind_ + " " + origin.name, d.place.field, d.message, d.remedy);
  throw ImportProblem{};
}

void ImportNode::problem(const std::string& field, std::string message, std::string remedy) {
  owner_.note(Diagnostic::Kind::kUser, kind_ + " " + origin.name, field, std::move(message), std::move(remedy));
  throw ImportProblem{};
}

void ImportNode::unsupported(const std::string& field, std::string message, std::string remedy) {
  owner_.note(Diagnostic::Kind::kUnsupported, kind_ + " " + origin.name, field, std::move(message), std::move(remedy));
  throw ImportProblem{};
}

int64_t ImportNode::axis(int64_t given, int64_t rank, const char* field) {
  if (given < -rank || given >= rank) {
    problem(field, std::to_string(given) + " is no axis of " + std::to_string(rank) + " dimensions");
  }
  return given < 0 ? given + rank : given;
}

std::vector<int64_t> ImportNode::axes(std::vector<int64_t> given, int64_t rank, const char* field) {
  for (int64_t& a : given)
    a = axis(a, rank, field);
  std::sort(given.begin(), given.end());
  if (std::adjacent_find(given.begin(), given.end()) != given.end()) problem(field, "names an axis twice");
  return given;
}

TensorId ImportNode::add(const std::string& op, std::vector<TensorId> operands, std::shared_ptr<const OpAttrs> attrs,
                         bool folds) {
  // Rules take the product, not what stands around it.
  Origin from = origin;
  if (op != "conv" && op != "dot_general") from.rule_op.clear();
  auto added = owner_.add(op, std::move(operands), std::move(attrs), from, folds);
  if (!added.ok()) fail(added.status());
  return *added;
}

TensorId ImportNode::constant(HostTensor value, const std::string& suffix) {
  return owner_.add_constant(origin.name + "." + suffix, std::move(value));
}

TensorId ImportNode::scalar(ValueType type, double value) {
  if (type == ValueType::kF32) return scalar(static_cast<float>(value));
  if (is_float(type)) return cast(scalar(static_cast<float>(value)), type);
  HostTensor out(type, {});
  out.set_int(0, static_cast<int64_t>(value));
  return constant(std::move(out));
}

TensorId ImportNode::integer_vector(const std::vector<int64_t>& values) {
  return constant(HostTensor::of(ValueType::kI64, {static_cast<int64_t>(values.size())}, values));
}

Shape ImportNode::broadcast_shape(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()), 1);
  for (size_t d = 0; d < out.size(); d++) {
    const int64_t x = d < a.size() ? a[a.size() - 1 - d] : 1, y = d < b.size() ? b[b.size() - 1 - d] : 1;
    if (x != y && x != 1 && y != 1)
      problem("input", "the shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
    out[out.size() - 1 - d] = x == 1 ? y : x;
  }
  return out;
}

TensorId ImportNode::pointwise(TensorId x, std::vector<PointwiseStep> steps, std::vector<TensorId> operands) {
  // The result's rank is known to every step; operands of a table are used whole.
  Shape all = shape(x);
  for (const PointwiseStep& s : steps) {
    if (reads_table(s)) continue;
    for (int64_t i : s.operands)
      all = broadcast_shape(all, shape(operands[static_cast<size_t>(i - 1)]));
  }
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = std::move(steps);
  operands.insert(operands.begin(), x);
  return add("pointwise", std::move(operands), attrs);
}

TensorId ImportNode::unary(const char* op, TensorId x) { return pointwise(x, {import_step(op, type(x).type)}); }

TensorId ImportNode::binary(const char* op, TensorId a, TensorId b) {
  return pointwise(a, {import_step(op, type(a).type, {1})}, {b});
}

TensorId ImportNode::compare(const char* op, TensorId a, TensorId b) {
  return pointwise(a, {import_step(op, ValueType::kBool, {1})}, {b});
}

TensorId ImportNode::select(TensorId condition, TensorId yes, TensorId no) {
  return pointwise(condition, {import_step("select", type(yes).type, {1, 2})}, {yes, no});
}

TensorId ImportNode::cast(TensorId x, ValueType to, Rounding rounding) {
  if (type(x).type == to) return x;
  if (type(x).type == ValueType::kF64) {
    const HostTensor* wide = data(x);
    if (wide == nullptr) unsupported("input", "is float64; arithmetic is float32 at most", "cast the model to float32");
    std::vector<float> values(wide->as<double>().begin(), wide->as<double>().end());
    return cast(constant(HostTensor::of(ValueType::kF32, wide->shape(), values)), to, rounding);
  }
  if (to == ValueType::kF64)
    unsupported("to", "is float64; arithmetic is float32 at most", "cast the model to float32");
  PointwiseStep step = import_step("cast", to);
  step.rounding = is_integer(to) ? rounding : Rounding::kHalfEven;
  return pointwise(x, {step});
}

TensorId ImportNode::reshape(TensorId x, const Shape& to) {
  if (shape(x) == to) return x;
  auto attrs = std::make_shared<ReshapeAttrs>();
  attrs->shape = to;
  return add("reshape", {x}, attrs);
}

TensorId ImportNode::transpose(TensorId x, const std::vector<int64_t>& permutation) {
  if (permutation == iota(rank(x))) return x;
  auto attrs = std::make_shared<TransposeAttrs>();
  attrs->permutation = permutation;
  return add("transpose", {x}, attrs);
}

TensorId ImportNode::broadcast(TensorId x, const Shape& to) {
  if (shape(x) == to) return x;
  auto attrs = std::make_shared<BroadcastAttrs>();
  attrs->shape = to;
  return add("broadcast", {x}, attrs);
}

TensorId ImportNode::slice(TensorId x, const std::vector<int64_t>& start, const Shape& size,
                           const std::vector<int64_t>& step) {
  const bool unit = std::all_of(step.begin(), step.end(), [](int64_t s) { return s == 1; });
  if (size == shape(x) && unit) return x;
  auto attrs = std::make_shared<SliceAttrs>();
  attrs->start = start;
  attrs->size = size;
  if (!unit) attrs->step = step;
  return add("slice", {x}, attrs);
}

TensorId ImportNode::slice_axis(TensorId x, int64_t at, int64_t start, int64_t size) {
  std::vector<int64_t> starts(shape(x).size(), 0);
  Shape sizes = shape(x);
  starts[static_cast<size_t>(at)] = start;
  sizes[static_cast<size_t>(at)] = size;
  return slice(x, starts, sizes);
}

TensorId ImportNode::concat(const std::vector<TensorId>& parts, int64_t at) {
  if (parts.size() == 1) return parts[0];
  auto attrs = std::make_shared<ConcatAttrs>();
  attrs->axis = at;
  return add("concat", parts, attrs);
}

TensorId ImportNode::gather(TensorId x, TensorId indices, int64_t at) {
  auto attrs = std::make_shared<GatherAttrs>();
  attrs->axis = at;
  return add("gather", {x, indices}, attrs);
}

TensorId ImportNode::axis_to_last(TensorId x, int64_t at) {
  std::vector<int64_t> permutation = iota(rank(x));
  permutation.erase(permutation.begin() + at);
  permutation.push_back(at);
  return transpose(x, permutation);
}

TensorId ImportNode::last_to_axis(TensorId x, int64_t at) {
  std::vector<int64_t> permutation = iota(rank(x));
  permutation.pop_back();
  permutation.insert(permutation.begin() + at, rank(x) - 1);
  return transpose(x, permutation);
}

TensorId ImportNode::to_channels_last(TensorId x) { return axis_to_last(x, 1); }
TensorId ImportNode::to_channels_first(TensorId x) { return last_to_axis(x, 1); }

}  // namespace qlathe
