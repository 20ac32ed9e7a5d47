#pragma once
/// Runs lowered nodes as object code, loaded with dlopen: inputs end at a guard page, outputs have canaries, row ranges
/// are split and run out of order.
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "codegen/halide/lower.h"
#include "schedule/lower/lowering.h"

namespace qlathe::testing {

/// A graph of one node whose graph inputs and constants are its operands.
struct NodeCase {
  Graph graph;
  std::vector<HostTensor> inputs;  ///< of the graph, in order
  std::string label;
};

/// The targets that a test program tries its cases on, and how it runs them on one: the results in the cases' order.
/// Each program has its own: processors here and in tests/lowering, devices in tests/gpu.
std::vector<const char*> tested_targets();
struct CaseRunner {
  const char* what;
  Result<std::vector<HostTensor>> (*run)(const std::vector<NodeCase>& cases, const Target& target);
};
std::vector<CaseRunner> case_runners();
/// Of the cases of one test those that the program has time for.
std::vector<NodeCase> chosen_cases(std::vector<NodeCase> cases);

/// All kernels of the cases in one shared object; each is run in two parts of its rows, the later first, on memory that
/// ends at a guard page.
Result<std::vector<HostTensor>> run_as_object(const std::vector<NodeCase>& cases, const Target& target);

/// A kernel of a loaded object: pointers in the order of the C parameters.
class LoadedKernel {
 public:
  LoadedKernel(void* function, LoweredKernel kernel) : function_(function), kernel_(std::move(kernel)) {}
  const LoweredKernel& kernel() const { return kernel_; }
  void run(const std::vector<void*>& buffers, void* scratch, int32_t row_begin, int32_t row_end) const;

 private:
  void* function_;
  LoweredKernel kernel_;
};

struct LoadedNode {
  NodeLowering lowering;
  std::vector<LoadedKernel> kernels;  ///< one per call
};

/// Lowers, compiles and loads the last node of every case, all in one shared object.
Result<std::vector<LoadedNode>> load_nodes(const std::vector<NodeCase>& cases, const Target& target);

/// Memory whose end is followed by an inaccessible page, so that reading past it faults.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t bytes) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    mapped_ = (bytes + page - 1) / page * page + 2 * page;
    base_ = static_cast<uint8_t*>(mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_, page, PROT_NONE);
    mprotect(base_ + mapped_ - page, page, PROT_NONE);
    data_ = base_ + mapped_ - page - bytes;
  }
  GuardedBuffer(GuardedBuffer&& o) noexcept
      : base_(std::exchange(o.base_, nullptr)), data_(o.data_), mapped_(o.mapped_) {}
  GuardedBuffer(const GuardedBuffer&) = delete;
  ~GuardedBuffer() {
    if (base_ != nullptr) munmap(base_, mapped_);
  }
  uint8_t* data() const { return data_; }

 private:
  uint8_t* base_;
  uint8_t* data_;
  size_t mapped_;
};

/// A loaded node with memory for its buffers.
class BoundNode {
 public:
  BoundNode(const NodeCase& node_case, const LoadedNode& loaded);
  void run() const;
  /// The same in two ranges of rows, the later one first.
  void run_in_parts() const;
  HostTensor result() const;

 private:
  const LoadedNode& loaded_;
  std::vector<GuardedBuffer> memory_;
  std::vector<std::vector<void*>> buffers_;
  std::vector<void*> scratch_;
  HostTensor result_;
  uint8_t* result_memory_ = nullptr;
};

/// Each loaded case run in two parts of its rows.
std::vector<HostTensor> results_in_parts(const std::vector<NodeCase>& cases, const std::vector<LoadedNode>& loaded);

}  // namespace qlathe::testing
