#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "codegen/halide/device_code.h"
#include "codegen/halide/lower_program.h"
#include "codegen/native/object_cache.h"
#include "schedule/program.h"

namespace qlathe {

/// A kernel as object code, and what the driver must know to call it.
struct NativeKernel {
  std::string symbol;
  std::vector<uint8_t> object;  ///< a relocatable file that defines `symbol` and needs nothing
  int pointers = 0;             ///< inputs and outputs, in the order of ProgramCall::buffers
  int64_t scratch_bytes = 0;    ///< 0: the kernel has no scratch parameter

  /// For targets with a device, instead of an object: text for its driver, and of each pointer the size of an element
  /// and the bytes that are reached through it.
  DeviceCode device;
  std::vector<int32_t> element_bytes;
  std::vector<int64_t> pointer_bytes;
};

/// Every kernel of the program as object code, compiled on `threads` threads; what `cache` (may be null) holds is
/// neither lowered nor compiled again. Symbols are made of the kernels' content, so equal kernels of different models
/// have equal objects.
Result<std::vector<NativeKernel>> compile_kernels(const Program& program, ObjectCache* cache, int threads,
                                                  const Progress& progress = nullptr);

/// A kernel lowered for a target with a device; its name becomes the symbol.
Result<NativeKernel> native_device_kernel(const LoweredKernel& lowered);

}  // namespace qlathe
