#include "tests/onnx/model_builder.h"

#include <gtest/gtest.h>

#include "frontend/reference/reference_executor.h"

namespace qlathe::testing {

ModelBuilder::ModelBuilder(int64_t opset) {
  model.set_ir_version(10);
  model.mutable_graph()->set_name("test");
  auto* set = model.add_opset_import();
  set->set_domain("");
  set->set_version(opset);
}

ModelBuilder& ModelBuilder::input(const std::string& name, const std::vector<int64_t>& shape, int type) {
  auto* value = model.mutable_graph()->add_input();
  value->set_name(name);
  auto* tensor = value->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  tensor->mutable_shape();
  for (int64_t extent : shape) {
    auto* dim = tensor->mutable_shape()->add_dim();
    if (extent < 0)
      dim->set_dim_param("n");
    else
      dim->set_dim_value(extent);
  }
  return *this;
}

ModelBuilder& ModelBuilder::output(const std::string& name) {
  model.mutable_graph()->add_output()->set_name(name);
  return *this;
}

ModelBuilder& ModelBuilder::floats(const std::string& name, const std::vector<int64_t>& shape,
                                   const std::vector<float>& values) {
  auto* tensor = model.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  for (int64_t extent : shape)
    tensor->add_dims(extent);
  for (float v : values)
    tensor->add_float_data(v);
  return *this;
}

ModelBuilder& ModelBuilder::ints(const std::string& name, const std::vector<int64_t>& values) {
  auto* tensor = model.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::INT64);
  tensor->add_dims(static_cast<int64_t>(values.size()));
  for (int64_t v : values)
    tensor->add_int64_data(v);
  return *this;
}

ModelBuilder& ModelBuilder::bytes(const std::string& name, const std::vector<int64_t>& shape,
                                  const std::vector<int>& values, bool is_signed) {
  auto* tensor = model.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(is_signed ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8);
  for (int64_t extent : shape)
    tensor->add_dims(extent);
  std::string raw;
  for (int v : values)
    raw.push_back(static_cast<char>(v));
  tensor->set_raw_data(raw);
  return *this;
}

onnx::NodeProto& ModelBuilder::node(const std::string& op, const std::vector<std::string>& inputs,
                                    const std::vector<std::string>& outputs, const std::string& domain) {
  auto* node = model.mutable_graph()->add_node();
  node->set_op_type(op);
  node->set_name(op + std::to_string(model.graph().node_size()));
  node->set_domain(domain);
  for (const std::string& name : inputs)
    node->add_input(name);
  for (const std::string& name : outputs)
    node->add_output(name);
  return *node;
}

Result<Graph> ModelBuilder::read(const OnnxOptions& options) const {
  return read_onnx_bytes("test.onnx", serialized(), options);
}

std::vector<float> ModelBuilder::run(const std::vector<std::vector<float>>& inputs, const OnnxOptions& options) const {
  const auto graph = read(options);
  if (!graph.ok()) {
    ADD_FAILURE() << graph.status().text();
    return {};
  }
  EXPECT_TRUE(verify(*graph).ok()) << verify(*graph).text();
  std::vector<HostTensor> values;
  for (size_t i = 0; i < inputs.size(); i++)
    values.push_back(HostTensor::of(ValueType::kF32, (*graph)[graph->inputs.at(i)].shape(), inputs[i]));
  const auto outputs = run_reference(*graph, values);
  if (!outputs.ok()) {
    ADD_FAILURE() << outputs.status().text();
    return {};
  }
  const HostTensor& out = outputs->at(0);
  std::vector<float> result;
  for (int64_t i = 0; i < out.size(); i++) {
    result.push_back(out.type() == ValueType::kF32 ? out.as<float>()[static_cast<size_t>(i)]
                                                   : static_cast<float>(out.int_at(i)));
  }
  return result;
}

void set_ints(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INTS);
  for (int64_t v : values)
    attribute->add_ints(v);
}

void set_int(onnx::NodeProto& node, const std::string& name, int64_t value) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

void set_float(onnx::NodeProto& node, const std::string& name, float value) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::FLOAT);
  attribute->set_f(value);
}

void set_string(onnx::NodeProto& node, const std::string& name, const std::string& value) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::STRING);
  attribute->set_s(value);
}

}  // namespace qlathe::testing
