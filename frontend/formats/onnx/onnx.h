#pragma once
#include <map>
#include <string>

#include "frontend/ir/graph.h"

namespace qlathe {

/// What the caller fixes of a model that leaves it open.
struct OnnxOptions {
  /// Shapes of inputs by name, for symbolic dimensions. Extents that the file states must agree.
  std::map<std::string, Shape> shapes;
  /// Extents of symbolic dimensions by their name, e.g. "batch_size".
  std::map<std::string, int64_t> dimensions;
  /// Inputs that are bound to values and are no inputs any more: those that determine shapes.
  std::map<std::string, HostTensor> constants;
};

/// Reads an ONNX model (opset 7 and later) as a graph of float and integer ops with static shapes. Feature maps are
/// channels-last inside, with transposes where the file says otherwise. QuantizeLinear and DequantizeLinear stay nodes
/// of their own (the pass fold_qdq makes integer ops of them). What has no meaning here is listed at once.
Result<Graph> read_onnx(const std::string& path, const OnnxOptions& options = {});

/// The same from memory; `path` is for messages and for external data.
Result<Graph> read_onnx_bytes(const std::string& path, const std::string& bytes, const OnnxOptions& options = {});

/// Whether the first bytes look like an ONNX file: a protobuf message with ModelProto's first fields.
bool looks_like_onnx(const std::string& path);

/// Names of the inputs that a caller gives, in order: those without an initializer.
Result<std::vector<std::string>> onnx_inputs(const std::string& path);

/// Operators that are read, "Conv" or "com.microsoft:QLinearAdd", sorted.
std::vector<std::string> onnx_op_names();

}  // namespace qlathe
