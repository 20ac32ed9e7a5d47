#include "frontend/formats/onnx/node.h"

#include <onnx.pb.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "frontend/formats/onnx/importer.h"
#include "frontend/ir/suggest.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

std::map<std::string, OnnxOp>& registry() {
  static std::map<std::string, OnnxOp> ops;
  return ops;
}

std::vector<int64_t> iota(int64_t n) {
  std::vector<int64_t> out(static_cast<size_t>(n));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

}  // namespace

const OnnxOp* OnnxOps::find(const std::string& name) {
  const auto it = registry().find(name);
  return it == registry().end() ? nullptr : &it->second;
}

std::vector<std::string> OnnxOps::names() {
  std::vector<std::string> out;
  for (const auto& entry : registry())
    out.push_back(entry.first);
  return out;
}

OnnxOps::Add::Add(std::vector<OnnxOp> ops) {
  for (OnnxOp& op : ops) {
    const std::string name = op.name;
    QL_CHECK(registry().emplace(name, std::move(op)).second, name);
  }
}

PointwiseStep onnx_step(const char* op, ValueType type, std::vector<int64_t> operands) {
  PointwiseStep step;
  step.op = op;
  step.type = type;
  step.operands = std::move(operands);
  return step;
}

SumOrder onnx_sum_order(const std::vector<int64_t>& axes, int64_t rank) {
  return !axes.empty() && axes.back() == rank - 1 ? SumOrder::kInterleaved16 : SumOrder::kSequential;
}

OnnxNode::OnnxNode(OnnxImporter& owner, const onnx::NodeProto& node, int64_t opset_version, Origin from)
    : proto(node), opset(opset_version), origin(std::move(from)), importer_(owner) {
  for (const std::string& input : node.input())
    inputs_.push_back(input.empty() ? kNone : importer_.find(input).value_or(kNone));
}

std::string OnnxNode::op() const { return proto.op_type(); }
int OnnxNode::output_count() const { return proto.output_size(); }
bool OnnxNode::wants_output(int i) const { return i < output_count() && !proto.output(i).empty(); }

void OnnxNode::problem(const std::string& field, std::string message, std::string remedy) {
  importer_.note(Diagnostic::Kind::kUser, proto.op_type() + " " + origin.name, field, std::move(message),
                 std::move(remedy));
  throw OnnxProblem{};
}

void OnnxNode::unsupported(const std::string& field, std::string message, std::string remedy) {
  importer_.note(Diagnostic::Kind::kUnsupported, proto.op_type() + " " + origin.name, field, std::move(message),
                 std::move(remedy));
  throw OnnxProblem{};
}

TensorId OnnxNode::in(size_t i) {
  if (!has(i)) problem("input", "operand " + std::to_string(i) + " is missing");
  return inputs_[i];
}

const TensorType& OnnxNode::type(TensorId t) const { return importer_.graph[t].type; }
const HostTensor* OnnxNode::data(TensorId t) const { return importer_.graph[t].data.get(); }
Graph& OnnxNode::graph_of_model() { return importer_.graph; }

std::vector<int64_t> OnnxNode::constant_integers(size_t i, const char* meaning) {
  const TensorId t = in(i);
  const HostTensor* values = data(t);
  if (values == nullptr) {
    unsupported(meaning, "is computed while the model runs; sizes must be known while compiling",
                "bind what it comes from: a shape with --shape, or make the input a constant");
  }
  if (!is_integer(values->type())) problem(meaning, "is " + std::string(name(values->type())) + ", expected integers");
  std::vector<int64_t> out;
  for (int64_t e = 0; e < values->size(); e++)
    out.push_back(values->int_at(e));
  return out;
}

std::vector<double> OnnxNode::constant_numbers(size_t i, const char* meaning) {
  const TensorId t = in(i);
  const HostTensor* values = data(t);
  if (values == nullptr) unsupported(meaning, "is computed while the model runs; it must be a constant");
  std::vector<double> out;
  for (int64_t e = 0; e < values->size(); e++) {
    if (values->type() == ValueType::kF32) {
      out.push_back(values->as<float>()[static_cast<size_t>(e)]);
    } else if (values->type() == ValueType::kF64) {
      out.push_back(values->as<double>()[static_cast<size_t>(e)]);
    } else if (values->type() == ValueType::kF16 || values->type() == ValueType::kBF16) {
      const HostTensor wide = *data(cast(t, ValueType::kF32));
      out.push_back(wide.as<float>()[static_cast<size_t>(e)]);
    } else {
      out.push_back(static_cast<double>(values->int_at(e)));
    }
  }
  return out;
}

double OnnxNode::constant_number(size_t i, const char* meaning) {
  const auto values = constant_numbers(i, meaning);
  if (values.size() != 1) problem(meaning, "has " + std::to_string(values.size()) + " values, expected one");
  return values[0];
}

const onnx::AttributeProto* OnnxNode::find(const char* name, int type) {
  asked_.insert(name);
  for (const auto& attribute : proto.attribute()) {
    if (attribute.name() != name) continue;
    // Some old writers leave the type out.
    if (attribute.has_type() && attribute.type() != static_cast<onnx::AttributeProto::AttributeType>(type)) {
      problem(name,
              "has the type " + onnx::AttributeProto::AttributeType_Name(attribute.type()) + ", expected " +
                  onnx::AttributeProto::AttributeType_Name(static_cast<onnx::AttributeProto::AttributeType>(type)));
    }
    return &attribute;
  }
  return nullptr;
}

bool OnnxNode::has_attribute(const char* name) {
  for (const auto& attribute : proto.attribute()) {
    if (attribute.name() == name) return true;
  }
  return false;
}

int64_t OnnxNode::integer(const char* name, int64_t fallback) {
  const auto* found = find(name, onnx::AttributeProto::INT);
  return found ? found->i() : fallback;
}

double OnnxNode::number(const char* name, double fallback) {
  const auto* found = find(name, onnx::AttributeProto::FLOAT);
  return found ? static_cast<double>(found->f()) : fallback;
}

std::string OnnxNode::string(const char* name, const std::string& fallback) {
  const auto* found = find(name, onnx::AttributeProto::STRING);
  return found ? found->s() : fallback;
}

std::vector<int64_t> OnnxNode::integers(const char* name, std::vector<int64_t> fallback) {
  const auto* found = find(name, onnx::AttributeProto::INTS);
  return found ? std::vector<int64_t>(found->ints().begin(), found->ints().end()) : fallback;
}

std::vector<double> OnnxNode::numbers(const char* name, std::vector<double> fallback) {
  const auto* found = find(name, onnx::AttributeProto::FLOATS);
  return found ? std::vector<double>(found->floats().begin(), found->floats().end()) : fallback;
}

std::vector<std::string> OnnxNode::strings(const char* name) {
  const auto* found = find(name, onnx::AttributeProto::STRINGS);
  return found ? std::vector<std::string>(found->strings().begin(), found->strings().end())
               : std::vector<std::string>();
}

const onnx::TensorProto* OnnxNode::tensor(const char* name) {
  const auto* found = find(name, onnx::AttributeProto::TENSOR);
  return found ? &found->t() : nullptr;
}

const onnx::GraphProto* OnnxNode::graph(const char* name) {
  const auto* found = find(name, onnx::AttributeProto::GRAPH);
  return found ? &found->g() : nullptr;
}

std::vector<std::string> OnnxNode::unread_attributes() const {
  std::vector<std::string> out;
  for (const auto& attribute : proto.attribute()) {
    if (!asked_.contains(attribute.name())) out.push_back(attribute.name());
  }
  return out;
}

int64_t OnnxNode::axis(int64_t given, int64_t rank, const char* field) {
  if (given < -rank || given >= rank) {
    problem(field, std::to_string(given) + " is no axis of " + std::to_string(rank) + " dimensions");
  }
  return given < 0 ? given + rank : given;
}

std::vector<int64_t> OnnxNode::axes(std::vector<int64_t> given, int64_t rank, const char* field) {
  for (int64_t& a : given)
    a = axis(a, rank, field);
  std::sort(given.begin(), given.end());
  if (std::adjacent_find(given.begin(), given.end()) != given.end()) problem(field, "names an axis twice");
  return given;
}

TensorId OnnxNode::add(const std::string& op, std::vector<TensorId> operands, std::shared_ptr<const OpAttrs> attrs,
                       bool folds) {
  // Rules take the product, not what stands around it.
  Origin from = origin;
  if (op != "conv" && op != "dot_general") from.rule_op.clear();
  auto added = importer_.add(op, std::move(operands), std::move(attrs), from, folds);
  if (added.ok()) return *added;
  for (const Diagnostic& d : added.status().diagnostics()) {
    importer_.note(d.kind, proto.op_type() + " " + origin.name, d.place.field, d.message, d.remedy);
  }
  throw OnnxProblem{};
}

TensorId OnnxNode::constant(HostTensor value, const std::string& suffix) {
  return importer_.add_constant(origin.name + "." + suffix, std::move(value));
}

TensorId OnnxNode::scalar(ValueType type, double value) {
  if (type == ValueType::kF32) return scalar(static_cast<float>(value));
  if (is_float(type)) return cast(scalar(static_cast<float>(value)), type);
  HostTensor out(type, {});
  out.set_int(0, static_cast<int64_t>(value));
  return constant(std::move(out));
}

TensorId OnnxNode::integer_vector(const std::vector<int64_t>& values) {
  return constant(HostTensor::of(ValueType::kI64, {static_cast<int64_t>(values.size())}, values));
}

Shape OnnxNode::broadcast_shape(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()), 1);
  for (size_t d = 0; d < out.size(); d++) {
    const int64_t x = d < a.size() ? a[a.size() - 1 - d] : 1, y = d < b.size() ? b[b.size() - 1 - d] : 1;
    if (x != y && x != 1 && y != 1)
      problem("input", "the shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
    out[out.size() - 1 - d] = x == 1 ? y : x;
  }
  return out;
}

TensorId OnnxNode::pointwise(TensorId x, std::vector<PointwiseStep> steps, std::vector<TensorId> operands) {
  // The result's rank is known to every step; operands of a table are used whole.
  Shape all = shape(x);
  for (const PointwiseStep& s : steps) {
    if (s.op == "lookup") continue;
    for (int64_t i : s.operands)
      all = broadcast_shape(all, shape(operands[static_cast<size_t>(i - 1)]));
  }
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = std::move(steps);
  operands.insert(operands.begin(), x);
  return add("pointwise", std::move(operands), attrs);
}

TensorId OnnxNode::unary(const char* op, TensorId x) { return pointwise(x, {onnx_step(op, type(x).type)}); }

TensorId OnnxNode::binary(const char* op, TensorId a, TensorId b) {
  return pointwise(a, {onnx_step(op, type(a).type, {1})}, {b});
}

TensorId OnnxNode::compare(const char* op, TensorId a, TensorId b) {
  return pointwise(a, {onnx_step(op, ValueType::kBool, {1})}, {b});
}

TensorId OnnxNode::select(TensorId condition, TensorId yes, TensorId no) {
  return pointwise(condition, {onnx_step("select", type(yes).type, {1, 2})}, {yes, no});
}

TensorId OnnxNode::cast(TensorId x, ValueType to, Rounding rounding) {
  if (type(x).type == to) return x;
  if (type(x).type == ValueType::kF64) {
    const HostTensor* wide = data(x);
    if (wide == nullptr) unsupported("input", "is float64; arithmetic is float32 at most", "cast the model to float32");
    std::vector<float> values(wide->as<double>().begin(), wide->as<double>().end());
    return cast(constant(HostTensor::of(ValueType::kF32, wide->shape(), values)), to, rounding);
  }
  if (to == ValueType::kF64)
    unsupported("to", "is float64; arithmetic is float32 at most", "cast the model to float32");
  PointwiseStep step = onnx_step("cast", to);
  step.rounding = is_integer(to) ? rounding : Rounding::kHalfEven;
  return pointwise(x, {step});
}

TensorId OnnxNode::reshape(TensorId x, const Shape& to) {
  if (shape(x) == to) return x;
  auto attrs = std::make_shared<ReshapeAttrs>();
  attrs->shape = to;
  return add("reshape", {x}, attrs);
}

TensorId OnnxNode::transpose(TensorId x, const std::vector<int64_t>& permutation) {
  if (permutation == iota(rank(x))) return x;
  auto attrs = std::make_shared<TransposeAttrs>();
  attrs->permutation = permutation;
  return add("transpose", {x}, attrs);
}

TensorId OnnxNode::broadcast(TensorId x, const Shape& to) {
  if (shape(x) == to) return x;
  auto attrs = std::make_shared<BroadcastAttrs>();
  attrs->shape = to;
  return add("broadcast", {x}, attrs);
}

TensorId OnnxNode::slice(TensorId x, const std::vector<int64_t>& start, const Shape& size,
                         const std::vector<int64_t>& step) {
  const bool unit = std::all_of(step.begin(), step.end(), [](int64_t s) { return s == 1; });
  if (size == shape(x) && unit) return x;
  auto attrs = std::make_shared<SliceAttrs>();
  attrs->start = start;
  attrs->size = size;
  if (!unit) attrs->step = step;
  return add("slice", {x}, attrs);
}

TensorId OnnxNode::slice_axis(TensorId x, int64_t at, int64_t start, int64_t size) {
  std::vector<int64_t> starts(shape(x).size(), 0);
  Shape sizes = shape(x);
  starts[static_cast<size_t>(at)] = start;
  sizes[static_cast<size_t>(at)] = size;
  return slice(x, starts, sizes);
}

TensorId OnnxNode::concat(const std::vector<TensorId>& parts, int64_t at) {
  if (parts.size() == 1) return parts[0];
  auto attrs = std::make_shared<ConcatAttrs>();
  attrs->axis = at;
  return add("concat", parts, attrs);
}

TensorId OnnxNode::gather(TensorId x, TensorId indices, int64_t at) {
  auto attrs = std::make_shared<GatherAttrs>();
  attrs->axis = at;
  return add("gather", {x, indices}, attrs);
}

TensorId OnnxNode::axis_to_last(TensorId x, int64_t at) {
  std::vector<int64_t> permutation = iota(rank(x));
  permutation.erase(permutation.begin() + at);
  permutation.push_back(at);
  return transpose(x, permutation);
}

TensorId OnnxNode::last_to_axis(TensorId x, int64_t at) {
  std::vector<int64_t> permutation = iota(rank(x));
  permutation.pop_back();
  permutation.insert(permutation.begin() + at, rank(x) - 1);
  return transpose(x, permutation);
}

TensorId OnnxNode::to_channels_last(TensorId x) { return axis_to_last(x, 1); }
TensorId OnnxNode::to_channels_first(TensorId x) { return last_to_axis(x, 1); }

std::vector<TensorId> OnnxNode::inline_graph(const onnx::GraphProto& body) {
  return importer_.read_body(body, origin.place);
}

HostTensor OnnxNode::read_tensor(const onnx::TensorProto& t) {
  auto read = importer_.tensors.read(t);
  if (read.ok()) return std::move(*read);
  for (const Diagnostic& d : read.status().diagnostics())
    importer_.note(d.kind, proto.op_type() + " " + origin.name, d.place.field, d.message, d.remedy);
  throw OnnxProblem{};
}

}  // namespace qlathe
