#include "frontend/rules/brevitas_calibrate.h"

#include <algorithm>
#include <map>
#include <set>

#include "frontend/ops/contraction.h"

namespace qlathe {
namespace {

using brevitas::ActCalibrator;
using brevitas::ActParameters;

// The float graph with quantized weights, cut at every point: what is behind a point reads a graph input, which gets
// the quantized values. Tensors keep their ids.
class CutGraph {
 public:
  struct Point {
    TensorId source;    // computed by the graph, or a graph input
    TensorId replaced;  // what its readers read
  };
  struct Bias {
    const BrevitasLayerPlan* layer;
    TensorId replaced;
    int point;  // that the layer's input comes from, -1: none
  };

  Graph graph;
  std::vector<Point> points;
  std::vector<Bias> biases;

  CutGraph(const Graph& original, const BrevitasPlan& plan) : graph(original) {
    graph.states.clear();
    for (const auto& [node, layer] : plan.layers)
      cut_constants(original, layer);
    std::set<int> done;
    for (const BrevitasPoint& point : plan.points)
      cut_point(point);
    for (Bias& bias : biases) {
      const Node& node = graph.nodes[static_cast<size_t>(bias.layer->node)];
      const TensorId from = value_source(graph, node.inputs[kLhs], [&](TensorId id) { return point_of(id) >= 0; });
      bias.point = point_of(from);
    }
  }

 private:
  TensorId add(const Graph& original, TensorId like, const char* suffix) {
    const Tensor& tensor = original[like];
    return graph.add_tensor(tensor.name + suffix, tensor.type);
  }

  int point_of(TensorId replaced) const {
    for (size_t i = 0; i < points.size(); i++)
      if (points[i].replaced == replaced) return static_cast<int>(i);
    return -1;
  }

  void cut_constants(const Graph& original, const BrevitasLayerPlan& layer) {
    if (layer.weight) {
      auto& operand = graph.nodes[static_cast<size_t>(layer.node)].inputs[kRhs];
      operand = graph.add_constant(original[operand].name + "_quantized", layer.weight->dequantized);
    }
    if (layer.bias.node < 0) return;
    auto& operand = graph.nodes[static_cast<size_t>(layer.bias.node)].inputs[layer.bias.slot];
    operand = add(original, operand, "_quantized");
    biases.push_back({&layer, operand, -1});
  }

  void cut_point(const BrevitasPoint& point) {
    if (point.only_node >= 0) {
      auto& operand = graph.nodes[static_cast<size_t>(point.only_node)].inputs[kLhs];
      const TensorId source = operand;
      const TensorId replaced = add(graph, point.tensor, "_quantized");
      graph.nodes[static_cast<size_t>(point.only_node)].inputs[kLhs] = replaced;
      points.push_back({source, replaced});
      return;
    }
    const TensorId replaced = add(graph, point.tensor, "_quantized");
    graph.replace_uses(point.tensor, replaced);
    for (Point& earlier : points)
      if (earlier.source == point.tensor) earlier.source = replaced;
    points.push_back({point.tensor, replaced});
  }
};

// The nodes between the points before and one point, runnable on their own.
struct Piece {
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  std::unique_ptr<Executable> executable;  // null: nothing to compute
};

class Calibration {
 public:
  Calibration(const Graph& original, BrevitasPlan& plan, Executor& executor)
      : original_(original), plan_(plan), executor_(executor), cut_(original, plan) {}

  Status run(const CalibrationBatches& batches) {
    for (const BrevitasPoint& point : plan_.points) {
      auto made = ActCalibrator::make(point.rule->act, point.activation);
      if (!made.ok()) return made.status().at({.node = point.name, .field = "act_quant"});
      calibrators_.push_back(std::move(*made));
    }
    QL_RETURN_IF_ERROR(prepare());
    for (const auto& batch : batches)
      QL_RETURN_IF_ERROR(run_batch(batch));
    for (size_t i = 0; i < plan_.points.size(); i++)
      plan_.points[i].parameters = parameters_at_the_end(i);
    return {};
  }

 private:
  ActParameters parameters_at_the_end(size_t i) const {
    const BrevitasPoint& point = plan_.points[i];
    if (point.rule->act_scale) {
      return {*point.rule->act_scale, static_cast<float>(point.rule->act_zero_point.value_or(0))};
    }
    return {calibrators_[i].scale(), calibrators_[i].zero_point()};
  }

  Status prepare() {
    std::vector<int> piece_of(cut_.graph.nodes.size(), -1);
    for (size_t p = 0; p < cut_.points.size(); p++)
      claim(cut_.points[p].source, static_cast<int>(p), piece_of);
    for (size_t p = 0; p < cut_.points.size(); p++) {
      QL_ASSIGN(Piece piece, make_piece(static_cast<int>(p), piece_of));
      pieces_.push_back(std::move(piece));
    }
    return {};
  }

  // Gives every node that `tensor` needs and that no earlier piece computes to `piece`.
  void claim(TensorId tensor, int piece, std::vector<int>& piece_of) const {
    std::vector<TensorId> wanted = {tensor};
    while (!wanted.empty()) {
      const TensorId id = wanted.back();
      wanted.pop_back();
      const int producer = id.valid() ? cut_.graph.producer(id) : -1;
      if (producer < 0 || piece_of[static_cast<size_t>(producer)] >= 0) continue;
      piece_of[static_cast<size_t>(producer)] = piece;
      const auto& inputs = cut_.graph.nodes[static_cast<size_t>(producer)].inputs;
      wanted.insert(wanted.end(), inputs.begin(), inputs.end());
    }
  }

  Result<Piece> make_piece(int index, const std::vector<int>& piece_of) {
    Graph graph = cut_.graph;
    graph.nodes.clear();
    graph.inputs.clear();
    graph.outputs.clear();
    std::set<TensorId> made, read, needed_later;
    for (size_t n = 0; n < piece_of.size(); n++) {
      const Node& node = cut_.graph.nodes[n];
      if (piece_of[n] == index) {
        graph.nodes.push_back(node);
        made.insert(node.outputs.begin(), node.outputs.end());
        read.insert(node.inputs.begin(), node.inputs.end());
      } else if (piece_of[n] > index) {
        needed_later.insert(node.inputs.begin(), node.inputs.end());
      }
    }
    for (const CutGraph::Point& point : cut_.points)
      needed_later.insert(point.source);
    for (TensorId id : read)
      if (id.valid() && !made.contains(id) && !graph[id].is_constant()) graph.inputs.push_back(id);
    for (TensorId id : made)
      if (needed_later.contains(id)) graph.outputs.push_back(id);
    Piece piece{graph.inputs, graph.outputs, nullptr};
    if (graph.nodes.empty()) return piece;
    QL_ASSIGN(piece.executable, executor_.prepare(graph));
    return piece;
  }

  Status run_batch(const std::vector<HostTensor>& batch) {
    if (batch.size() != original_.inputs.size()) {
      return Status::user({}, "a calibration batch has " + std::to_string(batch.size()) + " arrays, the model " +
                                  std::to_string(original_.inputs.size()) + " inputs");
    }
    std::map<TensorId, HostTensor> values;
    for (size_t i = 0; i < batch.size(); i++)
      values.insert_or_assign(original_.inputs[i], batch[i]);
    QL_RETURN_IF_ERROR(set_biases(-1, nullptr, values));
    for (size_t p = 0; p < cut_.points.size(); p++) {
      QL_RETURN_IF_ERROR(run_piece(pieces_[p], values));
      const HostTensor& activated = values.at(cut_.points[p].source);
      const BrevitasPoint& point = plan_.points[p];
      ActParameters now = parameters_at_the_end(p);
      if (point.calibrates()) {
        auto observed = calibrators_[p].observe(activated);
        if (!observed.ok()) return observed.status().at({.node = point.name, .field = "act_quant"});
        now = *observed;
      }
      QL_ASSIGN(const brevitas::Quantized quantized,
                brevitas::quantize_activation(activated, point.rule->act, now.scale, now.zero_point));
      values.insert_or_assign(cut_.points[p].replaced, quantized.dequantized);
      QL_RETURN_IF_ERROR(set_biases(static_cast<int>(p), &now.scale, values));
    }
    return {};
  }

  Status run_piece(Piece& piece, std::map<TensorId, HostTensor>& values) {
    if (!piece.executable) return {};
    std::vector<HostTensor> inputs;
    for (TensorId id : piece.inputs)
      inputs.push_back(values.at(id));
    piece.executable->reset();
    QL_ASSIGN(std::vector<HostTensor> outputs, piece.executable->run(inputs));
    for (size_t i = 0; i < outputs.size(); i++)
      values.insert_or_assign(piece.outputs[i], std::move(outputs[i]));
    return {};
  }

  Status set_biases(int point, const float* scale, std::map<TensorId, HostTensor>& values) {
    for (const CutGraph::Bias& bias : cut_.biases) {
      if (bias.point != point) continue;
      QL_ASSIGN(const brevitas::Quantized quantized, quantize_layer_bias(original_, *bias.layer, scale));
      values.insert_or_assign(bias.replaced, quantized.dequantized.reshaped(cut_.graph[bias.replaced].shape()));
    }
    return {};
  }

  const Graph& original_;
  BrevitasPlan& plan_;
  Executor& executor_;
  CutGraph cut_;
  std::vector<ActCalibrator> calibrators_;
  std::vector<Piece> pieces_;
};

}  // namespace

Status calibrate_brevitas(const Graph& graph, const CalibrationBatches& batches, Executor& executor,
                          BrevitasPlan& plan) {
  Status missing;
  const bool static_only =
      std::none_of(plan.points.begin(), plan.points.end(), [](const BrevitasPoint& p) { return p.calibrates(); });
  if (!static_only && batches.empty()) {
    for (const BrevitasPoint& point : plan.points) {
      if (!point.calibrates()) continue;
      missing.merge(Status::user({.node = point.name, .field = "act_quant"},
                                 "'" + point.rule->act.name + "' collects statistics, and there is no calibration data",
                                 "give calibration batches, or an act_scale"));
    }
    return missing;
  }
  return Calibration(graph, plan, executor).run(static_only ? CalibrationBatches{} : batches);
}

}  // namespace qlathe
