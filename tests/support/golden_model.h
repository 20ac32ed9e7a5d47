#pragma once
#include <map>
#include <string>

#include "frontend/formats/json_reader.h"
#include "frontend/ir/graph.h"

namespace qlathe {

/// Reads the `model` of a reference case (golden/README.md, "Layout"): inputs, nodes in execution order, outputs; ops
/// linear, dot_general, einsum, conv, relu and add. Weights are constants named "<module>/kernel" and "<module>/bias".
/// Every node keeps its module path and the op name that rules match on. The tensor of a product before its bias is
/// "<id>/product", the node's result is "<id>".
Result<Graph> read_golden_model(const JsonDocument& document, const JsonValue& model,
                                const std::map<std::string, TensorType>& inputs,
                                const std::map<std::string, HostTensor>& weights);

}  // namespace qlathe
