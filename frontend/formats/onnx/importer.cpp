#include "frontend/formats/onnx/importer.h"

#include <onnx.pb.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "frontend/formats/onnx/functions.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

/// Of operators before opset 7 those are read that have not changed since: attributes they had then are refused.
constexpr int64_t kOldestOpset = 1, kNewestOpset = 28;
constexpr int kMaxDepth = 16;
constexpr int64_t kMaxNodesRead = 2000000;

bool is_default_domain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

std::string qualified(const onnx::NodeProto& node) {
  return is_default_domain(node.domain()) ? node.op_type() : node.domain() + ":" + node.op_type();
}

/// "/encoder/fc1/MatMul" -> "encoder/fc1": what exporters put before the last part is the module's path. Of names that
/// a converter joined ("net/fc1/MatMul;net/fc1/Relu") the first counts.
std::string module_path(const std::string& joined) {
  const std::string node_name = joined.substr(0, joined.find(';'));
  const size_t last = node_name.rfind('/');
  if (last == std::string::npos) return "";
  const size_t first = node_name.starts_with('/') ? 1 : 0;
  return last > first ? node_name.substr(first, last - first) : "";
}

/// "encoder.fc1.weight" -> "encoder/fc1": where the node's name tells no scope, the one that its weights are named
/// with.
std::string module_of_weights(const std::string& weights) {
  constexpr std::string_view kSuffix = ".weight";
  if (!weights.ends_with(kSuffix)) return "";
  std::string path = weights.substr(0, weights.size() - kSuffix.size());
  std::replace(path.begin(), path.end(), '.', '/');
  return path;
}

/// The op name that Qwix's rules know the operator by.
std::string rule_op(const std::string& op) {
  if (op == "Conv" || op == "ConvTranspose" || op == "com.microsoft:FusedConv") return "conv_general_dilated";
  if (op == "MatMul" || op == "Gemm" || op == "LSTM" || op == "GRU" || op == "RNN") return "dot_general";
  if (op == "com.microsoft:FusedGemm" || op == "com.microsoft:FusedMatMul") return "dot_general";
  return op == "Einsum" ? "einsum" : "";
}

}  // namespace

OnnxImporter::OnnxImporter(const std::string& path, const onnx::ModelProto& model, const OnnxOptions& options)
    : ImportGraph(path), tensors(path), model_(model), options_(options) {
  for (const auto& set : model.opset_import())
    opsets_[is_default_domain(set.domain()) ? "" : set.domain()] = set.version();
}

std::optional<TensorId> OnnxImporter::find(const std::string& name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto it = scope->find(name); it != scope->end()) return it->second;
  }
  return std::nullopt;
}

void OnnxImporter::define(const std::string& name, TensorId tensor) {
  if (!name.empty()) scopes_.back()[name] = tensor;
}

void OnnxImporter::read_initializers(const onnx::GraphProto& body) {
  for (const auto& proto : body.initializer()) {
    auto tensor = tensors.read(proto);
    if (!tensor.ok()) {
      problems.merge(tensor.status().at({path(), proto.name(), "initializer"}));
      define(proto.name(), kNone);
      continue;
    }
    define(proto.name(), add_constant(proto.name(), std::move(*tensor)));
  }
  for (const auto& proto : body.sparse_initializer()) {
    note(Diagnostic::Kind::kUnsupported, proto.values().name(), "sparse_initializer",
         "sparse tensors are not supported", "store the tensor densely");
    define(proto.values().name(), kNone);
  }
}

std::optional<Shape> OnnxImporter::input_shape(const std::string& name, const void* type_proto) {
  const auto& type = static_cast<const onnx::TypeProto*>(type_proto)->tensor_type();
  std::optional<Shape> given;
  if (const auto found = options_.shapes.find(name); found != options_.shapes.end()) given = found->second;
  if (const auto found = options_.dimensions.find(name); found != options_.dimensions.end())
    given = Shape{found->second};
  const auto rank = static_cast<size_t>(type.shape().dim_size());
  if (given) {
    bool fits = !type.has_shape() || given->size() == rank;
    for (size_t d = 0; fits && type.has_shape() && d < rank; d++) {
      const auto& dim = type.shape().dim(static_cast<int>(d));
      fits = !dim.has_dim_value() || dim.dim_value() <= 0 || dim.dim_value() == (*given)[d];
    }
    if (!fits) {
      std::string stated;
      for (const auto& dim : type.shape().dim())
        stated += (stated.empty() ? "" : "x") + (dim.has_dim_value()       ? std::to_string(dim.dim_value())
                                                 : dim.dim_param().empty() ? "?"
                                                                           : dim.dim_param());
      note(Diagnostic::Kind::kUser, name, "shape", "is bound to " + to_string(*given) + ", the model states " + stated,
           "bind the symbolic extents only");
      return std::nullopt;
    }
    return *given;
  }
  if (!type.has_shape()) {
    note(Diagnostic::Kind::kUser, name, "shape", "the input has no shape", "bind it: --shape " + name + "=1x3x224x224");
    return std::nullopt;
  }
  Shape shape;
  std::string open, example;
  for (const auto& dim : type.shape().dim()) {
    int64_t extent = dim.has_dim_value() ? dim.dim_value() : -1;
    if (extent < 0 || (extent == 0 && !dim.has_dim_value())) {
      const auto bound = options_.dimensions.find(dim.dim_param());
      extent = bound == options_.dimensions.end() ? -1 : bound->second;
    }
    if (extent < 0) open += (open.empty() ? "" : ", ") + (dim.dim_param().empty() ? "?" : dim.dim_param());
    example += (example.empty() ? "" : "x") + std::to_string(extent < 0 ? 1 : extent);
    shape.push_back(extent);
  }
  if (open.empty()) return shape;
  note(Diagnostic::Kind::kUser, name, "shape", "has symbolic dimensions (" + open + ")",
       "bind them: --shape " + name + "=" + example);
  return std::nullopt;
}

void OnnxImporter::read_inputs() {
  for (const auto& input : model_.graph().input()) {
    if (find(input.name())) continue;  // an initializer of the name is its default, which stays
    define(input.name(), kNone);
    if (const auto bound = options_.constants.find(input.name()); bound != options_.constants.end()) {
      define(input.name(), add_constant(input.name(), bound->second));
      continue;
    }
    if (!input.type().has_tensor_type()) {
      note(Diagnostic::Kind::kUnsupported, input.name(), "type",
           "is no tensor (sequences, maps and optionals are not supported)", "");
      continue;
    }
    const auto type = onnx_type(input.type().tensor_type().elem_type());
    if (!type) {
      note(Diagnostic::Kind::kUnsupported, input.name(), "type",
           "inputs of " + onnx_type_name(input.type().tensor_type().elem_type()) + " are not supported", "");
      continue;
    }
    const auto shape = input_shape(input.name(), &input.type());
    if (!shape) continue;
    if (const Status status = check_shape(*shape); !status.ok()) {
      Status copy = status;
      problems.merge(copy.at({path(), input.name(), "shape"}));
      continue;
    }
    define(input.name(), graph.add_input(input.name(), {*type, *shape}));
  }
  std::vector<std::string> known;
  for (const auto& input : model_.graph().input()) {
    known.push_back(input.name());
    for (const auto& dim : input.type().tensor_type().shape().dim()) {
      if (!dim.dim_param().empty()) known.push_back(dim.dim_param());
    }
  }
  const auto refuse = [&](const std::string& name) {
    note(Diagnostic::Kind::kUser, name, "--shape", "is no input or symbolic dimension of the model",
         did_you_mean(name, known));
  };
  for (const auto& [name, shape] : options_.shapes) {
    if (!find(name)) refuse(name);
  }
  for (const auto& [name, extent] : options_.dimensions) {
    if (std::find(known.begin(), known.end(), name) == known.end()) refuse(name);
  }
}

void OnnxImporter::read_node(const onnx::NodeProto& proto, const std::string& place) {
  const std::string op = qualified(proto);
  Origin origin;
  origin.name = !proto.name().empty() ? proto.name() : proto.output_size() > 0 ? proto.output(0) : proto.op_type();
  origin.module_path = module_path(origin.name);
  if (origin.module_path.empty() && proto.input_size() > 1) origin.module_path = module_of_weights(proto.input(1));
  origin.rule_op = rule_op(op);
  // Without a scope anywhere rules know a product by its own name.
  if (origin.module_path.empty() && !origin.rule_op.empty()) origin.module_path = origin.name;
  origin.place = place;
  for (const std::string& output : proto.output()) {
    if (!output.empty() && scopes_.back().contains(output)) {
      note(Diagnostic::Kind::kUser, op + " " + origin.name, "output",
           in_quotes(output) + " is there already: every name stands for one tensor",
           "the file is damaged; export the model again");
      return;
    }
    define(output, kNone);
  }
  const OnnxOp* known = OnnxOps::find(op);
  const std::string shown = op + " " + origin.name;
  if (known == nullptr) {
    if (read_function(proto, place)) return;
    const std::string near = nearest(op, OnnxOps::names());
    note(Diagnostic::Kind::kUnsupported, shown, "", "the operator " + op + " is not supported",
         near.empty() ? "docs/onnx.md lists those that are" : "did you mean " + in_quotes(near) + "?");
    return;
  }
  for (const std::string& input : proto.input()) {
    if (input.empty()) continue;
    const auto found = find(input);
    if (!found) {
      note(Diagnostic::Kind::kUser, shown, "input", "reads " + in_quotes(input) + ", which nothing makes before it",
           "the graph has a cycle or is damaged; export the model again");
      return;
    }
    if (!found->valid()) return;  // its problem was noted where it arose
  }
  const std::string domain = is_default_domain(proto.domain()) ? "" : proto.domain();
  const auto version = opsets_.find(domain);
  try {
    OnnxNode node(*this, proto, version == opsets_.end() ? 1 : version->second, origin);
    known->read(node);
    if (const auto unread = node.unread_operand())
      node.unsupported("input", "operand " + std::to_string(*unread) + " (" + proto.input(static_cast<int>(*unread)) +
                                    ") is not supported");
    node.ignore("consumed_inputs");  // a hint of opset 1 to 5
    if (const auto unread = node.unread_attributes(); !unread.empty()) {
      std::string names;
      for (const std::string& name : unread)
        names += (names.empty() ? "" : ", ") + name;
      node.unsupported(names, "is not supported here");
    }
    if (node.results.size() < static_cast<size_t>(proto.output_size())) {
      for (int i = static_cast<int>(node.results.size()); i < proto.output_size(); i++) {
        if (!proto.output(i).empty())
          node.unsupported("output", "result " + std::to_string(i) + " (" + proto.output(i) + ") is not supported");
      }
    }
    for (size_t i = 0; i < node.results.size() && i < static_cast<size_t>(proto.output_size()); i++)
      define(proto.output(static_cast<int>(i)), node.results[i]);
  } catch (const ImportProblem&) {
    // Noted; what depends on the node stays undefined.
  }
}

namespace {

/// What a node reads, subgraphs included.
void add_reads(const onnx::NodeProto& node, std::vector<std::string>& reads) {
  reads.insert(reads.end(), node.input().begin(), node.input().end());
  for (const auto& attribute : node.attribute()) {
    for (const auto& inner : attribute.g().node())
      add_reads(inner, reads);
  }
}

/// Some writers do not keep to the order of execution, which the standard asks for.
std::vector<int> execution_order(const onnx::GraphProto& body) {
  std::map<std::string, int> producers;
  for (int i = 0; i < body.node_size(); i++) {
    for (const std::string& output : body.node(i).output()) {
      if (!output.empty()) producers.emplace(output, i);
    }
  }
  std::vector<int> waiting(static_cast<size_t>(body.node_size()), 0), order;
  std::vector<std::vector<int>> readers(waiting.size());
  for (int i = 0; i < body.node_size(); i++) {
    std::vector<std::string> reads;
    add_reads(body.node(i), reads);
    for (const std::string& input : reads) {
      const auto producer = producers.find(input);
      if (producer == producers.end() || (producer->second == i && body.node(i).attribute_size() > 0)) continue;
      readers[static_cast<size_t>(producer->second)].push_back(i);
      waiting[static_cast<size_t>(i)]++;
    }
  }
  std::set<int> ready;  // ascending: nodes that are in order stay as they are
  for (int i = 0; i < body.node_size(); i++) {
    if (waiting[static_cast<size_t>(i)] == 0) ready.insert(i);
  }
  while (!ready.empty()) {
    const int i = *ready.begin();
    ready.erase(ready.begin());
    order.push_back(i);
    for (int reader : readers[static_cast<size_t>(i)]) {
      if (--waiting[static_cast<size_t>(reader)] == 0) ready.insert(reader);
    }
  }
  // What is left lies on a cycle; reading it says so.
  for (int i = 0; i < body.node_size(); i++) {
    if (waiting[static_cast<size_t>(i)] > 0) order.push_back(i);
  }
  return order;
}

}  // namespace

void OnnxImporter::read_nodes(const onnx::GraphProto& body, const std::string& where) {
  for (int i : execution_order(body)) {
    if (problems.full()) return;
    if (++nodes_read_ > kMaxNodesRead) {
      // Loops in loops and functions of functions could make many nodes of few bytes.
      note(Diagnostic::Kind::kUser, where, "", "more than " + std::to_string(kMaxNodesRead) + " nodes are to be read",
           "the file is damaged, or no model for an embedded compiler");
      throw ImportProblem{};
    }
    read_node(body.node(i), where + "#node " + std::to_string(i));
  }
}

bool OnnxImporter::read_function(const onnx::NodeProto& caller, const std::string& place) {
  const auto domain = [](const std::string& name) { return is_default_domain(name) ? "" : name; };
  for (const auto& function : model_.functions()) {
    if (function.name() != caller.op_type() || domain(function.domain()) != domain(caller.domain()) ||
        function.overload() != caller.overload())
      continue;
    std::vector<std::pair<std::string, TensorId>> bound;
    for (int i = 0; i < std::min(caller.input_size(), function.input_size()); i++) {
      if (caller.input(i).empty()) continue;
      const auto operand = find(caller.input(i));
      if (!operand || !operand->valid()) return true;  // noted where it arose
      bound.emplace_back(function.input(i), *operand);
    }
    std::map<std::string, int64_t> own = opsets_;
    for (const auto& set : function.opset_import())
      own[domain(set.domain())] = set.version();
    std::swap(own, opsets_);
    try {
      const std::vector<TensorId> results = read_body(onnx_function_body(function, caller), place, bound);
      for (int i = 0; i < caller.output_size() && static_cast<size_t>(i) < results.size(); i++)
        define(caller.output(i), results[static_cast<size_t>(i)]);
    } catch (const ImportProblem&) {
      // Noted; what depends on the call stays undefined.
    }
    std::swap(own, opsets_);
    return true;
  }
  return false;
}

std::vector<TensorId> OnnxImporter::read_body(const onnx::GraphProto& body, const std::string& where,
                                              const std::vector<std::pair<std::string, TensorId>>& bound) {
  if (++depth_ > kMaxDepth) {
    note(Diagnostic::Kind::kUser, where, "", "subgraphs are nested too deeply", "");
    --depth_;
    throw ImportProblem{};
  }
  scopes_.emplace_back();
  for (const auto& [name, operand] : bound)
    define(name, operand);
  read_initializers(body);
  read_nodes(body, where);
  std::vector<TensorId> outputs;
  for (const auto& output : body.output())
    outputs.push_back(find(output.name()).value_or(kNone));
  scopes_.pop_back();
  --depth_;
  return outputs;
}

void OnnxImporter::read_outputs() {
  std::vector<std::pair<std::string, TensorId>> outputs;
  for (const auto& output : model_.graph().output()) {
    const auto found = find(output.name());
    if (!found) {
      note(Diagnostic::Kind::kUser, output.name(), "output", "is made by no node", "export the model again");
      continue;
    }
    if (!found->valid()) continue;
    outputs.emplace_back(output.name(), *found);
  }
  if (!problems.ok()) return;
  if (outputs.empty()) {
    note(Diagnostic::Kind::kUser, "", "output", "the model has no outputs", "export it again");
    return;
  }
  for (size_t i = 0, known = outputs.size(); i < known; i++) {
    if (const auto count = counts.find(outputs[i].second); count != counts.end())
      outputs.emplace_back(outputs[i].first + "_count", count->second);
  }
  for (auto& [name, id] : outputs)
    problems.merge(add_output(name, id));
}

Result<Graph> OnnxImporter::run() {
  graph.name = model_.graph().name();
  const auto version = opsets_.find("");
  if (version != opsets_.end() && (version->second < kOldestOpset || version->second > kNewestOpset)) {
    return Status::unsupported({path(), "", "opset_import"},
                               "opset " + std::to_string(version->second) + " is not supported",
                               "convert the model to one of opset " + std::to_string(kOldestOpset) + " to " +
                                   std::to_string(kNewestOpset) + " with onnx.version_converter");
  }
  const auto needs_opset = [](const onnx::NodeProto& node) { return is_default_domain(node.domain()); };
  const auto& nodes = model_.graph().node();
  if (version == opsets_.end() && std::any_of(nodes.begin(), nodes.end(), needs_opset)) {
    return Status::user({path(), "", "opset_import"}, "does not say which opset the operators are of",
                        "the file is damaged or made by hand; export the model again");
  }
  scopes_.emplace_back();
  read_initializers(model_.graph());
  read_inputs();
  try {
    read_nodes(model_.graph(), std::filesystem::path(path()).filename().string());
  } catch (const ImportProblem&) {
    return problems;
  }
  read_outputs();
  if (!problems.ok()) return problems;
  return std::move(graph);
}

Result<Graph> read_onnx(const std::string& path, const OnnxOptions& options) {
  QL_ASSIGN(const auto model, load_onnx_model(path));
  return OnnxImporter(path, *model, options).run();
}

Result<Graph> read_onnx_bytes(const std::string& path, const std::string& bytes, const OnnxOptions& options) {
  QL_ASSIGN(const auto model, parse_onnx_model(path, bytes));
  return OnnxImporter(path, *model, options).run();
}

Result<std::vector<std::string>> onnx_inputs(const std::string& path) {
  QL_ASSIGN(const auto model, load_onnx_model(path));
  std::set<std::string> known;
  for (const auto& tensor : model->graph().initializer())
    known.insert(tensor.name());
  std::vector<std::string> out;
  for (const auto& input : model->graph().input()) {
    if (!known.contains(input.name())) out.push_back(input.name());
  }
  return out;
}

std::vector<std::string> onnx_op_names() { return OnnxOps::names(); }

}  // namespace qlathe
