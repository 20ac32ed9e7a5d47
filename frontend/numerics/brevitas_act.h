#pragma once
#include <optional>

#include "frontend/ir/tensor.h"
#include "frontend/numerics/brevitas_weight.h"

namespace qlathe::brevitas {

/// The activation function of a quantized activation layer (QuantIdentity, QuantReLU, …). QuantHardTanh's own clamp is
/// left to the quantizer, so it is the identity here.
enum class Activation { kIdentity, kRelu, kTanh, kSigmoid, kHardSwish };

/// The function on float32. tanh and sigmoid: each exponential or tangent correctly rounded, then float32 steps.
float activate(Activation activation, float x);
HostTensor activate(Activation activation, const HostTensor& x);

/// "QuantIdentity", "QuantReLU", "QuantTanh", "QuantSigmoid", "QuantHardTanh", "QuantHardSwish".
Result<Activation> parse_activation_layer(std::string_view layer);

/// What quantizes an activation.
struct ActParameters {
  float scale = 1.0f;
  float zero_point = 0.0f;
};

/// Collects the statistics of one activation over calibration batches as the library does in training mode, then gives
/// the static scale and zero point that its evaluation mode uses.
class ActCalibrator {
 public:
  /// `activation` produced the tensors given to observe(); the searched quantizers apply it once more while they
  /// search, as the library does.
  static Result<ActCalibrator> make(Quantizer quantizer, Activation activation = Activation::kIdentity);

  const Quantizer& quantizer() const { return q_; }
  /// One batch, after the activation function: float32 of any shape (kAbsMaxMean: the channels are axis 1). Batches
  /// after collect_stats_steps change nothing. Gives the parameters that the library quantizes this very batch with
  /// (those of the batch alone, while it collects): what the layers behind see while they calibrate.
  Result<ActParameters> observe(const HostTensor& activated);
  int batches() const { return batches_; }

  float scale() const;
  float zero_point() const;  ///< 0 for symmetric quantizers; may be fractional (quantize_zero_point false)
  /// The statistics as collected, for files: of the scale, and the magnitude of the low end.
  float statistic() const { return buffer_; }
  float low() const { return low_buffer_; }
  void restore(float statistic, float low, int batches);

 private:
  ActCalibrator(Quantizer quantizer, Activation activation) : q_(std::move(quantizer)), activation_(activation) {}
  bool collects() const;
  void update(float& buffer, float value) const;
  float search_scale(const std::vector<float>& x, const std::vector<float>& again);
  float batch_low(const std::vector<float>& x, const std::vector<float>& again, float scale);

  Quantizer q_;
  Activation activation_;
  int batches_ = 0;
  float buffer_ = 1.0f;                 ///< statistic of the scale; 1 before the first batch
  float low_buffer_ = 0.0f;             ///< low end of the range, not above 0
  std::optional<float> low_candidate_;  ///< of the last batch's search
  double beta_ = 1.0;                   ///< half-quadratic: grows over all batches
};

/// Quantizes with a static scale and zero point.
Result<Quantized> quantize_activation(const HostTensor& activated, const Quantizer& quantizer, float scale,
                                      float zero_point);

}  // namespace qlathe::brevitas
