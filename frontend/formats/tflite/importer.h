#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "frontend/formats/import/import_graph.h"
#include "frontend/formats/tflite/model_file.h"
#include "frontend/formats/tflite/tflite.h"

namespace qlathe {

/// The graph under construction and the tensors of the (sub)graph that is being read.
class TfliteImporter : public ImportGraph {
 public:
  TfliteImporter(const std::string& path, std::shared_ptr<const TfliteFile> file, const TfliteOptions& options)
      : ImportGraph(path), options_(options), file_(std::move(file)) {}
  Result<Graph> run();

  const TfliteFile& file() const { return *file_; }
  const tflite::SubGraph& subgraph() const { return *scope_->subgraph; }
  TfliteNumerics numerics() const { return options_.numerics; }

  /// What a tensor of the subgraph holds: a constant is read when it is first asked for; kNone where a problem kept it
  /// from being made.
  TensorId tensor(int32_t index);
  void define(int32_t index, TensorId id) { scope_->values[index] = id; }
  bool is_made(int32_t index) const { return scope_->values.contains(index); }

  /// A variable by its name, of the given type where it has no initial value yet: its value at this place.
  TensorId read_variable(const std::string& name, const TensorType& type, int64_t initial = 0);
  void assign_variable(const std::string& name, TensorId value);
  bool initializing() const { return initializing_; }
  std::string& resource(int32_t index) { return scope_->resources[index]; }

  /// Reads another subgraph in place; its outputs. `arguments` become its inputs.
  std::vector<TensorId> read_subgraph(int32_t index, const std::vector<TensorId>& arguments, bool initialize);

 private:
  struct Scope {
    const tflite::SubGraph* subgraph = nullptr;
    int32_t index = 0;
    std::map<int32_t, TensorId> values;
    std::map<int32_t, std::string> resources;  // variable handles: the variable's name
  };
  struct Variable {
    TensorId current, latest;
    std::shared_ptr<const HostTensor> initial;
  };

  void read_inputs();
  void read_operators();
  void read_operator(const tflite::Operator& op, const std::string& place);
  void describe(TensorId id, const tflite::Tensor& tensor);
  void read_outputs();
  void finish_states();

  const TfliteOptions& options_;
  std::shared_ptr<const TfliteFile> file_;
  Scope* scope_ = nullptr;
  std::string current_ = "outputs";  ///< the operator that is read, for problems
  std::map<std::string, Variable> variables_;
  bool initializing_ = false;
  int depth_ = 0;
};

}  // namespace qlathe
