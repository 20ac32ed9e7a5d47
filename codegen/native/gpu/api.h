#pragma once
/// What the driver needs of a device's library. One file an interface.
#include "codegen/native/gpu/driver.h"

namespace qlathe::gpu {

struct Error : qlathe_gpu_error {
  /// Sets the message, unless there is one. Always 1.
  int32_t set(const char* format, ...) __attribute__((format(printf, 2, 3)));
};

/// Part of a device's memory: a kernel's pointer.
struct View {
  void* memory = nullptr;
  int64_t offset = 0, bytes = 0;
};

/// Handles are owned by the caller and given back to the function named beside. Null or not 0: failed, with a message.
/// Queues are in order; uploads and downloads have copied when they return.
struct Api {
  const char* name;
  void* (*open)(Error& error);  ///< a device
  void (*close)(void* device);
  const char* (*device_name)(void* device);
  void* (*allocate)(void* device, int64_t bytes, Error& error);
  void (*free)(void* device, void* memory);
  void* (*compile)(void* device, const qlathe_gpu_kernel& kernel, Error& error);
  void (*unload)(void* device, void* module);
  void* (*open_queue)(void* device, Error& error);
  void (*close_queue)(void* device, void* queue);
  int32_t (*upload)(void* device, void* queue, void* memory, int64_t offset, const void* data, int64_t bytes,
                    Error& error);
  int32_t (*download)(void* device, void* queue, void* memory, int64_t offset, void* data, int64_t bytes, Error& error);
  /// A launch with its arguments; `views` are the kernel's pointers.
  void* (*prepare)(void* device, void* module, const qlathe_gpu_kernel& kernel, const qlathe_gpu_launch& launch,
                   const View* views, Error& error);
  void (*discard)(void* device, void* prepared);
  int32_t (*launch)(void* device, void* queue, void* prepared, Error& error);
};

extern const Api kOpenClApi;
extern const Api kCudaApi;

}  // namespace qlathe::gpu
