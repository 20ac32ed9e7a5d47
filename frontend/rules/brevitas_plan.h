#pragma once
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "frontend/numerics/brevitas_act.h"
#include "frontend/numerics/brevitas_weight.h"
#include "frontend/rules/brevitas_sites.h"

namespace qlathe {

/// A constant of the graph, quantized, in the graph's layout.
struct BrevitasConstant {
  HostTensor dequantized;            ///< float32
  std::optional<HostTensor> stored;  ///< integers or codes; absent where no type or tile holds them: then `dequantized`
                                     ///< stands for the constant
  HostTensor scale;                  ///< of the constant's rank
  std::optional<HostTensor> zero_point;  ///< int32, of scale's shape
  bool integer = false;                  ///< usable in an integer contraction
};

/// Where the bias of a layer is added: an operand of the layer's own steps, or of an addition behind it.
struct BiasSlot {
  int node = -1;
  size_t slot = 0;
};

struct BrevitasLayerPlan {
  int node = 0;
  const BrevitasRule* rule = nullptr;
  std::optional<BrevitasConstant> weight;
  std::vector<float> weight_scale;  ///< one, or one per result channel; empty: no such scales
  BiasSlot bias;                    ///< node -1: no bias to quantize
  int64_t channels = 0;
};

/// A tensor whose consumers see it quantized.
struct BrevitasPoint {
  TensorId tensor;
  int only_node = -1;  ///< the layer that alone sees it so; -1: every consumer
  const BrevitasRule* rule = nullptr;
  brevitas::Activation activation = brevitas::Activation::kIdentity;
  std::string name;
  brevitas::ActParameters parameters;  ///< known after calibration

  bool calibrates() const {
    return !rule->act_scale && rule->act.statistic != brevitas::Statistic::kRange &&
           rule->act.statistic != brevitas::Statistic::kUnit;
  }
};

struct BrevitasPlan {
  std::map<int, BrevitasLayerPlan> layers;  ///< by node
  std::vector<BrevitasPoint> points;        ///< in execution order; a node's input before its result
};

/// The tensor behind reshapes, transposes, slices and plain maximum pools that `id` is made of without any change of
/// values. Stops at a tensor for which `stop(tensor)` holds.
TensorId value_source(const Graph& graph, TensorId id, const std::function<bool(TensorId)>& stop);
/// Whether the node only moves or selects values.
bool keeps_values(const Node& node);

/// Quantizes the weights and finds the biases and activations. `targets` must outlive the plan.
Result<BrevitasPlan> plan_brevitas(const Graph& graph, const std::vector<BrevitasTarget>& targets);

/// A layer's bias under an accumulator of `input_scale` (null: the input is not quantized): [channels].
Result<brevitas::Quantized> quantize_layer_bias(const Graph& graph, const BrevitasLayerPlan& layer,
                                                const float* input_scale);

}  // namespace qlathe
