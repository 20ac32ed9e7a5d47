#pragma once
#include <vector>

#include "frontend/ir/executor.h"
#include "frontend/rules/brevitas_plan.h"

namespace qlathe {

/// One HostTensor per graph input and batch.
using CalibrationBatches = std::vector<std::vector<HostTensor>>;

/// Fills in the parameters of the plan's points: from act_scale, from the quantizer's own range, or by running the
/// batches as the library does in training mode: weights quantized, and every point quantized with the statistics of
/// the batch that passes it, so that the points behind it see quantized values. The graph runs in pieces, each node
/// once a batch. An error where points need batches and there are none.
Status calibrate_brevitas(const Graph& graph, const CalibrationBatches& batches, Executor& executor,
                          BrevitasPlan& plan);

}  // namespace qlathe
