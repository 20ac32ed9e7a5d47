#include "frontend/formats/onnx/functions.h"

#include <map>
#include <set>
#include <string>

namespace qlathe {
namespace {

using Attributes = std::map<std::string, const onnx::AttributeProto*>;

class Binding {
 public:
  Binding(const onnx::FunctionProto& function, const onnx::NodeProto& caller) : caller_(caller) {
    for (const auto& attribute : function.attribute_proto())
      attributes_[attribute.name()] = &attribute;
    for (const auto& attribute : caller.attribute())
      attributes_[attribute.name()] = &attribute;
    for (int i = 0; i < function.input_size(); i++) {
      if (i >= caller.input_size() || caller.input(i).empty()) absent_.insert(function.input(i));
    }
  }

  void bind(onnx::NodeProto& node) const {
    node.set_name((caller_.name().empty() ? caller_.op_type() : caller_.name()) + "/" +
                  (node.name().empty() ? node.op_type() : node.name()));
    for (std::string& input : *node.mutable_input()) {
      if (absent_.contains(input)) input.clear();
    }
    auto* list = node.mutable_attribute();
    for (int i = list->size(); i-- > 0;) {
      onnx::AttributeProto& attribute = *list->Mutable(i);
      if (!attribute.ref_attr_name().empty()) {
        const auto given = attributes_.find(attribute.ref_attr_name());
        if (given == attributes_.end()) {
          list->DeleteSubrange(i, 1);
          continue;
        }
        const std::string name = attribute.name();
        attribute = *given->second;
        attribute.set_name(name);
      }
      for (onnx::NodeProto& inner : *attribute.mutable_g()->mutable_node())
        bind(inner);
      if (attribute.type() != onnx::AttributeProto::GRAPH) attribute.clear_g();
    }
  }

 private:
  const onnx::NodeProto& caller_;
  Attributes attributes_;
  std::set<std::string> absent_;
};

}  // namespace

onnx::GraphProto onnx_function_body(const onnx::FunctionProto& function, const onnx::NodeProto& caller) {
  onnx::GraphProto body;
  const Binding binding(function, caller);
  for (const onnx::NodeProto& node : function.node()) {
    *body.add_node() = node;
    binding.bind(*body.mutable_node(body.node_size() - 1));
  }
  for (const std::string& output : function.output())
    body.add_output()->set_name(output);
  return body;
}

}  // namespace qlathe
