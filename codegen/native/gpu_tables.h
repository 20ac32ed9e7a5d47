#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "codegen/native/gpu/driver.h"
#include "codegen/native/kernels.h"
#include "schedule/program.h"

namespace qlathe {

/// A program as the tables of the device driver. They point into `program` and `kernels`, which must stay in place;
/// constants are read by qlathe_gpu_open alone.
class GpuTables {
 public:
  GpuTables(const Program& program, const std::vector<NativeKernel>& kernels);
  GpuTables(const GpuTables&) = delete;
  GpuTables& operator=(const GpuTables&) = delete;

  const qlathe_gpu_program& program() const { return program_; }

 private:
  qlathe_gpu_program program_{};
  std::vector<qlathe_gpu_kernel> kernels_;
  std::deque<std::vector<qlathe_gpu_launch>> launches_;
  std::vector<qlathe_gpu_call> calls_;
  std::deque<std::vector<qlathe_gpu_buffer>> buffers_;
  std::vector<qlathe_gpu_bytes> constants_, states_;
  std::vector<int64_t> inputs_, outputs_;
  std::string device_;
};

}  // namespace qlathe
