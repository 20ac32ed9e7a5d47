#pragma once
#include "frontend/rules/calibrate.h"
#include "frontend/rules/quantize.h"

namespace qlathe {

struct OdmlOptions {
  const QuantStats* statistics = nullptr;  ///< of static activations, by name ("linear1/dot_general0_lhs", "add0_lhs")
  bool allow_extra_params = false;
  /// Weights down to -128, as the fake-quantized model of training has them; LiteRT's stop at -127.
  bool full_range_weights = false;
};

/// Applies the rules of a list with an ODML provider (RuleList::odml) to a float graph: weights and the values between
/// operators go through a quantize and a dequantize step, each value once, where it is next consumed (odml.py,
/// odml_ops.py). Nothing stands between a product, its bias and its relu. The graph stays one of float operators;
/// export_tflite makes integer ones of it. `ops` of the result is empty.
///
/// Errors, all at once: missing statistics, in strict mode every op that has no integer form.
Result<QuantizedGraph> quantize_odml(const Graph& graph, const RuleList& rules, const OdmlOptions& options = {});

/// Statistics of every static activation: as calibrate() does it, over the fake-quantized model.
Result<QuantStats> calibrate_odml(const Graph& graph, const RuleList& rules, const Batches& batches, Executor& executor,
                                  const std::function<void(size_t done, size_t total)>& progress = nullptr);

}  // namespace qlathe
