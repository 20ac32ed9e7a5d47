#include "frontend/formats/onnx/export.h"

#include <onnx.pb.h>

#include <cstring>

#include "frontend/formats/onnx/export_node.h"

namespace qlathe {

int onnx_code(ValueType type) {
  using T = onnx::TensorProto;
  switch (type) {
    case ValueType::kBool:
      return T::BOOL;
    case ValueType::kI16:
      return T::INT16;
    case ValueType::kI32:
      return T::INT32;
    case ValueType::kI64:
      return T::INT64;
    case ValueType::kU16:
      return T::UINT16;
    case ValueType::kU32:
      return T::UINT32;
    case ValueType::kF32:
      return T::FLOAT;
    case ValueType::kF64:
      return T::DOUBLE;
    case ValueType::kF16:
      return T::FLOAT16;
    case ValueType::kBF16:
      return T::BFLOAT16;
    default:
      break;
  }
  // Fewer bits than eight are kept in bytes, which every runtime has.
  if (is_integer(type) && info(type).bits <= 8) return is_signed(type) ? T::INT8 : T::UINT8;
  return T::UNDEFINED;
}

void OnnxExporter::unsupported(const std::string& field, std::string message) {
  problems.merge(Status::unsupported({"", node ? node->origin.name : "", field}, std::move(message),
                                     "compile the model as it is, or quantize it to int8 or uint8"));
  throw ExportProblem{};
}

std::string OnnxExporter::fresh(const std::string& suffix) {
  const std::string base = (node ? node->origin.name : "graph") + "." + suffix;
  std::string name = base;
  for (int i = 1; taken_.contains(name) || graph.find(name).valid(); i++)
    name = base + "_" + std::to_string(i);
  taken_.insert(name);
  return name;
}

void OnnxExporter::initializer(const std::string& tensor, const HostTensor& data) {
  auto* proto = to.add_initializer();
  proto->set_name(tensor);
  for (int64_t extent : data.shape())
    proto->add_dims(extent);
  const int code = onnx_code(data.type());
  if (code == onnx::TensorProto::UNDEFINED)
    unsupported("constant", "ONNX has no tensors of " + std::string(qlathe::name(data.type())));
  proto->set_data_type(code);
  proto->set_raw_data(data.bytes(), data.byte_size());
}

std::string OnnxExporter::constant(const std::string& suffix, const HostTensor& data) {
  const std::string name = fresh(suffix);
  initializer(name, data);
  return name;
}

std::string OnnxExporter::integers(const std::vector<int64_t>& values) {
  return constant("ints", HostTensor::of(ValueType::kI64, {static_cast<int64_t>(values.size())}, values));
}

onnx::NodeProto& OnnxExporter::last() { return *to.mutable_node(to.node_size() - 1); }

std::string OnnxExporter::add(const std::string& op, const std::vector<std::string>& inputs) {
  auto* proto = to.add_node();
  proto->set_op_type(op);
  const std::string result = fresh(op);
  proto->set_name(result);
  for (const std::string& input : inputs)
    proto->add_input(input);
  proto->add_output(result);
  return result;
}

std::string OnnxExporter::add(const std::string& op, const std::vector<std::string>& inputs,
                              const std::vector<std::pair<std::string, std::vector<int64_t>>>& ints,
                              const std::vector<std::pair<std::string, int64_t>>& singles) {
  const std::string result = add(op, inputs);
  for (const auto& [name, values] : ints) {
    auto* attribute = last().add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INTS);
    for (int64_t v : values)
      attribute->add_ints(v);
  }
  for (const auto& [name, value] : singles) {
    auto* attribute = last().add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
  }
  return result;
}

std::string OnnxExporter::transpose(const std::string& x, const std::vector<int64_t>& permutation) {
  return add("Transpose", {x}, {{"perm", permutation}});
}

std::string OnnxExporter::reshape(const std::string& x, const Shape& shape) {
  // A literal 0 would keep the input's extent.
  return add("Reshape", {x, integers(shape)}, {},
             opset >= 14 ? std::vector<std::pair<std::string, int64_t>>{{"allowzero", 1}}
                         : std::vector<std::pair<std::string, int64_t>>{});
}

std::string OnnxExporter::channels_first(const std::string& x, size_t rank) {
  std::vector<int64_t> permutation = {0, static_cast<int64_t>(rank) - 1};
  for (size_t d = 1; d + 1 < rank; d++)
    permutation.push_back(static_cast<int64_t>(d));
  return transpose(x, permutation);
}

std::string OnnxExporter::channels_last(const std::string& x, size_t rank) {
  std::vector<int64_t> permutation = {0};
  for (size_t d = 2; d < rank; d++)
    permutation.push_back(static_cast<int64_t>(d));
  permutation.push_back(1);
  return transpose(x, permutation);
}

std::string OnnxExporter::cast(const std::string& x, ValueType type) {
  const int code = onnx_code(type);
  if (code == onnx::TensorProto::UNDEFINED)
    unsupported("type", "ONNX casts to no " + std::string(qlathe::name(type)) + " here");
  return add("Cast", {x}, {}, {{"to", code}});
}

int64_t OnnxExporter::parameter_axis(TensorId id, const Shape& shape) {
  const Shape& own = graph[id].shape();
  int64_t axis = -1;
  for (size_t d = 0; d < own.size(); d++) {
    if (own[d] == 1) continue;
    const auto at = static_cast<int64_t>(shape.size() - own.size() + d);
    if (axis >= 0 || own[d] != shape[static_cast<size_t>(at)])
      unsupported("scale",
                  "of shape " + to_string(own) + " is no scale of one axis; sub-channel scales have no QDQ form here");
    axis = at;
  }
  return axis;
}

std::string OnnxExporter::parameter(TensorId id, int64_t axis) {
  const Tensor& t = graph[id];
  const Shape shape = axis < 0 ? Shape{} : Shape{element_count(t.shape())};
  if (t.shape() == shape) return name(id);
  if (t.is_constant()) return constant("parameter", t.data->reshaped(shape));
  return reshape(name(id), shape);
}

std::string OnnxExporter::dequantize(const std::string& x, const Shape& shape, TensorId scale, TensorId zero_point) {
  const int64_t axis = parameter_axis(scale, shape);
  std::vector<std::string> inputs = {x, parameter(scale, axis)};
  if (zero_point.valid()) {
    const int64_t zero_axis = parameter_axis(zero_point, shape);
    if (zero_axis != axis) unsupported("zero_point", "has another axis than the scale");
    inputs.push_back(parameter(zero_point, axis));
  }
  return axis < 0 ? add("DequantizeLinear", inputs) : add("DequantizeLinear", inputs, {}, {{"axis", axis}});
}

namespace {

void declare(onnx::ValueInfoProto& info, const Tensor& tensor) {
  info.set_name(tensor.name);
  auto* type = info.mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx_code(tensor.type.type));
  type->mutable_shape();
  for (int64_t extent : tensor.shape())
    type->mutable_shape()->add_dim()->set_dim_value(extent);
}

}  // namespace

Result<std::string> export_onnx(const Graph& graph, int64_t opset) {
  if (opset != 13 && opset != 21)
    return Status::user({"", "", "--opset"}, std::to_string(opset) + " is not written", "13 and 21 are");
  if (!graph.states.empty())
    return Status::unsupported({"", graph.name, ""}, "a model with states has no ONNX form here", "");
  onnx::ModelProto model;
  model.set_ir_version(opset == 13 ? 7 : 10);
  model.set_producer_name("qlathe");
  auto* set = model.add_opset_import();
  set->set_domain("");
  set->set_version(opset);
  onnx::GraphProto& to = *model.mutable_graph();
  to.set_name(graph.name.empty() ? "model" : graph.name);
  OnnxExporter exporter(graph, opset, to);
  for (TensorId id : graph.inputs)
    declare(*to.add_input(), graph[id]);
  for (TensorId id : graph.outputs)
    declare(*to.add_output(), graph[id]);
  std::set<int32_t> used;
  for (const Node& node : graph.nodes) {
    for (TensorId id : node.inputs) {
      if (id.valid() && graph[id].is_constant()) used.insert(id.index);
    }
  }
  for (const Node& node : graph.nodes) {
    exporter.node = &node;
    const auto found = export_ops().find(node.op);
    try {
      if (found == export_ops().end()) exporter.unsupported("op", "'" + node.op + "' has no ONNX form here");
      const std::vector<std::string> results = found->second(exporter, node);
      for (size_t i = 0; i < results.size(); i++) {
        // The tensor keeps its name: given to what made it last, or to a copy of what it equals.
        if (to.node_size() > 0 && exporter.last().output(0) == results[i]) {
          exporter.last().set_output(0, graph[node.outputs[i]].name);
          continue;
        }
        auto* identity = to.add_node();
        identity->set_op_type("Identity");
        identity->add_input(results[i]);
        identity->add_output(graph[node.outputs[i]].name);
      }
    } catch (const ExportProblem&) {
      // Noted; the others are looked at as well.
    }
  }
  exporter.node = nullptr;
  try {
    // Constants that only went into others (reshaped parameters) are left out.
    std::set<std::string> read;
    for (const auto& proto : to.node())
      read.insert(proto.input().begin(), proto.input().end());
    for (int32_t index : used) {
      const Tensor& tensor = graph.tensors[static_cast<size_t>(index)];
      if (read.contains(tensor.name)) exporter.initializer(tensor.name, *tensor.data);
    }
  } catch (const ExportProblem&) {
  }
  if (!exporter.problems.ok()) return exporter.problems;
  return model.SerializeAsString();
}

}  // namespace qlathe
