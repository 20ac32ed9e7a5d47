// CUDA's driver interface, loaded when a program is opened. The few types and numbers of it that are used stand here.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/native/gpu/api.h"

namespace qlathe::gpu {
namespace {

using Handle = void*;
using Pointer = uint64_t;  // on the device

constexpr int32_t kMajor = 75, kMinor = 76, kMaxThreads = 0, kOutOfMemory = 2;
constexpr int32_t kErrorLog = 5, kErrorLogBytes = 6;
constexpr uint32_t kNonBlocking = 1;

struct Functions {
  int32_t (*init)(uint32_t);
  int32_t (*device_count)(int32_t*);
  int32_t (*device_get)(int32_t*, int32_t);
  int32_t (*device_name)(char*, int32_t, int32_t);
  int32_t (*device_attribute)(int32_t*, int32_t, int32_t);
  int32_t (*retain_context)(Handle*, int32_t);
  int32_t (*release_context)(int32_t);
  int32_t (*push_context)(Handle);
  int32_t (*pop_context)(Handle*);
  int32_t (*load_module)(Handle*, const void*, uint32_t, int32_t*, void**);
  int32_t (*unload_module)(Handle);
  int32_t (*get_function)(Handle*, Handle, const char*);
  int32_t (*function_attribute)(int32_t*, int32_t, Handle);
  int32_t (*allocate)(Pointer*, size_t);
  int32_t (*free)(Pointer);
  int32_t (*create_stream)(Handle*, uint32_t);
  int32_t (*destroy_stream)(Handle);
  int32_t (*wait)(Handle);
  int32_t (*to_device)(Pointer, const void*, size_t, Handle);
  int32_t (*to_host)(void*, Pointer, size_t, Handle);
  int32_t (*launch)(Handle, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, Handle, void**,
                    void**);
  int32_t (*error_text)(int32_t, const char**);
};

struct Device {
  Functions cu;
  int32_t id;
  Handle context;
  char name[128];
};

struct Prepared {
  Handle function;
  uint32_t blocks, threads;
  void** arguments;  // to the pointers behind
  Pointer* pointers;
};

Device& as_device(void* device) { return *static_cast<Device*>(device); }
Pointer as_pointer(void* memory) { return static_cast<Pointer>(reinterpret_cast<uintptr_t>(memory)); }

/// The context is current for as long as this lives: callers may be on any thread.
class Current {
 public:
  explicit Current(const Device& device) : device_(device) { device_.cu.push_context(device_.context); }
  ~Current() {
    Handle previous = nullptr;
    device_.cu.pop_context(&previous);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  const Device& device_;
};

const char* text_of(const Functions& cu, int32_t status) {
  const char* text = nullptr;
  cu.error_text(status, &text);
  return text == nullptr ? "unknown error" : text;
}

bool load_functions(Functions& cu, Error& error) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) library = dlopen("libcuda.so", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    error.set("no CUDA driver: libcuda.so.1 is not installed (it comes with NVIDIA's driver)");
    return false;
  }
  const struct {
    const char* name;
    void* to;
  } names[] = {{"cuInit", &cu.init},
               {"cuDeviceGetCount", &cu.device_count},
               {"cuDeviceGet", &cu.device_get},
               {"cuDeviceGetName", &cu.device_name},
               {"cuDeviceGetAttribute", &cu.device_attribute},
               {"cuDevicePrimaryCtxRetain", &cu.retain_context},
               {"cuDevicePrimaryCtxRelease_v2", &cu.release_context},
               {"cuCtxPushCurrent_v2", &cu.push_context},
               {"cuCtxPopCurrent_v2", &cu.pop_context},
               {"cuModuleLoadDataEx", &cu.load_module},
               {"cuModuleUnload", &cu.unload_module},
               {"cuModuleGetFunction", &cu.get_function},
               {"cuFuncGetAttribute", &cu.function_attribute},
               {"cuMemAlloc_v2", &cu.allocate},
               {"cuMemFree_v2", &cu.free},
               {"cuStreamCreate", &cu.create_stream},
               {"cuStreamDestroy_v2", &cu.destroy_stream},
               {"cuStreamSynchronize", &cu.wait},
               {"cuMemcpyHtoDAsync_v2", &cu.to_device},
               {"cuMemcpyDtoHAsync_v2", &cu.to_host},
               {"cuLaunchKernel", &cu.launch},
               {"cuGetErrorString", &cu.error_text}};
  for (const auto& entry : names) {
    void* symbol = dlsym(library, entry.name);
    if (symbol == nullptr) {
      error.set("the CUDA driver has no %s: a newer driver is needed", entry.name);
      return false;
    }
    memcpy(entry.to, &symbol, sizeof symbol);
  }
  return true;
}

bool find_device(Device& d, Error& error) {
  int32_t status = d.cu.init(0), count = 0;
  if (status == 0) status = d.cu.device_count(&count);
  if (status != 0 || count == 0) {
    error.set("no CUDA device: %s", status != 0 ? text_of(d.cu, status) : "the driver finds none");
    return false;
  }
  int32_t major = 0, minor = 0;
  for (int32_t i = 0; i < count; i++) {
    if (d.cu.device_get(&d.id, i) != 0) continue;
    d.cu.device_name(d.name, sizeof d.name - 1, d.id);
    d.cu.device_attribute(&major, kMajor, d.id);
    d.cu.device_attribute(&minor, kMinor, d.id);
    if (major * 10 + minor >= 61) return true;
  }
  error.set("no CUDA device of compute capability 6.1 or later: %s has %d.%d", d.name, major, minor);
  return false;
}

void close(void* device) {
  if (device == nullptr) return;
  Device& d = as_device(device);
  if (d.context != nullptr) d.cu.release_context(d.id);
  free(device);
}

void* open(Error& error) {
  auto* d = static_cast<Device*>(calloc(1, sizeof(Device)));
  if (d == nullptr) return nullptr;
  if (load_functions(d->cu, error) && find_device(*d, error)) {
    const int32_t status = d->cu.retain_context(&d->context, d->id);
    if (status == 0) return d;
    d->context = nullptr;
    error.set("CUDA gives no context on %s: %s", d->name, text_of(d->cu, status));
  }
  close(d);
  return nullptr;
}

const char* device_name(void* device) { return as_device(device).name; }

void* allocate(void* device, int64_t bytes, Error& error) {
  const Device& d = as_device(device);
  const Current current(d);
  Pointer memory = 0;
  const int32_t status = d.cu.allocate(&memory, static_cast<size_t>(bytes));
  if (status == 0) return reinterpret_cast<void*>(static_cast<uintptr_t>(memory));
  error.set("%s%lld bytes on %s: %s", status == kOutOfMemory ? "out of device memory: " : "",
            static_cast<long long>(bytes), d.name, text_of(d.cu, status));
  return nullptr;
}

void free_memory(void* device, void* memory) {
  const Current current(as_device(device));
  as_device(device).cu.free(as_pointer(memory));
}

void* compile(void* device, const qlathe_gpu_kernel& kernel, Error& error) {
  const Device& d = as_device(device);
  const Current current(d);
  char log[1024] = "";
  int32_t options[] = {kErrorLog, kErrorLogBytes};
  void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
  Handle module = nullptr;
  const int32_t status = d.cu.load_module(&module, kernel.source, 2, options, values);
  if (status == 0) return module;
  error.set("kernel %s does not compile on %s: %s: %s", kernel.name, d.name, text_of(d.cu, status), log);
  return nullptr;
}

void unload(void* device, void* module) {
  const Current current(as_device(device));
  as_device(device).cu.unload_module(module);
}

void* open_queue(void* device, Error& error) {
  const Device& d = as_device(device);
  const Current current(d);
  Handle stream = nullptr;
  const int32_t status = d.cu.create_stream(&stream, kNonBlocking);
  if (status == 0) return stream;
  error.set("CUDA gives no stream on %s: %s", d.name, text_of(d.cu, status));
  return nullptr;
}

void close_queue(void* device, void* queue) {
  const Current current(as_device(device));
  as_device(device).cu.destroy_stream(queue);
}

int32_t upload(void* device, void* queue, void* memory, int64_t offset, const void* data, int64_t bytes, Error& error) {
  const Device& d = as_device(device);
  const Current current(d);
  int32_t status =
      d.cu.to_device(as_pointer(memory) + static_cast<Pointer>(offset), data, static_cast<size_t>(bytes), queue);
  if (status == 0) status = d.cu.wait(queue);
  return status == 0 ? 0 : error.set("CUDA cannot copy to the device: %s", text_of(d.cu, status));
}

int32_t download(void* device, void* queue, void* memory, int64_t offset, void* data, int64_t bytes, Error& error) {
  const Device& d = as_device(device);
  const Current current(d);
  int32_t status =
      d.cu.to_host(data, as_pointer(memory) + static_cast<Pointer>(offset), static_cast<size_t>(bytes), queue);
  if (status == 0) status = d.cu.wait(queue);
  return status == 0 ? 0 : error.set("CUDA cannot copy from the device: %s", text_of(d.cu, status));
}

void discard(void*, void* prepared) {
  auto* p = static_cast<Prepared*>(prepared);
  free(p->arguments);
  free(p->pointers);
  free(p);
}

void* prepare(void* device, void* module, const qlathe_gpu_kernel& kernel, const qlathe_gpu_launch& launch,
              const View* views, Error& error) {
  const Device& d = as_device(device);
  const Current current(d);
  auto* p = static_cast<Prepared*>(calloc(1, sizeof(Prepared)));
  if (p == nullptr) return nullptr;
  const auto count = static_cast<size_t>(launch.argument_count) + 1;
  p->blocks = static_cast<uint32_t>(launch.blocks);
  p->threads = static_cast<uint32_t>(launch.threads);
  p->arguments = static_cast<void**>(calloc(count, sizeof(void*)));
  p->pointers = static_cast<Pointer*>(calloc(count, sizeof(Pointer)));
  bool good = p->arguments != nullptr && p->pointers != nullptr;
  for (int32_t i = 0; good && i < launch.argument_count; i++) {
    const View& view = views[launch.arguments[i]];
    p->pointers[i] = as_pointer(view.memory) + static_cast<Pointer>(view.offset);
    p->arguments[i] = &p->pointers[i];
  }
  int32_t status = good ? d.cu.get_function(&p->function, module, launch.entry) : 0;
  if (status != 0) {
    error.set("CUDA finds no entry %s of kernel %s: %s", launch.entry, kernel.name, text_of(d.cu, status));
    good = false;
  }
  int32_t fits = 0;
  if (good && d.cu.function_attribute(&fits, kMaxThreads, p->function) == 0 && fits < launch.threads) {
    error.set("kernel %s does not fit %s: it runs in blocks of %d, the device takes %d", kernel.name, d.name,
              launch.threads, fits);
    good = false;
  }
  if (good) return p;
  discard(device, p);
  return nullptr;
}

int32_t launch(void* device, void* queue, void* prepared, Error& error) {
  const Device& d = as_device(device);
  const Current current(d);
  const auto* p = static_cast<const Prepared*>(prepared);
  const int32_t status = d.cu.launch(p->function, p->blocks, 1, 1, p->threads, 1, 1, 0, queue, p->arguments, nullptr);
  return status == 0 ? 0 : error.set("CUDA cannot launch a kernel: %s", text_of(d.cu, status));
}

}  // namespace

const Api kCudaApi = {"cuda",     open,        close,  device_name, allocate, free_memory, compile, unload,
                      open_queue, close_queue, upload, download,    prepare,  discard,     launch};

}  // namespace qlathe::gpu
