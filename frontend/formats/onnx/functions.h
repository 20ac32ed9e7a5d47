#pragma once
#include <onnx.pb.h>

namespace qlathe {

/// The nodes of a model's own function as they run for `caller`: attributes bound, names of nodes below the caller's,
/// operands that the caller leaves out left out.
onnx::GraphProto onnx_function_body(const onnx::FunctionProto& function, const onnx::NodeProto& caller);

}  // namespace qlathe
