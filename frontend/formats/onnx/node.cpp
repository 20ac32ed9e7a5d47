#include "frontend/formats/onnx/node.h"

#include <onnx.pb.h>

#include <algorithm>
#include <cmath>

#include "frontend/formats/onnx/importer.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

std::map<std::string, OnnxOp>& registry() {
  static std::map<std::string, OnnxOp> ops;
  return ops;
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

SumOrder onnx_sum_order(const std::vector<int64_t>& axes, int64_t rank) {
  return !axes.empty() && axes.back() == rank - 1 ? SumOrder::kInterleaved16 : SumOrder::kSequential;
}

OnnxNode::OnnxNode(OnnxImporter& owner, const onnx::NodeProto& node, int64_t opset_version, Origin from)
    : ImportNode(owner, node.op_type(), std::move(from)), proto(node), opset(opset_version), importer_(owner) {
  for (const std::string& input : node.input())
    inputs_.push_back(input.empty() ? kNone : importer_.find(input).value_or(kNone));
}

std::string OnnxNode::op() const { return proto.op_type(); }
int OnnxNode::output_count() const { return proto.output_size(); }
bool OnnxNode::wants_output(int i) const { return i < output_count() && !proto.output(i).empty(); }

TensorId OnnxNode::in(size_t i) {
  if (!has(i)) problem("input", "operand " + std::to_string(i) + " is missing");
  return inputs_[i];
}

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

TensorId OnnxNode::right_operand() {
  const TensorId right = in(1);
  if (opset >= 7) return right;
  integer("broadcast", 0);
  const bool aligned = has_attribute("axis");
  const int64_t from = integer("axis", 0), left = rank(in(0));
  if (!aligned) return right;
  Shape to = shape(right);
  const int64_t behind = left - axis(from, left) - rank(right);
  if (behind < 0) problem("axis", "the right operand has no place at axis " + std::to_string(from));
  to.insert(to.end(), static_cast<size_t>(behind), 1);
  return reshape(right, to);
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

std::optional<size_t> OnnxNode::unread_operand() const {
  for (size_t i = asked_operands_; i < inputs_.size(); i++) {
    if (inputs_[i].valid()) return i;
  }
  return std::nullopt;
}

std::vector<TensorId> OnnxNode::inline_graph(const onnx::GraphProto& body, const std::vector<TensorId>& operands) {
  if (operands.size() != static_cast<size_t>(body.input_size()))
    problem("body", "takes " + std::to_string(body.input_size()) + " operands, not " + std::to_string(operands.size()));
  std::vector<std::pair<std::string, TensorId>> bound;
  for (size_t i = 0; i < operands.size(); i++)
    bound.emplace_back(body.input(static_cast<int>(i)).name(), operands[i]);
  return importer_.read_body(body, origin.place, bound);
}

void OnnxNode::count_of_result(TensorId count) { importer_.counts[results.back()] = count; }

HostTensor OnnxNode::read_tensor(const onnx::TensorProto& t) {
  auto read = importer_.tensors.read(t);
  if (!read.ok()) fail(read.status());
  return std::move(*read);
}

}  // namespace qlathe
