#pragma once
// What the recurrent operators share: products of rows with the weights of one or several gates, and sequences.
#include <vector>

#include "frontend/formats/tflite/quantized.h"

namespace qlathe {

/// Weights [units, inputs] of float32, or of int8 with one scale for each unit.
struct RecurrentWeights {
  TensorId values;
  std::vector<float> scales;  ///< of integers, one per unit or one for all; empty for float32
};

/// The weights of several gates, one below the other. Absent where the first slot is.
RecurrentWeights tflite_weights(TfliteNode& node, const std::vector<size_t>& slots);

/// Vectors of several gates as one; kNone where the first slot is empty.
TensorId tflite_vectors(TfliteNode& node, const std::vector<size_t>& slots, ValueType type);

/// x [rows, inputs] of float32 times the weights, plus `add` ([units] or [rows, units], may be absent), then the
/// activation. Rows become integers while the model runs where the weights are integers.
TensorId tflite_linear(TfliteNode& node, TensorId x, const RecurrentWeights& weights, TensorId add, bool asymmetric,
                       tflite::ActivationFunctionType function = tflite::ActivationFunctionType::NONE);

/// x [rows, inputs], integers with a zero point, times integer weights [units, inputs], int32, through the steps.
TensorId tflite_integer_linear(TfliteNode& node, TensorId x, int64_t zero_point, TensorId weights, TfliteSteps steps,
                               ValueType accumulator = ValueType::kI32);

/// A sequence [batch, time, n], or [time, batch, n], as the rows of its time steps one after the other.
struct TfliteSequence {
  int64_t time = 1, batch = 1, width = 1;
  TensorId rows;  ///< [time * batch, width]
};
TfliteSequence tflite_sequence(TfliteNode& node, TensorId x, bool time_major);
/// Rows [batch, n] of one time step.
TensorId tflite_time_step(TfliteNode& node, const TfliteSequence& sequence, TensorId rows, int64_t t);
/// The results of the time steps, each [batch, n], in the layout of the sequence.
TensorId tflite_joined(TfliteNode& node, const std::vector<TensorId>& steps, bool time_major);

/// A state as rows: [batch, n].
TensorId tflite_state_rows(TfliteNode& node, size_t slot, int64_t batch, int64_t width);
/// Its next value, in the shape that the file gives the state.
void tflite_next_state(TfliteNode& node, size_t slot, TensorId rows);

/// Refuses an operand that is not of this shape.
void tflite_expect_shape(TfliteNode& node, size_t slot, const char* meaning, const Shape& expected);

/// A scale of one value for the whole tensor.
float tflite_one_scale(TfliteNode& node, size_t slot);

}  // namespace qlathe
