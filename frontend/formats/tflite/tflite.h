#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

/// The runtime whose integers a model is compiled to (docs/numerics.md, "TFLite").
enum class TfliteNumerics {
  kLitertRef,      ///< LiteRT's reference kernels: fixed-point multipliers, double rounding
  kLitertXnnpack,  ///< LiteRT as it comes: XNNPACK's float multipliers, half to even
  kTflm,           ///< TFLite Micro's reference kernels
};
inline std::span<const char* const> enum_names(TfliteNumerics) {
  static constexpr const char* kNames[] = {"litert-ref", "litert-xnnpack", "tflm"};
  return kNames;
}

struct TfliteOptions {
  TfliteNumerics numerics = TfliteNumerics::kLitertRef;
  /// Shapes of inputs by name, where the file leaves extents open (or for another batch).
  std::map<std::string, Shape> shapes;
  /// Inputs that are bound to values and are no inputs any more: those that determine shapes.
  std::map<std::string, HostTensor> constants;
};

/// Reads a TFLite model (format version 3) as a graph of float and integer ops with static shapes. Quantized operators
/// become integer nodes with the arithmetic of the named runtime. Variables and the hidden state of recurrent operators
/// are states of the graph. What has no meaning here is listed at once.
Result<Graph> read_tflite(const std::string& path, const TfliteOptions& options = {});

/// The same from memory; `path` is for messages.
Result<Graph> read_tflite_bytes(const std::string& path, std::string bytes, const TfliteOptions& options = {});

/// Whether the file bears the format's identifier.
bool looks_like_tflite(const std::string& path);

/// Names of the inputs that a caller gives, in order: those whose value the file does not hold.
Result<std::vector<std::string>> tflite_inputs(const std::string& path);

/// Operators that are read, "CONV_2D" or "TFLite_Detection_PostProcess", sorted.
std::vector<std::string> tflite_op_names();

}  // namespace qlathe
