#pragma once
#include "frontend/rules/brevitas_calibrate.h"

namespace qlathe {

/// What happened at one activation, for reports and statistics files.
struct BrevitasActivationReport {
  std::string tensor;
  std::string quantizer;
  ValueType type = ValueType::kI8;
  float scale = 1.0f;
  float zero_point = 0.0f;
};

struct BrevitasResult {
  Graph graph;
  std::vector<BrevitasActivationReport> activations;
};

/// Applies BrevitasRules to a float graph: weights become stored integers (or codes) with their scales, activations are
/// quantized with static, calibrated parameters, biases become int32 in the scale of their accumulator.
///
/// A layer whose weight and input are both quantized to integers sums them in int32, and its float result is the sum
/// times the input's scale times the weight's; where only one is, the other side of the product is dequantized first
/// and the layer stays a float op. Reshapes, transposes, slices and maximum pools behind a quantized activation run on
/// the stored integers.
Result<BrevitasResult> quantize_brevitas(const Graph& graph, const std::vector<BrevitasTarget>& targets,
                                         const CalibrationBatches& batches, Executor& executor);

}  // namespace qlathe
