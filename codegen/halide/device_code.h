#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "codegen/halide/lower.h"
#include "frontend/ir/result.h"

namespace qlathe {

/// Of the caller's memory, in the C interface of emitted objects for a device: what is in it is the driver's.
inline constexpr int64_t kDeviceArenaBytes = 4096;

/// One launch of a device function, in one dimension.
struct DeviceLaunch {
  std::string entry;
  int32_t blocks = 1, threads = 1;
  std::vector<int32_t> arguments;  ///< its pointers, as indices into the kernel's pointers
};

/// A kernel for a device: text that the driver compiles (OpenCL C, PTX), and the launches that make up the kernel, in
/// order.
struct DeviceCode {
  std::string source;
  std::vector<DeviceLaunch> launches;
};

/// `kernel` is lowered for a target with a device (schedule/target.h). The same kernel gives the same text.
Result<DeviceCode> compile_device_code(const LoweredKernel& kernel);

}  // namespace qlathe
