#include <algorithm>
#include <cctype>
#include <set>

#include "frontend/ir/text.h"
#include "frontend/ir/text_values.h"

namespace qlathe {
namespace {

constexpr size_t kWidth = 120;

bool is_bare(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '/';
  });
}

std::string string_text(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string tensor_name(const std::string& name) { return "%" + (is_bare(name) ? name : string_text(name)); }

std::string list_text(const std::vector<int64_t>& values) {
  std::string out = "[";
  for (size_t i = 0; i < values.size(); ++i)
    out += (i ? ", " : "") + std::to_string(values[i]);
  return out + "]";
}

std::string type_text(const TensorType& type) { return name(type.type) + list_text(type.shape); }

class Printer {
 public:
  Printer(const Graph& graph, const PrintOptions& options) : graph_(graph), options_(options) {}

  GraphText run() {
    std::string body;
    std::set<TensorId> defined(graph_.inputs.begin(), graph_.inputs.end());
    for (TensorId id : graph_.inputs)
      body += "input " + declaration(id) + "\n";
    for (const State& state : graph_.states) {
      defined.insert(state.current);
      body += "state " + declaration(state.current) + " next " + reference(state.next);
      if (state.initial) body += " = " + values(graph_[state.current].name, state.initial);
      body += "\n";
    }
    for (const Node& node : graph_.nodes)
      defined.insert(node.outputs.begin(), node.outputs.end());
    std::string constants;
    for (size_t i = 0; i < graph_.tensors.size(); ++i) {
      const TensorId id{static_cast<int32_t>(i)};
      const Tensor& tensor = graph_[id];
      if (tensor.is_constant())
        constants += "const " + declaration(id) + " = " + values(tensor.name, tensor.data) + "\n";
      if (!tensor.is_constant() && !defined.contains(id) && is_quantization(id)) {
        constants += "undefined " + declaration(id) + "\n";
      }
    }
    body += constants;
    for (const Node& node : graph_.nodes)
      body += node_text(node);
    for (TensorId id : graph_.outputs)
      body += "output " + reference(id) + "\n";
    std::string head = std::string(kGraphTextHeader) + " " + string_text(graph_.name) + "\n";
    if (!options_.array_file.empty() && !out_.arrays.empty())
      head += "arrays " + string_text(options_.array_file) + "\n";
    out_.text = head + body;
    return std::move(out_);
  }

 private:
  bool is_quantization(TensorId id) const {
    return std::any_of(graph_.tensors.begin(), graph_.tensors.end(), [&](const Tensor& t) {
      return t.quantization && (t.quantization->scale == id || t.quantization->zero_point == id);
    });
  }

  std::string reference(TensorId id) const { return id.valid() ? tensor_name(graph_[id].name) : "none"; }

  std::string declaration(TensorId id) const {
    const Tensor& tensor = graph_[id];
    std::string out = tensor_name(tensor.name) + ": " + type_text(tensor.type);
    if (const auto& q = tensor.quantization) {
      out += " quantized(scale=" + reference(q->scale);
      if (q->zero_point.valid()) out += ", zero_point=" + reference(q->zero_point);
      out += ", tile=" + list_text(q->tile) + ")";
    }
    return out;
  }

  /// The elements in row-major order, or the name under which they stand in another file.
  std::string values(const std::string& name, const std::shared_ptr<const HostTensor>& data) {
    if (data->size() > options_.max_inline) {
      out_.arrays[name] = data;
      return "array";
    }
    if (data->rank() == 0) return element_text(*data, 0);
    std::string out = "[";
    for (int64_t i = 0; i < data->size(); ++i)
      out += (i ? ", " : "") + element_text(*data, i);
    return out + "]";
  }

  static std::string value_text(const AttrValue& value) {
    if (const auto* b = std::get_if<bool>(&value.v)) return *b ? "true" : "false";
    if (const auto* i = std::get_if<int64_t>(&value.v)) return std::to_string(*i);
    if (const auto* d = std::get_if<double>(&value.v)) return double_text(*d);
    if (const auto* s = std::get_if<std::string>(&value.v)) return string_text(*s);
    std::string out;
    if (const auto* list = std::get_if<AttrList>(&value.v)) {
      for (const AttrValue& item : *list)
        out += (out.empty() ? "" : ", ") + value_text(item);
      return "[" + out + "]";
    }
    if (const auto* map = std::get_if<AttrMap>(&value.v)) {
      for (const auto& [key, item] : *map)
        out += (out.empty() ? "" : ", ") + key + " = " + value_text(item);
    }
    return "{" + out + "}";
  }

  std::string origin_text(const Node& node) const {
    const Origin& o = node.origin;
    std::string out;
    const auto add = [&](const char* key, const std::string& value) {
      if (!value.empty()) out += (out.empty() ? "" : ", ") + std::string(key) + "=" + string_text(value);
    };
    const bool same = !node.outputs.empty() && graph_[node.outputs[0]].name == o.name;
    if (!same && o.name.empty()) out = "name=\"\"";
    if (!same) add("name", o.name);
    add("module", o.module_path);
    add("rule_op", o.rule_op);
    add("place", o.place);
    return out.empty() ? "" : " from(" + out + ")";
  }

  std::string node_text(const Node& node) const {
    std::string head;
    for (TensorId id : node.outputs)
      head += (head.empty() ? "" : ", ") + declaration(id);
    head += (head.empty() ? "" : " = ") + node.op + "(";
    for (size_t i = 0; i < node.inputs.size(); ++i)
      head += (i ? ", " : "") + reference(node.inputs[i]);
    head += ")";
    const AttrMap attrs = node.attrs ? to_attr_map(*node.attrs) : AttrMap{};
    const std::string tail = origin_text(node) + "\n";
    if (attrs.empty()) return head + tail;
    const std::string line = head + " " + value_text(attrs);
    if (line.size() <= kWidth) return line + tail;
    // One attribute a line, and one item a line for lists of objects (epilogue steps).
    std::string out = head + " {\n";
    for (const auto& [key, value] : attrs) {
      const auto* list = std::get_if<AttrList>(&value.v);
      const bool objects = list && !list->empty() && std::holds_alternative<AttrMap>(list->front().v);
      out += "  " + key + " = ";
      if (objects) {
        out += "[\n";
        for (const AttrValue& item : *list)
          out += "    " + value_text(item) + ",\n";
        out += "  ],\n";
      } else {
        out += value_text(value) + ",\n";
      }
    }
    return out + "}" + tail;
  }

  const Graph& graph_;
  const PrintOptions& options_;
  GraphText out_;
};

}  // namespace

GraphText print_graph(const Graph& graph, const PrintOptions& options) { return Printer(graph, options).run(); }

}  // namespace qlathe
