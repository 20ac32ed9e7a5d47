#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "frontend/formats/json_reader.h"
#include "frontend/formats/spec/spec.h"
#include "frontend/ir/graph.h"

namespace qlathe {

/// The graph under construction with what its nodes refer to by name.
class SpecBuilder {
 public:
  SpecBuilder(const JsonDocument& d, const WeightSource& w, Status& p) : document(d), weights(w), problems(p) {}

  const JsonDocument& document;
  const WeightSource& weights;
  Status& problems;
  Graph graph;

  /// Results and inputs by the names that nodes use; kNone for the results of a node that has a problem of its own.
  std::map<std::string, TensorId> values;
  /// How often each name is used as an input or output of the spec.
  std::map<std::string, int> uses;
  /// Types that the spec gives arrays which files store as something wider.
  std::map<std::string, ValueType> array_types;

  /// A product whose weights may still change: batch_norm folds into it.
  struct Product {
    int node = -1;       // index in graph.nodes of the dot_general or conv
    int bias_node = -1;  // of the addition, -1 without
  };
  std::map<TensorId, Product> products;

  /// The array as a constant of the graph, loaded once. Float64 becomes float32; NaN and infinities are errors.
  /// Nothing where it cannot be read, with the problem noted at `place`.
  std::optional<TensorId> constant(const std::string& array, const Place& place);
  bool is_used(const std::string& array) const { return constants_.contains(array); }

  /// The tensor of that name in the graph, kNone without one.
  TensorId find(const std::string& name) const;
  /// A tensor of a name like `wanted` that is still free. (Graph::add_tensor searches all names, which a hostile file
  /// could make many of.)
  TensorId new_tensor(const std::string& wanted, TensorType type);
  TensorId new_constant(const std::string& wanted, HostTensor data);
  /// Counts bytes of constants that are made here and in no file; false beyond what a real model needs.
  bool account(size_t bytes);

  /// A node of the spec becomes few of the graph, but a split has many results.
  static constexpr size_t kMaxGraphNodes = 200000;

 private:
  std::map<std::string, std::optional<TensorId>> constants_;
  std::map<std::string, TensorId> names_;
  std::map<std::string, int> suffixes_;  // the last number tried behind a name
  size_t made_bytes_ = 0;
};

/// One node of the spec: its fields, operands and where its results go. Every reader function of an op gets one.
class SpecNode {
 public:
  SpecNode(SpecBuilder& b, JsonObject& f) : builder(b), fields(f) {}

  SpecBuilder& builder;
  JsonObject& fields;
  std::string id;
  std::string op;
  std::string module;
  std::vector<TensorId> inputs;      // all valid
  std::vector<std::string> names;    // of the inputs
  std::vector<std::string> outputs;  // names of the results, if the node states them

  const TensorType& type(size_t i) const { return builder.graph[inputs[i]].type; }
  const TensorType& type_of(TensorId t) const { return builder.graph[t].type; }
  int64_t rank(size_t i) const { return static_cast<int64_t>(type(i).shape.size()); }
  bool ok() const { return fields.ok(); }

  /// A problem of this node; `field` may be empty.
  void problem(const std::string& field, std::string message, std::string remedy = "");
  /// An axis field, negative from the end; nothing (and a problem) where out of range.
  std::optional<int64_t> axis(const std::string& key, int64_t rank, std::optional<int64_t> fallback);
  std::optional<std::vector<int64_t>> axes(const std::string& key, int64_t rank);

  /// Whether the weight `parameter` of this node's module is given, as it is or quantized.
  bool has_weight(const std::string& parameter);
  /// The weight `parameter`: <module>/<parameter>, or the array that a field of that name names; a quantized one
  /// (<name>.qvalue, .scale, maybe .zero_point) as its dequantization. A problem where it is missing.
  std::optional<TensorId> weight(const std::string& parameter);

  /// Appends a node to the graph; `suffix` tells apart what one node of the spec becomes ("" for its result).
  /// `rule_op` is what rules match on. Nothing after a problem.
  std::optional<TensorId> add(const std::string& op_name, std::vector<TensorId> operands,
                              std::shared_ptr<const OpAttrs> attrs, const std::string& suffix = "",
                              const std::string& rule_op = "");
  /// A constant that belongs to this node; a problem where a hostile file makes too many.
  TensorId constant(const std::string& suffix, HostTensor data);
  TensorId derived_constant(const std::string& name, HostTensor data);

  void result(std::optional<TensorId> tensor) { results.push_back(tensor); }
  std::vector<std::optional<TensorId>> results;

 private:
  std::optional<TensorId> add_named(const std::string& op_name, std::vector<TensorId> operands,
                                    std::shared_ptr<const OpAttrs> attrs, const std::string& result_name,
                                    const std::string& rule_op);
  std::string array_name(const std::string& parameter);
};

/// How one op of the spec is read. A file of a family of ops registers its rows.
struct SpecOp {
  std::string name;
  int min_inputs = 1, max_inputs = 1;
  void (*read)(SpecNode&) = nullptr;
  std::vector<std::string> fields;  ///< beside those of every node; the schema's test compares them
  bool has_weights = false;         ///< the module's default is the node's id
};

class SpecOps {
 public:
  static const SpecOp* find(const std::string& name);
  static std::vector<std::string> names();
  struct Add {
    explicit Add(std::vector<SpecOp> ops);
  };
};

/// The float type of a result of float operands: their common narrow type, else float32.
ValueType float_result(ValueType a, ValueType b);

}  // namespace qlathe
