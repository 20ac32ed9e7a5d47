#pragma once
// One direction of an LSTM, in the arithmetic of float32 (with float or integer weights) or of int8 with a cell of
// int16.
#include <vector>

#include "frontend/formats/tflite/recurrent.h"

namespace qlathe {

/// Where the operands are. Weights, biases and coefficients of the gates stand in the order input, forget, cell,
/// output; those of the input gate are absent where it is 1 - forget. Peepholes: input, forget, output.
struct LstmSlots {
  size_t weights = 1, recurrent = 5, peephole = 9, bias = 12, projection = 16, projection_bias = 17;
  size_t state = 18, cell = 19;
  size_t norm = 20;  ///< coefficients of layer norm; 0: none
};

struct LstmOptions {
  tflite::ActivationFunctionType activation = tflite::ActivationFunctionType::TANH;
  float cell_clip = 0, proj_clip = 0;
  bool asymmetric = false;
};

/// The gates that are there, and the sizes that the weights give.
struct LstmForm {
  enum Gate { kInput, kForget, kCell, kOutput };
  std::vector<Gate> gates;
  int64_t inputs = 0, cells = 0, outputs = 0;
  bool peephole = false, norm = false, projection = false;

  bool coupled() const { return gates[0] != kInput; }
  /// The slots of all gates that are there, from `first` on.
  std::vector<size_t> slots(size_t first) const;
  /// The part of one gate in the last axis of all gates' values.
  TensorId part(TfliteNode& node, TensorId all, Gate gate) const;
  /// The slot of the gate's peephole; 0 where it has none.
  size_t peephole_slot(const LstmSlots& at, Gate gate) const;
};

/// Checks that the operands fit together.
LstmForm lstm_form(TfliteNode& node, const LstmSlots& at, int64_t inputs);

/// x int16 [rows, gates * cells], each gate's cells normalized, times its coefficients (int16), plus its bias (int32):
/// int16 with three integer bits.
TensorId tflite_integer_layer_norm(TfliteNode& node, TensorId x, const std::vector<size_t>& weights,
                                   const std::vector<size_t>& biases);

/// The results of the time steps, in their order; the states are set.
std::vector<TensorId> run_float_lstm(TfliteNode& node, const TfliteSequence& sequence, const LstmSlots& at,
                                     const LstmOptions& options, bool backward = false);
std::vector<TensorId> run_integer_lstm(TfliteNode& node, const TfliteSequence& sequence, const LstmSlots& at,
                                       const LstmOptions& options);
/// The same with the integers of TFLite Micro.
std::vector<TensorId> run_micro_lstm(TfliteNode& node, const TfliteSequence& sequence, const LstmSlots& at,
                                     const LstmOptions& options);

}  // namespace qlathe
