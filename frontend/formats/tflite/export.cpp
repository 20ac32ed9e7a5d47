#include "frontend/formats/tflite/export.h"

#include <algorithm>

#include "frontend/formats/tflite/export_node.h"

namespace qlathe {
namespace {

std::optional<tflite::TensorType> type_code(ValueType type) {
  switch (type) {
    case ValueType::kF32:
      return tflite::TensorType::FLOAT32;
    case ValueType::kF16:
      return tflite::TensorType::FLOAT16;
    case ValueType::kBool:
      return tflite::TensorType::BOOL;
    case ValueType::kI4:
      return tflite::TensorType::INT4;
    case ValueType::kI16:
      return tflite::TensorType::INT16;
    case ValueType::kI32:
      return tflite::TensorType::INT32;
    case ValueType::kI64:
      return tflite::TensorType::INT64;
    case ValueType::kU8:
      return tflite::TensorType::UINT8;
    case ValueType::kU32:
      return tflite::TensorType::UINT32;
    default:
      break;
  }
  // Other signed integers of up to eight bits are kept in bytes.
  if (is_integer(type) && is_signed(type) && info(type).bits <= 8) return tflite::TensorType::INT8;
  return std::nullopt;
}

std::vector<int32_t> extents(const Shape& shape) { return {shape.begin(), shape.end()}; }

/// Two elements a byte, the first one low.
std::vector<uint8_t> packed_bytes(const HostTensor& data) {
  if (data.type() != ValueType::kI4) return {data.bytes(), data.bytes() + data.byte_size()};
  std::vector<uint8_t> out((data.byte_size() + 1) / 2, 0);
  for (size_t i = 0; i < data.byte_size(); i++)
    out[i / 2] = static_cast<uint8_t>(out[i / 2] | ((data.bytes()[i] & 15) << (i % 2 * 4)));
  return out;
}

}  // namespace

void TfliteExporter::unsupported(const std::string& field, std::string message) {
  problems.merge(Status::unsupported({"", node != nullptr ? node->origin.name : "", field}, std::move(message)));
  throw TfliteExportProblem{};
}

std::string TfliteExporter::fresh(const std::string& name) {
  std::string out = name;
  for (int i = 1; names_.contains(out); i++)
    out = name + "_" + std::to_string(i);
  names_.insert(out);
  return out;
}

int32_t TfliteExporter::tensor(const std::string& name, ValueType type, const Shape& shape,
                               const TfliteStorage* storage, const HostTensor* data) {
  const auto code = type_code(type);
  if (!code) unsupported("type", std::string("TFLite has no tensors of ") + qlathe::name(type));
  auto out = std::make_unique<tflite::TensorT>();
  out->name = fresh(name);
  out->type = *code;
  out->shape = extents(shape);
  out->has_rank = true;
  if (storage != nullptr) {
    out->quantization = std::make_unique<tflite::QuantizationParametersT>();
    out->quantization->scale = storage->scale;
    out->quantization->zero_point = storage->zero_point;
    out->quantization->quantized_dimension = static_cast<int32_t>(storage->axis);
  }
  if (data != nullptr) {
    out->buffer = static_cast<uint32_t>(model_.buffers.size());
    model_.buffers.push_back(std::make_unique<tflite::BufferT>());
    model_.buffers.back()->data = packed_bytes(*data);
  }
  subgraph_.tensors.push_back(std::move(out));
  return static_cast<int32_t>(subgraph_.tensors.size()) - 1;
}

int32_t TfliteExporter::constant(const std::string& suffix, const HostTensor& data, const TfliteStorage* storage) {
  return tensor((node != nullptr ? node->origin.name : graph.name) + "/" + suffix, data.type(), data.shape(), storage,
                &data);
}

int32_t TfliteExporter::integers(const std::vector<int64_t>& values, const char* suffix) {
  HostTensor out(ValueType::kI32, {static_cast<int64_t>(values.size())});
  for (size_t i = 0; i < values.size(); i++)
    out.set_int(static_cast<int64_t>(i), values[i]);
  return constant(suffix, out);
}

int32_t TfliteExporter::between(const std::string& suffix, ValueType type, const Shape& shape,
                                const TfliteStorage* storage) {
  return tensor((node != nullptr ? node->origin.name : graph.name) + "/" + suffix,
                storage != nullptr ? storage->type : type, shape, storage);
}

void TfliteExporter::op(tflite::BuiltinOperator code, std::vector<int32_t> inputs, int32_t output, int version) {
  const auto [it, added] = codes_.emplace(std::pair(static_cast<int32_t>(code), version), model_.operator_codes.size());
  if (added) {
    auto entry = std::make_unique<tflite::OperatorCodeT>();
    // Readers of before the field was widened find 127 where it does not fit.
    entry->deprecated_builtin_code = static_cast<int8_t>(std::min<int32_t>(static_cast<int32_t>(code), 127));
    entry->builtin_code = code;
    entry->version = version;
    model_.operator_codes.push_back(std::move(entry));
  }
  auto made = std::make_unique<tflite::OperatorT>();
  made->opcode_index = it->second;
  made->inputs = std::move(inputs);
  made->outputs = {output};
  subgraph_.operators.push_back(std::move(made));
}

int32_t TfliteExporter::find(TensorId id, const std::optional<TfliteStorage>& form) const {
  const auto it = held_.find(id);
  if (it == held_.end()) return -1;
  for (const Held& h : it->second)
    if (h.form == form) return h.index;
  return -1;
}

int32_t TfliteExporter::hold(TensorId id, std::optional<TfliteStorage> form, int32_t index) {
  held_[id].push_back({std::move(form), index});
  return index;
}

/// Some tensor that holds the value; a constant becomes one.
int32_t TfliteExporter::any(TensorId id) {
  const auto it = held_.find(id);
  if (it != held_.end()) return it->second.front().index;
  if (!graph[id].is_constant()) throw TfliteExportProblem{};  // noted where it was to be made
  const Tensor& t = graph[id];
  return hold(id, std::nullopt, tensor(t.name, t.type.type, t.shape(), nullptr, t.data.get()));
}

int32_t TfliteExporter::convert(int32_t from, const Shape& shape, ValueType to, const TfliteStorage* form,
                                TensorId id) {
  const bool quantizes = form != nullptr;
  if (quantizes && !form->per_tensor()) unsupported("quantize", "activations have one scale each in TFLite");
  const auto& source = *subgraph_.tensors[static_cast<size_t>(from)];
  const bool requantizes = quantizes && source.type != tflite::TensorType::FLOAT32;
  const int32_t out = tensor(graph[id].name + (quantizes ? "/quantized" : "/dequantized"), to, shape, form);
  op(quantizes ? tflite::BuiltinOperator::QUANTIZE : tflite::BuiltinOperator::DEQUANTIZE, {from}, out,
     requantizes || !quantizes ? 2 : 1);
  return out;
}

int32_t TfliteExporter::stored(TensorId id, const TfliteStorage& form) {
  const TfliteExportPlan::View seen = plan.view(id);
  const TensorId source = seen.source;
  if (const int32_t known = find(source, form); known >= 0) return known;
  const Tensor& t = graph[source];
  if (t.is_constant() && !is_float(t.type.type)) {
    return hold(source, form, tensor(t.name, t.type.type, t.shape(), &form, t.data.get()));
  }
  if (!is_float(t.type.type)) unsupported("input", "integers that no step quantized have another form");
  // From the real value where the file has it, else from what stands for it.
  int32_t from = find(source, std::nullopt);
  if (from < 0) {
    const auto other = plan.storage(source);
    from = other && !(*other == form) ? stored(source, *other) : any(source);
  }
  return hold(source, form, convert(from, t.shape(), form.type, &form, source));
}

int32_t TfliteExporter::real(TensorId id) {
  const TfliteExportPlan::View seen = plan.view(id);
  if (seen.storage && !is_float(type(id))) return stored(id, *seen.storage);  // integers are read as such
  const auto form = plan.storage(id);
  if (!form) return any(seen.source);
  if (const int32_t known = find(id, std::nullopt); known >= 0) return known;
  const int32_t from = stored(id, *form);
  return hold(id, std::nullopt, convert(from, shape(id), ValueType::kF32, nullptr, id));
}

bool TfliteExporter::is_quantized(const std::vector<TensorId>& operands, TensorId wanted,
                                  std::initializer_list<ValueType> types) {
  const auto out = plan.storage(wanted);
  const auto fits = [&](const std::optional<TfliteStorage>& form) {
    return form && form->per_tensor() && form->type == out->type;
  };
  if (!out || std::find(types.begin(), types.end(), out->type) == types.end()) return false;
  return std::all_of(operands.begin(), operands.end(), [&](TensorId id) { return fits(plan.storage(id)); });
}

int32_t TfliteExporter::result_named(TensorId id, bool quantized, const Shape& as) {
  const auto form = quantized ? plan.storage(id) : std::nullopt;
  const ValueType held = form ? form->type : type(id);
  return hold(id, form, tensor(graph[id].name, held, as, form ? &*form : nullptr));
}

int32_t TfliteExporter::result(TensorId id, bool quantized) { return result_named(id, quantized, shape(id)); }

int32_t TfliteExporter::transposed(int32_t x, ValueType t, const Shape& from, const std::vector<int64_t>& permutation,
                                   const TfliteStorage* storage) {
  if (std::is_sorted(permutation.begin(), permutation.end())) return x;
  Shape to;
  for (int64_t axis : permutation)
    to.push_back(from[static_cast<size_t>(axis)]);
  const int32_t out = between("transposed", t, to, storage);
  op(tflite::BuiltinOperator::TRANSPOSE, {x, integers(permutation, "permutation")}, out, tflite::TransposeOptionsT{},
     storage != nullptr ? 2 : 1);
  return out;
}

int32_t TfliteExporter::reshaped(int32_t x, ValueType t, const Shape& to, const TfliteStorage* storage) {
  if (subgraph_.tensors[static_cast<size_t>(x)]->shape == extents(to)) return x;
  const int32_t out = between("reshaped", t, to, storage);
  tflite::ReshapeOptionsT options;
  options.new_shape = extents(to);
  op(tflite::BuiltinOperator::RESHAPE, {x, integers(to, "shape")}, out, std::move(options));
  return out;
}

void TfliteExporter::write_inputs() {
  for (TensorId id : graph.inputs) {
    const int32_t index = tensor(graph[id].name, type(id), shape(id));
    subgraph_.inputs.push_back(index);
    if (is_float(type(id))) {
      hold(id, std::nullopt, index);
      continue;
    }
    // An integer input that is dequantized has its scale in the file.
    std::optional<TfliteStorage> form;
    for (const Node* reader : plan.readers(id)) {
      if (reader != nullptr && !form) form = plan.parameters(*reader);
    }
    if (form && form->type == type(id)) {
      auto quantization = std::make_unique<tflite::QuantizationParametersT>();
      quantization->scale = form->scale;
      quantization->zero_point = form->zero_point;
      subgraph_.tensors[static_cast<size_t>(index)]->quantization = std::move(quantization);
      hold(id, form, index);
    }
    hold(id, std::nullopt, index);
  }
}

void TfliteExporter::write_outputs() {
  for (TensorId id : graph.outputs) {
    int32_t index = real(id);
    tflite::TensorT& t = *subgraph_.tensors[static_cast<size_t>(index)];
    const auto listed = [&](const std::vector<int32_t>& all) {
      return std::find(all.begin(), all.end(), index) != all.end();
    };
    const std::string& name = graph[id].name;
    if (listed(subgraph_.inputs) || listed(subgraph_.outputs) || t.buffer != 0) {
      // A copy, so that every output is a tensor of its own.
      const TfliteExportPlan::View seen = plan.view(id);
      const bool integer = seen.storage && !is_float(type(id));
      const int32_t copy = tensor(name + "/copy", type(id), shape(id), integer ? &*seen.storage : nullptr);
      tflite::ReshapeOptionsT options;
      options.new_shape = extents(shape(id));
      op(tflite::BuiltinOperator::RESHAPE, {index, integers(shape(id), "shape")}, copy, std::move(options));
      index = copy;
    }
    tflite::TensorT& out = *subgraph_.tensors[static_cast<size_t>(index)];
    if (out.name != name) {
      for (auto& other : subgraph_.tensors)
        if (other->name == name) other->name = fresh(name + "/before");
      out.name = name;
      names_.insert(name);
    }
    subgraph_.outputs.push_back(index);
  }
}

Result<std::string> TfliteExporter::run() {
  model_.version = 3;
  model_.description = "qlathe";
  subgraph_.name = graph.name.empty() ? "main" : graph.name;
  model_.buffers.push_back(std::make_unique<tflite::BufferT>());  // of what has no data
  try {
    write_inputs();
  } catch (const TfliteExportProblem&) {
  }
  for (const Node& n : graph.nodes) {
    if (is_done(n)) continue;
    node = &n;
    try {
      const auto found = tflite_export_ops().find(n.op);
      if (found == tflite_export_ops().end()) unsupported("op", "'" + n.op + "' has no TFLite form here");
      found->second(*this, n);
    } catch (const TfliteExportProblem&) {
      // Noted; the others are looked at as well.
    }
  }
  node = nullptr;
  if (!problems.ok()) return problems;
  try {
    write_outputs();
  } catch (const TfliteExportProblem&) {
  }
  if (!problems.ok()) return problems;
  model_.subgraphs.push_back(std::make_unique<tflite::SubGraphT>(std::move(subgraph_)));
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(tflite::Model::Pack(builder, &model_), tflite::ModelIdentifier());
  return std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
}

Result<std::string> export_tflite(const Graph& graph) {
  if (!graph.states.empty())
    return Status::unsupported({"", graph.name, ""}, "a model with states has no TFLite form here", "");
  QL_ASSIGN(const TfliteExportPlan plan, TfliteExportPlan::make(graph));
  return TfliteExporter(plan).run();
}

}  // namespace qlathe
