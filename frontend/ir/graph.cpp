#include "frontend/ir/graph.h"

#include <algorithm>
#include <set>

#include "frontend/ir/op_registry.h"

namespace qlathe {

void Graph::index_names() {
  if (indexed_ > tensors.size()) {  // the graph was moved from and is filled again
    by_name_.clear();
    indexed_ = 0;
  }
  for (; indexed_ < tensors.size(); indexed_++)
    by_name_.emplace(tensors[indexed_].name, static_cast<int32_t>(indexed_));
}

TensorId Graph::add_tensor(std::string wanted, TensorType type) {
  if (wanted.empty()) wanted = "t";
  index_names();
  std::string unique = wanted;
  if (by_name_.contains(unique)) {
    int& suffix = suffixes_[wanted];
    do
      unique = wanted + "_" + std::to_string(++suffix);
    while (by_name_.contains(unique));
  }
  tensors.push_back({std::move(unique), std::move(type), std::nullopt, nullptr});
  index_names();
  return TensorId{static_cast<int32_t>(tensors.size()) - 1};
}

void Graph::rename(TensorId id, std::string tensor_name) {
  index_names();
  std::string& current = tensors[check(id)].name;
  if (const auto it = by_name_.find(current); it != by_name_.end() && it->second == id.index) by_name_.erase(it);
  current = std::move(tensor_name);
  by_name_.emplace(current, id.index);
}

TensorId Graph::add_input(std::string wanted, TensorType type) {
  inputs.push_back(add_tensor(std::move(wanted), std::move(type)));
  return inputs.back();
}

TensorId Graph::add_constant(std::string wanted, HostTensor data) {
  const TensorId id = add_tensor(std::move(wanted), {data.type(), data.shape()});
  tensors.back().data = std::make_shared<const HostTensor>(std::move(data));
  return id;
}

Result<std::vector<TensorId>> Graph::add_node(std::string op, std::vector<TensorId> node_inputs,
                                              std::shared_ptr<const OpAttrs> attrs, Origin origin) {
  QL_CHECK(OpRegistry::find(op) != nullptr, op);
  Node node{std::move(op), std::move(node_inputs), {}, std::move(attrs), std::move(origin)};
  QL_ASSIGN(std::vector<TensorType> types, infer_types(*this, node));
  for (const TensorType& type : types) {
    node.outputs.push_back(add_tensor(node.origin.name, type));
  }
  nodes.push_back(std::move(node));
  return nodes.back().outputs;
}

Result<TensorId> Graph::add(std::string op, std::vector<TensorId> node_inputs, std::shared_ptr<const OpAttrs> attrs,
                            Origin origin) {
  QL_ASSIGN(std::vector<TensorId> results,
            add_node(std::move(op), std::move(node_inputs), std::move(attrs), std::move(origin)));
  QL_CHECK(results.size() == 1, nodes.back().op);
  return results[0];
}

TensorId Graph::find(const std::string& tensor_name) const {
  const bool usable = indexed_ <= tensors.size();
  if (usable) {
    if (const auto it = by_name_.find(tensor_name); it != by_name_.end()) return TensorId{it->second};
  }
  for (size_t i = usable ? indexed_ : 0; i < tensors.size(); i++) {
    if (tensors[i].name == tensor_name) return TensorId{static_cast<int32_t>(i)};
  }
  return kNone;
}

int Graph::producer(TensorId id) const {
  for (size_t i = 0; i < nodes.size(); i++) {
    if (std::count(nodes[i].outputs.begin(), nodes[i].outputs.end(), id)) return static_cast<int>(i);
  }
  return -1;
}

std::vector<int> producers_of(const Graph& graph) {
  std::vector<int> out(graph.tensors.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); i++) {
    for (TensorId id : graph.nodes[i].outputs)
      out[static_cast<size_t>(id.index)] = static_cast<int>(i);
  }
  return out;
}

std::vector<int> Graph::consumers(TensorId id) const {
  std::vector<int> out;
  for (size_t i = 0; i < nodes.size(); i++) {
    if (std::count(nodes[i].inputs.begin(), nodes[i].inputs.end(), id)) out.push_back(static_cast<int>(i));
  }
  return out;
}

bool Graph::is_output(TensorId id) const { return std::count(outputs.begin(), outputs.end(), id) > 0; }

void Graph::replace_uses(TensorId from, TensorId to) {
  for (Node& node : nodes)
    std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  std::replace(outputs.begin(), outputs.end(), from, to);
  for (State& state : states) {
    if (state.next == from) state.next = to;
  }
  for (Tensor& tensor : tensors) {
    if (!tensor.quantization) continue;
    if (tensor.quantization->scale == from) tensor.quantization->scale = to;
    if (tensor.quantization->zero_point == from) tensor.quantization->zero_point = to;
  }
}

namespace {

/// Collects violations; every check goes on after a failure where it can.
class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph), defined_(graph.tensors.size(), false) {}

  Status run() {
    check_tensors();
    for (TensorId id : graph_.inputs)
      define(id, "graph input");
    for (const State& state : graph_.states)
      define(state.current, "state");
    for (size_t i = 0; i < graph_.tensors.size(); i++) {
      if (graph_.tensors[i].is_constant()) defined_[i] = true;
    }
    for (const Node& node : graph_.nodes)
      check_node(node);
    for (TensorId id : graph_.outputs)
      use(id, "graph output");
    for (const State& state : graph_.states)
      use(state.next, "next value of a state");
    return std::move(status_);
  }

 private:
  bool in_range(TensorId id) const { return id.valid() && static_cast<size_t>(id.index) < graph_.tensors.size(); }
  void fail(const std::string& node, std::string message) {
    status_.merge(Status::internal("graph '" + graph_.name + "'" + (node.empty() ? "" : ", node '" + node + "'") +
                                   ": " + std::move(message)));
  }
  void define(TensorId id, const char* what) {
    if (!in_range(id)) return fail("", std::string(what) + " is out of range");
    if (defined_[static_cast<size_t>(id.index)]) fail("", "tensor '" + graph_[id].name + "' is defined twice");
    defined_[static_cast<size_t>(id.index)] = true;
  }
  void use(TensorId id, const char* what) {
    if (!in_range(id)) return fail("", std::string(what) + " is out of range");
    if (!defined_[static_cast<size_t>(id.index)])
      fail("", std::string(what) + " '" + graph_[id].name + "' is never computed");
  }
  void check_tensors() {
    std::set<std::string> names;
    for (const Tensor& t : graph_.tensors) {
      if (!names.insert(t.name).second) fail("", "tensor name '" + t.name + "' is used twice");
      if (t.is_constant() && (t.data->type() != t.type.type || t.data->shape() != t.type.shape)) {
        fail("", "constant '" + t.name + "' has data of another type or shape");
      }
      if (t.quantization) check_quantization(t);
    }
  }
  void check_quantization(const Tensor& t) {
    const Quantization& q = *t.quantization;
    if (!in_range(q.scale) || (q.zero_point.valid() && !in_range(q.zero_point))) {
      return fail("", "quantization of '" + t.name + "' refers to no tensor");
    }
    if (q.tile.size() != t.shape().size())
      return fail("", "quantization of '" + t.name + "' has a tile of another rank");
    Shape expected;
    for (size_t d = 0; d < q.tile.size(); d++) {
      if (q.tile[d] <= 0 || t.shape()[d] % q.tile[d] != 0) {
        return fail("", "tile of '" + t.name + "' does not divide dimension " + std::to_string(d));
      }
      expected.push_back(t.shape()[d] / q.tile[d]);
    }
    if (element_count(graph_[q.scale].shape()) != element_count(expected)) {
      fail("", "scale of '" + t.name + "' has shape " + to_string(graph_[q.scale].shape()) + ", expected " +
                   to_string(expected));
    }
  }
  void check_node(const Node& node) {
    for (TensorId id : node.inputs) {
      if (!id.valid()) continue;
      if (!in_range(id)) return fail(node.origin.name, "an input is out of range");
      if (!defined_[static_cast<size_t>(id.index)]) {
        return fail(node.origin.name, "input '" + graph_[id].name + "' is used before it is computed");
      }
    }
    for (TensorId id : node.outputs)
      define(id, "node output");
    const auto types = infer_types(graph_, node);
    if (!types.ok()) {
      status_.merge(types.status());
      return;
    }
    if (types->size() != node.outputs.size()) return fail(node.origin.name, "has a wrong number of results");
    for (size_t i = 0; i < types->size(); i++) {
      if (in_range(node.outputs[i]) && !(graph_[node.outputs[i]].type == (*types)[i])) {
        const TensorType& stored = graph_[node.outputs[i]].type;
        fail(node.origin.name, "result " + std::to_string(i) + " is stored as " + name(stored.type) + "[" +
                                   to_string(stored.shape) + "] but inferred as " + name((*types)[i].type) + "[" +
                                   to_string((*types)[i].shape) + "]");
      }
    }
  }

  const Graph& graph_;
  std::vector<bool> defined_;
  Status status_;
};

}  // namespace

Status verify(const Graph& graph) { return Verifier(graph).run(); }

}  // namespace qlathe
