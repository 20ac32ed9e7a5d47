#include "frontend/formats/tflite/node.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>

#include "frontend/formats/tflite/importer.h"

namespace qlathe {
namespace {

std::map<std::string, TfliteOp>& registry() {
  static std::map<std::string, TfliteOp> ops;
  return ops;
}

std::string shown(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", static_cast<double>(value));
  return text;
}

std::string state_name(const tflite::Tensor& tensor, int32_t index) {
  const std::string name = tflite_name(tensor);
  return (name.empty() ? "state" : name) + "#" + std::to_string(index);
}

}  // namespace

const TfliteOp* TfliteOps::find(const std::string& name) {
  const auto it = registry().find(name);
  return it == registry().end() ? nullptr : &it->second;
}

std::vector<std::string> TfliteOps::names() {
  std::vector<std::string> out;
  for (const auto& entry : registry())
    out.push_back(entry.first);
  return out;
}

TfliteOps::Add::Add(std::vector<TfliteOp> ops) {
  for (TfliteOp& op : ops) {
    const std::string name = op.name;
    QL_CHECK(registry().emplace(name, std::move(op)).second, name);
  }
}

std::vector<std::string> tflite_op_names() { return TfliteOps::names(); }

TfliteNumerics TfliteNode::numerics() const { return importer_.numerics(); }
bool TfliteNode::initializing() const { return importer_.initializing(); }

int32_t TfliteNode::input_index(size_t i) {
  if (!has(i)) problem("input", "operand " + std::to_string(i) + " is missing");
  return proto.inputs()->Get(static_cast<uint32_t>(i));
}

int32_t TfliteNode::output_index(size_t i) {
  if (i >= output_count() || proto.outputs()->Get(static_cast<uint32_t>(i)) < 0)
    problem("output", "result " + std::to_string(i) + " is missing");
  return proto.outputs()->Get(static_cast<uint32_t>(i));
}

const tflite::Tensor& TfliteNode::input(size_t i) {
  return *importer_.subgraph().tensors()->Get(static_cast<uint32_t>(input_index(i)));
}

const tflite::Tensor& TfliteNode::output(size_t i) {
  return *importer_.subgraph().tensors()->Get(static_cast<uint32_t>(output_index(i)));
}

ValueType TfliteNode::output_type(size_t i) {
  const auto known = tflite_type(static_cast<int>(output(i).type()));
  if (!known)
    unsupported("output", "is " + tflite_type_name(static_cast<int>(output(i).type())) + ", which is not supported");
  return *known;
}

Shape TfliteNode::output_shape(size_t i) { return tflite_shape(output(i)); }

TensorId TfliteNode::in(size_t i) {
  const TensorId id = importer_.tensor(input_index(i));
  if (!id.valid()) throw ImportProblem{};  // its problem was noted where it arose
  return id;
}

TensorId TfliteNode::tensor_at(int32_t index, const std::string& field) {
  const auto* tensors = importer_.subgraph().tensors();
  if (index < 0 || tensors == nullptr || static_cast<uint32_t>(index) >= tensors->size())
    problem(field, "names tensor " + std::to_string(index) + ", which is none of the subgraph's");
  const TensorId id = importer_.tensor(index);
  if (!id.valid()) throw ImportProblem{};
  return id;
}

std::vector<int64_t> TfliteNode::constant_integers(size_t i, const char* meaning) {
  const HostTensor* values = data(in(i));
  if (values == nullptr) {
    unsupported(meaning, "is computed while the model runs; sizes must be known while compiling",
                "bind what it comes from, or make the input a constant");
  }
  if (!is_integer(values->type()) && values->type() != ValueType::kBool)
    problem(meaning, "is " + std::string(name(values->type())) + ", expected integers");
  std::vector<int64_t> out;
  for (int64_t e = 0; e < values->size(); e++)
    out.push_back(values->int_at(e));
  return out;
}

double TfliteNode::constant_number(size_t i, const char* meaning) {
  const HostTensor* values = data(in(i));
  if (values == nullptr) unsupported(meaning, "is computed while the model runs; it must be a constant");
  if (values->size() != 1) problem(meaning, "has " + std::to_string(values->size()) + " values, expected one");
  if (values->type() == ValueType::kF32) return static_cast<double>(values->as<float>()[0]);
  if (!is_integer(values->type())) problem(meaning, "is " + std::string(name(values->type())) + ", expected a number");
  return static_cast<double>(values->int_at(0));
}

std::optional<TfliteQuant> TfliteNode::quant_of(const tflite::Tensor& tensor) {
  const auto* quant = tensor.quantization();
  if (quant == nullptr || quant->scale() == nullptr || quant->scale()->size() == 0) return std::nullopt;
  const std::string field = "quantization of " + tflite_name(tensor);
  TfliteQuant out;
  out.axis = quant->quantized_dimension();
  out.scale.assign(quant->scale()->begin(), quant->scale()->end());
  // The verifier leaves numbers of eight bytes unaligned that a writer did not align.
  for (uint32_t i = 0; quant->zero_point() != nullptr && i < quant->zero_point()->size(); i++) {
    int64_t value = 0;
    std::memcpy(&value, quant->zero_point()->Data() + i * sizeof value, sizeof value);
    out.zero_point.push_back(flatbuffers::EndianScalar(value));
  }
  if (out.zero_point.empty()) out.zero_point.assign(1, 0);
  if (out.zero_point.size() == 1) out.zero_point.resize(out.scale.size(), out.zero_point[0]);
  if (out.zero_point.size() != out.scale.size()) {
    problem(field, "has " + std::to_string(out.scale.size()) + " scales and " + std::to_string(out.zero_point.size()) +
                       " zero points");
  }
  for (float s : out.scale) {
    if (!(s >= 0) || !std::isfinite(s))
      problem(field, "has the scale " + shown(s), "a scale is a positive finite number");
  }
  const Shape dims = tflite_shape(tensor);
  if (out.scale.size() > 1 && (out.axis < 0 || out.axis >= static_cast<int64_t>(dims.size()) ||
                               dims[static_cast<size_t>(out.axis)] != static_cast<int64_t>(out.scale.size()))) {
    problem(field, "has " + std::to_string(out.scale.size()) + " scales along dimension " + std::to_string(out.axis) +
                       " of " + to_string(dims));
  }
  const auto held = tflite_type(static_cast<int>(tensor.type()));
  for (int64_t z : out.zero_point) {
    const bool wide = !held || !is_integer(*held) || info(*held).bits > 16;
    if (wide ? std::abs(z) > (int64_t{1} << 31) : (z < info(*held).min || z > info(*held).max))
      problem(field, "has the zero point " + std::to_string(z) + ", outside of the tensor's type");
  }
  return out;
}

namespace {

TfliteQuant required(TfliteNode& node, const tflite::Tensor& tensor) {
  auto quant = node.quant_of(tensor);
  const auto* stated = tensor.quantization();
  if (!quant && stated != nullptr && stated->details_type() != tflite::QuantizationDetails::NONE)
    node.unsupported("quantization of " + tflite_name(tensor),
                     "has scales by blocks, or custom ones, which this operator does not take");
  if (!quant) {
    node.problem("quantization of " + tflite_name(tensor), "is missing: the tensor has no scale",
                 "convert the model again with full quantization");
  }
  for (float s : quant->scale) {
    // Beyond this the ratios of scales leave float32.
    if (s < 0x1p-60f || s > 0x1p60f)
      node.problem("quantization of " + tflite_name(tensor),
                   "has the scale " + shown(s) + ", which is out of range (2^-60 to 2^60)",
                   "convert the model again with data that has this tensor's range");
  }
  return *quant;
}

}  // namespace

TfliteQuant TfliteNode::in_quant(size_t i) { return required(*this, input(i)); }
TfliteQuant TfliteNode::out_quant(size_t i) { return required(*this, output(i)); }

const tflite::Tensor* TfliteNode::intermediate(size_t i) {
  if (proto.intermediates() == nullptr || i >= proto.intermediates()->size()) return nullptr;
  const int32_t index = proto.intermediates()->Get(static_cast<uint32_t>(i));
  return index < 0 ? nullptr : importer_.subgraph().tensors()->Get(static_cast<uint32_t>(index));
}

std::string& TfliteNode::resource_of(int32_t tensor_index) { return importer_.resource(tensor_index); }

TensorId TfliteNode::read_variable(const std::string& name, const TensorType& type, int64_t initial) {
  return importer_.read_variable(name, type, initial);
}

void TfliteNode::assign_variable(const std::string& name, TensorId value) { importer_.assign_variable(name, value); }

TensorId TfliteNode::state_in(size_t i) {
  const tflite::Tensor& tensor = input(i);
  if (!tensor.is_variable()) return in(i);
  const auto held = tflite_type(static_cast<int>(tensor.type()));
  if (!held) unsupported("input", "the state " + tflite_name(tensor) + " has an unsupported type");
  // Eight-bit states begin at their zero point, the others at 0.
  const auto quant = quant_of(tensor);
  const int64_t initial = *held == ValueType::kI8 && quant ? quant->zero_point[0] : 0;
  return read_variable(state_name(tensor, input_index(i)), {*held, tflite_shape(tensor)}, initial);
}

void TfliteNode::state_out(size_t i, TensorId value) {
  const tflite::Tensor& tensor = input(i);
  if (tensor.is_variable()) assign_variable(state_name(tensor, input_index(i)), value);
}

std::vector<TensorId> TfliteNode::inline_subgraph(int32_t index, const std::vector<TensorId>& arguments,
                                                  bool initialize) {
  return importer_.read_subgraph(index, arguments, initialize);
}

}  // namespace qlathe
