#include "frontend/formats/tflite/importer.h"

#include <tflite_schema_generated.h>

#include <algorithm>
#include <filesystem>

#include "frontend/formats/tflite/node.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

constexpr int kMaxDepth = 16;

/// "a/b/Conv2D;a/b/BiasAdd" -> "a/b": the converter joins the names of what it fused; the last part of a name is the
/// op.
std::string module_path(const std::string& tensor_name) {
  const std::string first = tensor_name.substr(0, tensor_name.find(';'));
  const size_t last = first.rfind('/');
  return last == std::string::npos ? "" : first.substr(0, last);
}

/// The op name that Qwix's rules know the operator by.
std::string rule_op(const std::string& op) {
  if (op == "CONV_2D" || op == "DEPTHWISE_CONV_2D" || op == "TRANSPOSE_CONV" || op == "CONV_3D")
    return "conv_general_dilated";
  return op == "FULLY_CONNECTED" || op == "BATCH_MATMUL" ? "dot_general" : "";
}

}  // namespace

TensorId TfliteImporter::tensor(int32_t index) {
  if (const auto known = scope_->values.find(index); known != scope_->values.end()) return known->second;
  const auto& tensor = *scope_->subgraph->tensors()->Get(static_cast<uint32_t>(index));
  scope_->values[index] = kNone;
  if (!file_->has_data(tensor)) {
    const std::string which = "tensor " + std::to_string(index) + " " + tflite_name(tensor);
    note(Diagnostic::Kind::kUser, current_, which, "is read, but nothing makes it before and it has no data",
         "the graph has a cycle or is damaged; convert the model again");
    return kNone;
  }
  auto value = file_->read(tensor);
  if (!value.ok()) {
    for (const Diagnostic& d : value.status().diagnostics())
      problems.add({d.kind, {path(), current_, "tensor " + tflite_name(tensor)}, d.message, d.remedy});
    return kNone;
  }
  return scope_->values[index] = add_constant(tflite_name(tensor), std::move(*value));
}

TensorId TfliteImporter::read_variable(const std::string& name, const TensorType& type, int64_t initial) {
  Variable& variable = variables_[name];
  if (!variable.latest.valid()) {
    if (!variable.initial) {
      HostTensor start(type.type, type.shape);
      if (initial != 0) {
        for (int64_t i = 0; i < start.size(); i++)
          start.set_int(i, initial);
      }
      variable.initial = std::make_shared<HostTensor>(std::move(start));
    }
    variable.current = graph.add_tensor(name, {variable.initial->type(), variable.initial->shape()});
    variable.latest = variable.current;
    // Stated at once: the verifier must know where the tensor comes from. The next value is set at the end.
    graph.states.push_back({variable.current, variable.current, variable.initial});
  }
  return variable.latest;
}

void TfliteImporter::assign_variable(const std::string& name, TensorId value) {
  Variable& variable = variables_[name];
  if (initializing_) {
    variable.initial = graph[value].data;
    return;
  }
  // A variable that is assigned before it is read has no use for its old value, but lives on in the instance.
  if (!variable.current.valid()) read_variable(name, graph[value].type);
  variable.latest = value;
}

std::vector<TensorId> TfliteImporter::read_subgraph(int32_t index, const std::vector<TensorId>& arguments,
                                                    bool initialize) {
  const auto* subgraphs = file_->model().subgraphs();
  if (index < 0 || index >= static_cast<int32_t>(subgraphs->size()) || depth_ >= kMaxDepth) {
    note(Diagnostic::Kind::kUser, "subgraph " + std::to_string(index), "",
         depth_ >= kMaxDepth ? "is called in a cycle" : "is called, but there is none of that number",
         "the file is damaged; convert the model again");
    throw ImportProblem{};
  }
  Scope scope;
  scope.subgraph = subgraphs->Get(static_cast<uint32_t>(index));
  scope.index = index;
  const auto* inputs = scope.subgraph->inputs();
  for (uint32_t i = 0; inputs != nullptr && i < inputs->size(); i++)
    scope.values[inputs->Get(i)] = i < arguments.size() ? arguments[i] : kNone;
  Scope* outer = scope_;
  const bool outer_initializing = initializing_;
  scope_ = &scope;
  initializing_ = initializing_ || initialize;
  depth_++;
  read_operators();
  std::vector<TensorId> outputs;
  const auto* results = scope.subgraph->outputs();
  for (uint32_t i = 0; results != nullptr && !initialize && i < results->size(); i++)
    outputs.push_back(tensor(results->Get(i)));
  depth_--;
  scope_ = outer;
  initializing_ = outer_initializing;
  return outputs;
}

void TfliteImporter::read_inputs() {
  const auto* inputs = scope_->subgraph->inputs();
  std::vector<std::string> names;
  for (uint32_t i = 0; inputs != nullptr && i < inputs->size(); i++) {
    const int32_t index = inputs->Get(i);
    const auto& tensor = *scope_->subgraph->tensors()->Get(static_cast<uint32_t>(index));
    const std::string name = tflite_input_name(tensor, i);
    names.push_back(name);
    if (file_->has_data(tensor)) continue;  // its value is in the file
    scope_->values[index] = kNone;
    if (const auto bound = options_.constants.find(name); bound != options_.constants.end()) {
      scope_->values[index] = add_constant(name, bound->second);
      continue;
    }
    const auto type = tflite_type(static_cast<int>(tensor.type()));
    if (!type) {
      note(Diagnostic::Kind::kUnsupported, name, "type",
           "inputs of " + tflite_type_name(static_cast<int>(tensor.type())) + " are not supported", "");
      continue;
    }
    Shape shape = tflite_shape(tensor);
    if (const auto given = options_.shapes.find(name); given != options_.shapes.end()) {
      const auto* open = tensor.shape_signature();
      bool fits = shape.empty() || given->second.size() == shape.size();
      for (size_t d = 0; fits && d < shape.size(); d++) {
        const bool fixed = d > 0 && (open == nullptr || d >= open->size() || open->Get(static_cast<uint32_t>(d)) >= 0);
        fits = !fixed || given->second[d] == shape[d];
      }
      if (!fits) {
        note(Diagnostic::Kind::kUser, name, "shape",
             "is bound to " + to_string(given->second) + ", the model states " + to_string(shape),
             "bind the first extent and those that the file leaves open");
        continue;
      }
      shape = given->second;
    }
    if (const Status status = check_shape(shape); !status.ok()) {
      Status copy = status;
      problems.merge(copy.at({path(), name, "shape"}));
      continue;
    }
    const TensorId id = graph.add_input(name, {*type, shape});
    scope_->values[index] = id;
    describe(id, tensor);
  }
  for (const auto& [name, shape] : options_.shapes) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      note(Diagnostic::Kind::kUser, name, "--shape", "is no input of the model", did_you_mean(name, names));
  }
}

void TfliteImporter::read_operators() {
  const auto* operators = scope_->subgraph->operators();
  const std::string file = std::filesystem::path(path()).filename().string();
  for (uint32_t i = 0; operators != nullptr && i < operators->size() && !problems.full(); i++) {
    const std::string where = scope_->index == 0 ? "" : "subgraph " + std::to_string(scope_->index) + " ";
    read_operator(*operators->Get(i), file + "#" + where + "operator " + std::to_string(i));
  }
}

void TfliteImporter::read_operator(const tflite::Operator& op, const std::string& place) {
  const std::string kind = file_->op_name(op);
  Origin origin;
  origin.place = place;
  const auto* tensors = scope_->subgraph->tensors();
  const bool named = op.outputs() != nullptr && op.outputs()->size() > 0 && op.outputs()->Get(0) >= 0;
  origin.name = named ? tflite_name(*tensors->Get(static_cast<uint32_t>(op.outputs()->Get(0)))) : "";
  // Converters join the names of all that they fused, the result's first.
  if (const size_t end = origin.name.find(';'); end != std::string::npos && end > 0) origin.name.resize(end);
  // Problems name the operator's number, its kind and its result.
  const std::string number = place.substr(place.find('#') + 1), label = number + " " + kind;
  if (origin.name.empty()) origin.name = number;
  current_ = label + " " + origin.name;
  origin.module_path = module_path(origin.name);
  origin.rule_op = rule_op(kind);
  // Results without a value keep what depends on them from being read; the problem is noted once.
  const auto give_up = [&] {
    for (uint32_t i = 0; op.outputs() != nullptr && i < op.outputs()->size(); i++) {
      if (op.outputs()->Get(i) >= 0) scope_->values.emplace(op.outputs()->Get(i), kNone);
    }
  };
  const TfliteOp* known = TfliteOps::find(kind);
  if (known == nullptr) {
    const std::string near = nearest(kind, TfliteOps::names());
    note(Diagnostic::Kind::kUnsupported, current_, "", "the operator " + kind + " is not supported",
         near.empty() ? "convert the model so that it does without it" : did_you_mean(kind, {near}));
    return give_up();
  }
  try {
    TfliteNode node(*this, op, kind, label, origin);
    known->read(node);
    for (size_t i = 0; i < node.results.size() && i < node.output_count(); i++)
      define(node.output_index(i), node.results[i]);
  } catch (const ImportProblem&) {
    give_up();
  }
}

/// What the integers of an input or output stand for.
void TfliteImporter::describe(TensorId id, const tflite::Tensor& tensor) {
  const auto* q = tensor.quantization();
  const TensorType type = graph[id].type;
  if (q == nullptr || q->scale() == nullptr || q->scale()->size() != 1 || !(q->scale()->Get(0) > 0)) return;
  if (graph[id].quantization || graph[id].is_constant() || !is_integer(type.type) || element_count(type.shape) == 0)
    return;
  const int64_t zero = q->zero_point() != nullptr && q->zero_point()->size() == 1 ? q->zero_point()->Get(0) : 0;
  if (zero < info(type.type).min || zero > info(type.type).max) return;
  const Shape one(type.shape.size(), 1);
  Quantization described{add_constant(graph[id].name + ".scale",
                                      HostTensor::of(ValueType::kF32, one, std::vector<float>{q->scale()->Get(0)})),
                         kNone, type.shape};
  if (zero != 0) {
    HostTensor value(type.type, one);
    value.set_int(0, zero);
    described.zero_point = add_constant(graph[id].name + ".zero_point", std::move(value));
  }
  graph[id].quantization = described;
}

void TfliteImporter::read_outputs() {
  const auto* outputs = scope_->subgraph->outputs();
  std::set<std::string> taken;
  for (uint32_t i = 0; outputs != nullptr && i < outputs->size(); i++) {
    const TensorId id = tensor(outputs->Get(i));
    if (!problems.ok()) continue;
    std::string name = tflite_name(*scope_->subgraph->tensors()->Get(static_cast<uint32_t>(outputs->Get(i))));
    if (name.empty()) name = "output" + std::to_string(i);
    while (!taken.insert(name).second)
      name += "_" + std::to_string(i);
    problems.merge(add_output(name, id));
    if (problems.ok())
      describe(graph.outputs.back(), *scope_->subgraph->tensors()->Get(static_cast<uint32_t>(outputs->Get(i))));
  }
  if (problems.ok() && graph.outputs.empty())
    note(Diagnostic::Kind::kUser, "", "outputs", "the model has no outputs", "convert it again");
}

void TfliteImporter::finish_states() {
  for (State& state : graph.states) {
    for (const auto& [name, variable] : variables_) {
      if (variable.current != state.current) continue;
      state.next = variable.latest;
      if (graph.producer(state.next) >= 0) continue;
      // Never assigned, or assigned from a constant or an input: a node of its own makes the next value.
      auto copy =
          graph.add("pointwise", {state.next}, std::make_shared<PointwiseAttrs>(), Origin{name, "", "", path()});
      if (copy.ok())
        state.next = *copy;
      else
        problems.merge(copy.status());
    }
  }
}

Result<Graph> TfliteImporter::run() {
  Scope main;
  main.subgraph = file_->model().subgraphs()->Get(0);
  scope_ = &main;
  graph.name = std::filesystem::path(path()).stem().string();
  read_inputs();
  read_operators();
  current_ = "outputs";
  read_outputs();
  if (problems.ok()) finish_states();
  if (problems.ok()) return std::move(graph);
  // What has no remedy of its own is nothing that a converter writes.
  Status said;
  for (Diagnostic d : problems.diagnostics()) {
    if (d.kind == Diagnostic::Kind::kUser && d.remedy.empty())
      d.remedy = "the file is damaged, or not as converters write it; convert the model again";
    said.add(std::move(d));
  }
  return said;
}

Result<Graph> read_tflite(const std::string& path, const TfliteOptions& options) {
  QL_ASSIGN(auto file, TfliteFile::load(path));
  return TfliteImporter(path, std::move(file), options).run();
}

Result<Graph> read_tflite_bytes(const std::string& path, std::string bytes, const TfliteOptions& options) {
  QL_ASSIGN(auto file, TfliteFile::parse(path, std::move(bytes)));
  return TfliteImporter(path, std::move(file), options).run();
}

}  // namespace qlathe
