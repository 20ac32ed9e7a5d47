#pragma once
#include <string>
#include <vector>

#include "frontend/ir/executor.h"
#include "frontend/rules/brevitas_calibrate.h"

namespace qlathe {

/// How far a layer of a quantized model is from the float model, over all batches.
struct LayerError {
  std::string layer;   ///< the name of its result
  std::string module;  ///< its module path
  Shape shape;
  /// 10 log10 of the sum of squares of the float result over that of the difference; infinity where they are equal.
  double sqnr_db = 0;
  double largest = 0, difference = 0;  ///< largest magnitudes: of the float result, and of the difference
};

/// Runs both graphs over the batches on `executor` and compares the results of every product, and of the model, by
/// name. Layers that the quantized graph has no real tensor of are left out.
Result<std::vector<LayerError>> measure_layers(const Graph& source, const Graph& quantized,
                                               const CalibrationBatches& batches, Executor& executor);

}  // namespace qlathe
