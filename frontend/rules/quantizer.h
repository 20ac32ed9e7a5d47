#pragma once
#include <map>
#include <string>

#include "frontend/rules/activation_nodes.h"
#include "frontend/rules/operand_roles.h"
#include "frontend/rules/quantize.h"

namespace qlathe {

/// Refuses a weight with NaN or infinite elements.
Status check_finite(const HostTensor& weight, const std::string& name);

/// The walk over the graph that quantize() and calibrate() share: copies nodes, replaces the ops that rules take.
class Quantizer {
 public:
  Quantizer(const Graph& from, const RuleList& rules, const QuantizeOptions& options)
      : from_(from), rules_(rules), options_(options), producers_(producers_of(from)) {}
  virtual ~Quantizer() = default;

  Result<QuantizedGraph> run();

 protected:
  const Graph& from_;
  const RuleList& rules_;
  const QuantizeOptions& options_;
  QuantizedGraph out_;

  /// Scale and zero point of a static activation x: constants here, running averages while calibrating.
  virtual Result<ScaleTensors> static_scale(NodeBuilder& builder, const std::string& name, TensorId x,
                                            const HowToQuantize& how, const QwixRule& rule);
  /// Whether ops are replaced; otherwise only static_scale is called, and their operands stay float.
  virtual bool quantizes() const { return true; }
  /// After the walk: adds outputs, reports what was asked for and missing.
  virtual Status finish();

 private:
  /// One op being replaced: its rule and where its new nodes go.
  struct Site {
    const Node& node;  // of the float graph
    const OpMatch& match;
    const QwixRule& rule;
    NodeBuilder builder;
    std::vector<TensorId> inputs;  // in the new graph
  };

  TensorId mapped(TensorId id);
  void copy_node(const Node& node);
  void rename_result(TensorId id, TensorId old);
  Status quantize_node(const Node& node, const OpMatch& match, const QwixRule& rule);
  Status check_conv(const Site& site) const;
  Result<OperandReport> quantize_weight(Site& site, const HowToQuantize& how);
  Result<OperandReport> quantize_new_weight(Site& site, const HowToQuantize& how);
  /// The same in blocks that differ by integer multipliers, and its product with integer activations.
  Result<OperandReport> quantize_block_weight(Site& site, const HowToQuantize& how);
  Result<TensorId> add_block_product(Site& site, const OpReport& report);
  Result<OperandReport> quantize_activation(Site& site, TensorId x, Side side, const HowToQuantize& how);
  Result<OperandReport> add_weight(const std::string& name, const QuantizedTensor& weight, const HowToQuantize& how);
  /// A weight that the graph has quantized already, behind a dequantize step.
  std::optional<QuantizedTensor> stored_weight(TensorId id, std::string& name) const;
  Result<TensorId> add_product(Site& site, const OpReport& report);
  /// The scale of one operand of a dot_general in the layout of its result, extent 1 along the other operand's axes.
  Result<TensorId> scale_of_result(Site& site, Side side, const OpReport& report);
  /// Integer products of bfloat16 and float16 models: scaled after the sum in the model's type.
  Result<TensorId> add_rounded_product(Site& site, const OpReport& report, std::vector<TensorId> inputs);
  Status check_extra_params() const;
  /// Removes nodes that no output needs any more: dequantized weights, steps of activations that stay float.
  void remove_dead_nodes();

  const std::vector<int> producers_;                          // of the float graph
  std::map<TensorId, TensorId> ids_;                          // float graph -> new graph
  std::map<std::string, OperandReport> dynamic_activations_;  // by tensor and how: shared by the ops that read it
  std::map<std::string, OperandReport> weights_;              // likewise
  std::map<std::string, bool> used_params_, used_statistics_;
};

}  // namespace qlathe
