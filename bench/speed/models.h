#pragma once
/// Graphs to measure, made the way a user makes them: a spec and, where the model is a float one, a rule list.
#include <map>
#include <string>

#include "frontend/ir/graph.h"
#include "frontend/ir/result.h"

namespace qlathe::bench {

/// Numbers from a seed, the same on every machine.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  uint64_t bits();
  float real(float lo, float hi);
  /// Integers over the whole range of the type, floats in [-bound, bound).
  HostTensor tensor(ValueType type, const Shape& shape, float bound = 1.0f);

 private:
  uint64_t state_;
};

using Weights = std::map<std::string, HostTensor>;

/// The model of a spec's text with weights in memory.
Result<Graph> graph_of(const std::string& spec, Weights weights);

/// The graph after a rule list; static activations are calibrated on one batch of made-up inputs.
Result<Graph> quantized(const Graph& graph, const std::string& rules);

/// u8 x [m, k] times s8 [k, n], plus bias, requantized to u8 per channel.
Result<Graph> integer_gemm(int64_t m, int64_t k, int64_t n);
/// The same for a convolution of size x size x k to n channels; `padding` "VALID" takes an input that its producer has
/// padded already.
Result<Graph> integer_conv(int64_t size, int64_t kernel, int64_t k, int64_t n, int64_t stride = 1,
                           const std::string& padding = "VALID");
Result<Graph> integer_depthwise(int64_t size, int64_t kernel, int64_t channels, int64_t stride = 1,
                                const std::string& padding = "VALID");
/// x [1, k] of floats times [k, n] under the rules.
Result<Graph> matrix_vector(int64_t k, int64_t n, const std::string& rules);
/// One op on inputs x (and y) of the type: `fields` are its fields in a spec, `"op": "softmax", "axis": 1`.
Result<Graph> one_op(const std::string& fields, const Shape& shape, ValueType type = ValueType::kF32, int inputs = 1);
/// 16 -> 64 -> 16 with ReLU, batch 8, int8 static by rules.
Result<Graph> perceptron();

}  // namespace qlathe::bench
