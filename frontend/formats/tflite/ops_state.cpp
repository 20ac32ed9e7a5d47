// Variables, calls of subgraphs, and composites, which are calls with a name.
#include "frontend/formats/tflite/quantized.h"

namespace qlathe {
namespace {

void read_var_handle(TfliteNode& node) {
  const auto& o = node.options<tflite::VarHandleOptions>();
  const auto text = [](const flatbuffers::String* s) { return s == nullptr ? std::string() : s->str(); };
  const std::string container = text(o.container());
  node.resource_of(node.output_index(0)) =
      "variable " + (container.empty() ? "" : container + "/") + text(o.shared_name());
}

std::string handle(TfliteNode& node) {
  const std::string name = node.resource_of(node.input_index(0));
  if (name.empty()) node.problem("resource", "is no variable's handle");
  return name;
}

void read_read_variable(TfliteNode& node) {
  node.result(node.read_variable(handle(node), {node.output_type(), node.output_shape()}));
}

void read_assign_variable(TfliteNode& node) {
  const TensorId value = node.in(1);
  if (node.initializing() && node.data(value) == nullptr)
    node.unsupported("value", "of an initialization is computed from the model's inputs");
  node.assign_variable(handle(node), value);
}

void read_call_once(TfliteNode& node) {
  node.inline_subgraph(node.options<tflite::CallOnceOptions>().init_subgraph_index(), {}, true);
}

std::vector<TensorId> arguments(TfliteNode& node, size_t from = 0) {
  std::vector<TensorId> out;
  for (size_t i = from; i < node.input_count(); i++)
    out.push_back(node.in(i));
  return out;
}

void read_call(TfliteNode& node) {
  const auto index = static_cast<int32_t>(node.options<tflite::CallOptions>().subgraph());
  node.results = node.inline_subgraph(index, arguments(node));
}

/// What a composite stands for is in a subgraph of its own.
void read_composite(TfliteNode& node) {
  const auto* o = node.proto.builtin_options_2_as_StableHLOCompositeOptions();
  if (o == nullptr) node.problem("builtin_options_2", "is missing");
  node.results = node.inline_subgraph(o->decomposition_subgraph_index(), arguments(node));
}

void read_if(TfliteNode& node) {
  const auto& o = node.options<tflite::IfOptions>();
  const HostTensor* condition = node.data(node.in(0));
  if (condition == nullptr || condition->size() != 1)
    node.unsupported("cond", "is computed while the model runs; it must be known while compiling");
  const bool yes = condition->int_at(0) != 0;
  node.results = node.inline_subgraph(yes ? o.then_subgraph_index() : o.else_subgraph_index(), arguments(node, 1));
}

const TfliteOps::Add kOps({
    {"VAR_HANDLE", read_var_handle},
    {"READ_VARIABLE", read_read_variable},
    {"ASSIGN_VARIABLE", read_assign_variable},
    {"CALL_ONCE", read_call_once},
    {"CALL", read_call},
    {"STABLEHLO_COMPOSITE", read_composite},
    {"IF", read_if},
});

}  // namespace
}  // namespace qlathe
