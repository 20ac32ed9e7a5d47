#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "frontend/formats/json_reader.h"
#include "frontend/ir/graph.h"

namespace qlathe {

/// Named arrays that a spec's nodes take their weights from.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual std::vector<std::string> names() const = 0;
  virtual bool has(const std::string& name) const = 0;
  /// The values; the failure names the file.
  virtual Result<HostTensor> read(const std::string& name) const = 0;
};

/// Arrays in memory, for programs that have them there.
class MemoryWeights : public WeightSource {
 public:
  explicit MemoryWeights(std::map<std::string, HostTensor> arrays) : arrays_(std::move(arrays)) {}
  std::vector<std::string> names() const override;
  bool has(const std::string& name) const override { return arrays_.contains(name); }
  Result<HostTensor> read(const std::string& name) const override;

 private:
  std::map<std::string, HostTensor> arrays_;
};

/// The `quantization` block of a node, a rule for that layer alone.
struct LayerRule {
  std::string node;         ///< the node's id
  std::string module_path;  ///< of the node
  const JsonValue* json = nullptr;
};

/// A model as its spec states it.
struct SpecModel {
  Graph graph;
  std::vector<LayerRule> layer_rules;
  const JsonValue* rules = nullptr;              ///< the spec's own rule list, if it has one
  std::shared_ptr<const JsonDocument> document;  ///< keeps the JSON above alive
};

/// What a block without a file of its own (the `model` of a test case) leaves to its surroundings.
struct SpecSurroundings {
  std::map<std::string, TensorType> input_types;  ///< of inputs that are given by name alone
  bool allow_unused_weights = false;
};

/// Reads a spec (docs/spec.md) with the weight files it names, relative to its folder. All problems are reported.
Result<SpecModel> read_spec(const std::string& path);

/// The same from a document in memory.
Result<SpecModel> read_spec_document(JsonDocument document);

/// Reads the model in `model`, a value of `document`, with weights from `weights`.
Result<SpecModel> read_spec_model(std::shared_ptr<const JsonDocument> document, const JsonValue& model,
                                  const WeightSource& weights, const SpecSurroundings& surroundings);

/// Names of the ops that a spec may use, sorted.
std::vector<std::string> spec_op_names();
/// The fields that an op takes beside those of every node, sorted; "" for unknown ops.
std::vector<std::string> spec_op_fields(const std::string& op);

}  // namespace qlathe
