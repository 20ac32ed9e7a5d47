#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "frontend/ops/pointwise.h"
#include "frontend/ops/rebuild.h"

namespace qlathe {

/// A tensor of real numbers as the integers it was quantized to, in the new graph: (q - zero_point) * scale.
struct Quantized {
  TensorId q;
  TensorId scale;               ///< one element, or constant with one per channel or block of q's axes (same rank)
  TensorId zero_point = kNone;  ///< one element, or constant of scale's shape; kNone: 0
  Origin origin;                ///< of the node that dequantizes
};

/// Dequantizations wait: every tensor may be known by its integers. Movement and maxima work on the integers; products
/// and sums of 8-bit integers sum exactly in int32, and what they give is again integers with a scale; quantizing with
/// the parameters that are there already is nothing. All else gets the dequantization before it. So integers stay
/// integers from one quantization to the next:
///
///   conv(dequantize(x), dequantize(w)) + dequantize(b)   becomes   dequantize(conv(x, w) + b)
///
/// whose dequantization, activation and quantization become the product's epilogue. A sum of integers is exact, where
/// the sum of their real numbers in float is rounded at every step: results differ by that rounding.
class QdqFolding {
 public:
  explicit QdqFolding(const Graph& graph) : from(graph), rebuild(graph), known_(graph.tensors.size()) {}

  Result<Graph> run();

  const Graph& from;
  Rebuild rebuild;
  std::map<TensorId, double> reach;  ///< of sums, by new tensor: the largest magnitude

  const Graph& to() const { return rebuild.to; }

  /// The integers of a tensor of the old graph, if it is known by them.
  const Quantized* known(TensorId old) const;
  /// The node's result is known by these.
  Status know(const Node& node, Quantized value);
  /// The node is not there until someone needs its result as real numbers: what quantizes it may have a better form.
  void defer(const Node& node) { deferred_[node.outputs[0]] = &node; }
  /// The node that makes the tensor and is not there yet.
  const Node* deferred(TensorId old) const;
  /// The tensor as real numbers, where someone needs them.
  Status materialize(TensorId old);

  Result<TensorId> add(const std::string& op, std::vector<TensorId> inputs, std::shared_ptr<const OpAttrs> attrs,
                       const Origin& origin);
  /// The node on integers, its result known by the parameters of x.
  Result<bool> moved(const Node& node, const Quantized& x, std::vector<TensorId> inputs);

  /// The steps and operands that make real numbers of q; operands are counted from `first`.
  std::vector<PointwiseStep> dequantize_steps(const Quantized& value, std::vector<TensorId>& operands,
                                              int64_t first) const;
  /// The node's steps on what it sums, `sum` in its integer form.
  Result<bool> with_steps(const Node& node, const Quantized& sum, const std::vector<PointwiseStep>& steps);

  bool per_tensor(const Quantized& x) const;
  bool same_parameters(const Quantized& a, const Quantized& b) const;
  /// Whether quantizing x with the scale and zero point of `target` gives x's integers: round((q - z) * s / s) + z is
  /// q.
  bool keeps(const Quantized& x, const PointwiseStep& quantize, Quantized target) const;
  /// Integers of 8 bits or fewer.
  bool small(TensorId q) const;
  /// The values of a constant of the new graph; of kNone one 0.
  std::optional<std::vector<double>> numbers(TensorId id) const;

 private:
  Status visit(const Node& node);
  Result<bool> try_integers(const Node& node);

  std::vector<std::optional<Quantized>> known_;  // by old tensor
  std::map<TensorId, const Node*> deferred_;     // by old tensor
};

/// quantize(concat(parts)) as concat(quantize(parts)), each part from its own integers; false where it is no such pair.
Result<bool> quantize_parts(QdqFolding& fold, const Node& concat, const Node& quantize);

PointwiseStep qdq_step(const char* op, ValueType type, std::vector<int64_t> operands = {});

/// How one op is done on integers: true where it was. Ops without a row here stay real, unless they only move numbers
/// (OpDef::work). One registration an op (frontend/passes/fold_qdq_<family>.cpp).
using FoldQdq = Result<bool> (*)(QdqFolding& fold, const Node& node);

class FoldQdqRegistry {
 public:
  static FoldQdq find(const std::string& op);
  struct Add {
    Add(const std::string& op, FoldQdq fold);
  };
};

}  // namespace qlathe
