#pragma once
#include <memory>
#include <string>
#include <vector>

#include "frontend/ir/op_registry.h"

namespace qlathe {

/// Thrown by a reader after a problem of a node was noted; never leaves the reader.
struct ImportProblem {};

/// The graph that a reader of a model file builds, with all the problems found on the way.
class ImportGraph {
 public:
  explicit ImportGraph(std::string path) : path_(std::move(path)) {}

  Graph graph;
  Status problems;

  const std::string& path() const { return path_; }
  void note(Diagnostic::Kind kind, const std::string& node, const std::string& field, std::string message,
            std::string remedy);
  /// Adds a node, or a constant where all operands are constants and `folds` allows it.
  Result<TensorId> add(const std::string& op, std::vector<TensorId> operands, std::shared_ptr<const OpAttrs> attrs,
                       const Origin& origin, bool folds = true);
  TensorId add_constant(const std::string& name, HostTensor data);
  /// Makes `id` an output under `name`: a tensor of its own, computed by a node, with the name that the file gives it.
  Status add_output(const std::string& name, TensorId id);

  /// Hostile files could make many nodes of few bytes.
  static constexpr size_t kMaxNodes = 400000;

 private:
  Result<TensorId> fold(const std::string& op, const std::vector<TensorId>& operands,
                        const std::shared_ptr<const OpAttrs>& attrs, const Origin& origin);

  const std::string path_;
  size_t folded_bytes_ = 0;
};

}  // namespace qlathe
