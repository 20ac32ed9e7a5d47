#pragma once
/// qlathe from a C++ program: compile a model once (Model, immutable and shared), run it through any number of
/// Instances.
///
///   auto model = qlathe::Model::compile("digits.json", {.rules = "int8.json", .calibration = "digits.npz"});
///   if (!model.ok()) { std::cerr << model.status().text() << "\n"; return 1; }
///   auto instance = (*model)->instance();
///   instance->run({image.data()}, {scores.data()});
#include <memory>
#include <string>
#include <vector>

#include "api/pipeline.h"

namespace qlathe {

class JitInstance;
class JitProgram;
class ThreadPool;

struct CompileOptions {
  /// Must run in this process. Several with commas are tried in order: "opencl,host" is the host where there is no
  /// device, or one without enough memory.
  std::string target = "host";
  std::string rules;        ///< path of a rule list; empty: the model's own, if any
  std::string calibration;  ///< path of an .npz of batches (see read_batches), for static activations
  std::string statistics;   ///< path of a statistics file instead
  bool allow_extra_params = false;
  int threads = 0;           ///< that compile; 0: one per processor
  bool cache = true;         ///< keep compiled kernels in the object cache
  std::string cache_folder;  ///< empty: ObjectCache::default_folder()
  StageProgress progress;
};

class Instance;

/// A compiled model. Immutable: share it between threads.
class Model {
 public:
  static Result<std::shared_ptr<const Model>> compile(const std::string& path, const CompileOptions& options = {});
  /// From a graph of the front-end, quantized or not.
  static Result<std::shared_ptr<const Model>> compile(const Graph& graph, const CompileOptions& options = {});
  ~Model();

  /// Names, types, shapes and bytes.
  const std::vector<ProgramIo>& inputs() const;
  const std::vector<ProgramIo>& outputs() const;
  const Program& program() const;

  /// Memory of its own (arena and state), reset. `threads` workers share the rows of large kernels.
  std::unique_ptr<Instance> instance(int threads = 1) const;

 private:
  Model();
  std::shared_ptr<const JitProgram> jit_;
};

/// The memory of one run at a time. Instances of one Model may run concurrently.
class Instance {
 public:
  ~Instance();
  /// One pointer per input and output, each to `bytes` of its ProgramIo, dense row-major. Any alignment will do.
  Status run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs);
  /// The same with tensors; types and shapes are checked.
  Result<std::vector<HostTensor>> run(const std::vector<HostTensor>& inputs);
  /// Sets states to their initial values.
  void reset();

  int64_t arena_bytes() const;

 private:
  friend class Model;
  Instance(std::shared_ptr<const JitProgram> jit, int threads);
  std::unique_ptr<JitInstance> memory_;
  std::unique_ptr<ThreadPool> pool_;  ///< null where nothing is worth sharing
};

/// Bytes that only compare equal for equal inputs: model, rules, options. For provenance lines.
std::string file_hash(const std::string& path);

}  // namespace qlathe
