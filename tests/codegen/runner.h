#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "codegen/halide/lower.h"
#include "tests/codegen/kernels.h"

namespace qlathe::testing {

/// Kernels of one unit in a loaded shared library or in a program for an emulator, under one calling convention.
class LoadedKernels {
 public:
  using Entry = std::function<void(void* const* buffers, const int32_t* scalars, int32_t row_begin, int32_t row_end)>;

  /// nullptr where the library lacks it.
  Entry entry(const std::string& kernel) const;
  const std::string& library() const { return library_; }

  ~LoadedKernels();
  LoadedKernels(void* handle, std::string library) : handle_(handle), library_(std::move(library)) {}
  LoadedKernels(std::map<std::string, Entry> emulated, std::string program)
      : library_(std::move(program)), emulated_(std::move(emulated)) {}
  LoadedKernels(const LoadedKernels&) = delete;
  LoadedKernels& operator=(const LoadedKernels&) = delete;

 private:
  void* handle_ = nullptr;
  std::string library_;
  std::map<std::string, Entry> emulated_;
};

/// Both fail the running test and return nullptr where the compiler refuses or warns.
/// The printed text of the kernels, compiled by `compiler` (with flags) against the runtime, all warnings as errors.
std::unique_ptr<LoadedKernels> compile_printed(const std::vector<LoweredKernel>& kernels, const std::string& compiler,
                                               const std::string& unit, bool scalar_only = false);
/// The same as a program for another processor; every call of an entry is a run of it under `emulator`, which sees
/// copies of the buffers.
std::unique_ptr<LoadedKernels> compile_printed_for(const std::string& emulator,
                                                   const std::vector<LoweredKernel>& kernels,
                                                   const std::string& compiler, const std::string& unit);
/// The kernels' object code.
std::unique_ptr<LoadedKernels> link_object(const std::vector<LoweredKernel>& kernels, const std::string& unit);

/// The printed unit: runtime include, kernels in the runtime's namespace, entries.
std::string printed_unit(const std::vector<LoweredKernel>& kernels, bool scalar_only);

struct Outputs {
  std::vector<std::vector<uint8_t>> buffers;
  bool intact = true;  ///< nothing was written beside the outputs
};

/// Runs a kernel on inputs that depend on `seed` alone: all rows in `parts` calls, the last rows first.
Outputs run(LoadedKernels::Entry entry, const LoweredKernel& kernel, const TestKernel& test, uint64_t seed, int parts);

/// Fails the running test for every kernel whose results differ in a bit between the two libraries.
void expect_same_results(const LoadedKernels& expected, const LoadedKernels& actual,
                         const std::vector<LoweredKernel>& kernels, const TestKernels& tests, uint64_t seeds = 6);

/// Lowers all; fails the running test for each that does not lower and leaves it out of both lists.
std::vector<LoweredKernel> lower_all(TestKernels& tests, const std::string& halide_target);

bool host_has(const std::string& cpu_flag);
bool compiler_exists(const std::string& compiler);
/// A folder of this process, removed when it ends.
const std::string& scratch_folder();

}  // namespace qlathe::testing
