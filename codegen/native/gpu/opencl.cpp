// OpenCL 1.2, loaded when a program is opened. The few types and numbers of its interface that are used stand here, so
// that neither its headers nor its library are needed to build.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/native/gpu/api.h"

namespace qlathe::gpu {
namespace {

using Handle = void*;

constexpr uint64_t kGpu = 1 << 2, kAllDevices = 0xffffffff, kReadWrite = 1;
constexpr uint32_t kDeviceName = 0x102b, kBaseAlignment = 0x1019, kFloatConfig = 0x101b, kLargestAllocation = 0x1010,
                   kBuildLog = 0x1183, kKernelGroupSize = 0x11b0, kRegion = 0x1220;
constexpr uint64_t kCorrectDivision = 1 << 7;

struct Functions {
  int32_t (*get_platforms)(uint32_t, Handle*, uint32_t*);
  int32_t (*get_devices)(Handle, uint64_t, uint32_t, Handle*, uint32_t*);
  int32_t (*device_info)(Handle, uint32_t, size_t, void*, size_t*);
  Handle (*create_context)(const intptr_t*, uint32_t, const Handle*, void*, void*, int32_t*);
  int32_t (*release_context)(Handle);
  Handle (*create_queue)(Handle, Handle, uint64_t, int32_t*);
  int32_t (*release_queue)(Handle);
  Handle (*create_buffer)(Handle, uint64_t, size_t, void*, int32_t*);
  Handle (*create_sub_buffer)(Handle, uint64_t, uint32_t, const void*, int32_t*);
  int32_t (*release_memory)(Handle);
  Handle (*create_program)(Handle, uint32_t, const char**, const size_t*, int32_t*);
  int32_t (*build_program)(Handle, uint32_t, const Handle*, const char*, void*, void*);
  int32_t (*build_info)(Handle, Handle, uint32_t, size_t, void*, size_t*);
  int32_t (*release_program)(Handle);
  Handle (*create_kernel)(Handle, const char*, int32_t*);
  int32_t (*group_info)(Handle, Handle, uint32_t, size_t, void*, size_t*);
  int32_t (*set_argument)(Handle, uint32_t, size_t, const void*);
  int32_t (*release_kernel)(Handle);
  int32_t (*write)(Handle, Handle, uint32_t, size_t, size_t, const void*, uint32_t, const Handle*, Handle*);
  int32_t (*read)(Handle, Handle, uint32_t, size_t, size_t, void*, uint32_t, const Handle*, Handle*);
  int32_t (*enqueue)(Handle, Handle, uint32_t, const size_t*, const size_t*, const size_t*, uint32_t, const Handle*,
                     Handle*);
};

struct Device {
  Functions cl;
  Handle id, context;
  char name[128];
  int64_t base_alignment, largest_allocation;
  bool correct_division;
};

struct Prepared {
  Handle kernel;
  size_t global, local;
  int32_t buffer_count;
  Handle buffers[1];  // as many as the launch has
};

bool load_functions(Functions& cl, Error& error) {
  void* library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) library = dlopen("libOpenCL.so", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    error.set("no OpenCL: libOpenCL.so.1 is not installed (install the ICD loader and your device's driver)");
    return false;
  }
  const struct {
    const char* name;
    void* to;
  } names[] = {{"clGetPlatformIDs", &cl.get_platforms},
               {"clGetDeviceIDs", &cl.get_devices},
               {"clGetDeviceInfo", &cl.device_info},
               {"clCreateContext", &cl.create_context},
               {"clReleaseContext", &cl.release_context},
               {"clCreateCommandQueue", &cl.create_queue},
               {"clReleaseCommandQueue", &cl.release_queue},
               {"clCreateBuffer", &cl.create_buffer},
               {"clCreateSubBuffer", &cl.create_sub_buffer},
               {"clReleaseMemObject", &cl.release_memory},
               {"clCreateProgramWithSource", &cl.create_program},
               {"clBuildProgram", &cl.build_program},
               {"clGetProgramBuildInfo", &cl.build_info},
               {"clReleaseProgram", &cl.release_program},
               {"clCreateKernel", &cl.create_kernel},
               {"clGetKernelWorkGroupInfo", &cl.group_info},
               {"clSetKernelArg", &cl.set_argument},
               {"clReleaseKernel", &cl.release_kernel},
               {"clEnqueueWriteBuffer", &cl.write},
               {"clEnqueueReadBuffer", &cl.read},
               {"clEnqueueNDRangeKernel", &cl.enqueue}};
  for (const auto& entry : names) {
    void* symbol = dlsym(library, entry.name);
    if (symbol == nullptr) {
      error.set("the OpenCL library has no %s: OpenCL 1.2 or later is needed", entry.name);
      return false;
    }
    memcpy(entry.to, &symbol, sizeof symbol);
  }
  return true;
}

/// A GPU if any platform has one, else any device.
Handle find_device(const Functions& cl, Error& error) {
  Handle platforms[16];
  uint32_t platform_count = 0;
  const int32_t status = cl.get_platforms(16, platforms, &platform_count);
  if (status != 0 || platform_count == 0) {
    error.set("no OpenCL driver: the ICD loader finds no platform (error %d); install your device's driver, or PoCL",
              status);
    return nullptr;
  }
  if (platform_count > 16) platform_count = 16;
  const uint64_t types[] = {kGpu, kAllDevices};
  for (const uint64_t type : types) {
    for (uint32_t i = 0; i < platform_count; i++) {
      Handle device = nullptr;
      uint32_t count = 0;
      if (cl.get_devices(platforms[i], type, 1, &device, &count) == 0 && count > 0) return device;
    }
  }
  error.set("no OpenCL device: %u platforms, none has a device", platform_count);
  return nullptr;
}

Device& as_device(void* device) { return *static_cast<Device*>(device); }

void close(void* device) {
  if (device == nullptr) return;
  Device& d = as_device(device);
  if (d.context != nullptr) d.cl.release_context(d.context);
  free(device);
}

void* open(Error& error) {
  auto* d = static_cast<Device*>(calloc(1, sizeof(Device)));
  if (d == nullptr) return nullptr;
  bool good = load_functions(d->cl, error);
  if (good) {
    d->id = find_device(d->cl, error);
    good = d->id != nullptr;
  }
  if (good) {
    uint32_t align_bits = 0;
    uint64_t config = 0, largest = 0;
    d->cl.device_info(d->id, kDeviceName, sizeof d->name - 1, d->name, nullptr);
    d->cl.device_info(d->id, kBaseAlignment, sizeof align_bits, &align_bits, nullptr);
    d->cl.device_info(d->id, kFloatConfig, sizeof config, &config, nullptr);
    d->cl.device_info(d->id, kLargestAllocation, sizeof largest, &largest, nullptr);
    d->base_alignment = align_bits >= 8 ? align_bits / 8 : 128;
    d->correct_division = (config & kCorrectDivision) != 0;
    d->largest_allocation = static_cast<int64_t>(largest);
    int32_t status = 0;
    d->context = d->cl.create_context(nullptr, 1, &d->id, nullptr, nullptr, &status);
    if (d->context == nullptr) error.set("OpenCL gives no context on %s (error %d)", d->name, status);
    good = d->context != nullptr;
  }
  if (good) return d;
  close(d);
  return nullptr;
}

const char* device_name(void* device) { return as_device(device).name; }

void* allocate(void* device, int64_t bytes, Error& error) {
  const Device& d = as_device(device);
  if (d.largest_allocation > 0 && bytes > d.largest_allocation) {
    error.set("out of device memory: %lld bytes are needed in one piece, %s gives at most %lld",
              static_cast<long long>(bytes), d.name, static_cast<long long>(d.largest_allocation));
    return nullptr;
  }
  int32_t status = 0;
  Handle memory = d.cl.create_buffer(d.context, kReadWrite, static_cast<size_t>(bytes), nullptr, &status);
  if (memory == nullptr)
    error.set("out of device memory: %lld bytes on %s (OpenCL error %d)", static_cast<long long>(bytes), d.name,
              status);
  return memory;
}

void free_memory(void* device, void* memory) { as_device(device).cl.release_memory(memory); }

void* compile(void* device, const qlathe_gpu_kernel& kernel, Error& error) {
  const Device& d = as_device(device);
  int32_t status = 0;
  const char* source = kernel.source;
  Handle program = d.cl.create_program(d.context, 1, &source, nullptr, &status);
  if (program == nullptr) {
    error.set("OpenCL takes no source of kernel %s (error %d)", kernel.name, status);
    return nullptr;
  }
  status = d.cl.build_program(program, 1, &d.id, d.correct_division ? "-cl-fp32-correctly-rounded-divide-sqrt" : "",
                              nullptr, nullptr);
  if (status == 0) return program;
  char log[1024] = "";
  d.cl.build_info(program, d.id, kBuildLog, sizeof log - 1, log, nullptr);
  error.set("kernel %s does not compile on %s (OpenCL error %d): %s", kernel.name, d.name, status, log);
  d.cl.release_program(program);
  return nullptr;
}

void unload(void* device, void* module) { as_device(device).cl.release_program(module); }

void* open_queue(void* device, Error& error) {
  const Device& d = as_device(device);
  int32_t status = 0;
  Handle queue = d.cl.create_queue(d.context, d.id, 0, &status);
  if (queue == nullptr) error.set("OpenCL gives no queue on %s (error %d)", d.name, status);
  return queue;
}

void close_queue(void* device, void* queue) { as_device(device).cl.release_queue(queue); }

int32_t upload(void* device, void* queue, void* memory, int64_t offset, const void* data, int64_t bytes, Error& error) {
  const int32_t status = as_device(device).cl.write(queue, memory, 1, static_cast<size_t>(offset),
                                                    static_cast<size_t>(bytes), data, 0, nullptr, nullptr);
  return status == 0 ? 0 : error.set("OpenCL cannot copy to the device (error %d)", status);
}

int32_t download(void* device, void* queue, void* memory, int64_t offset, void* data, int64_t bytes, Error& error) {
  const int32_t status = as_device(device).cl.read(queue, memory, 1, static_cast<size_t>(offset),
                                                   static_cast<size_t>(bytes), data, 0, nullptr, nullptr);
  return status == 0 ? 0 : error.set("OpenCL cannot copy from the device (error %d)", status);
}

void discard(void* device, void* prepared) {
  const Device& d = as_device(device);
  auto* p = static_cast<Prepared*>(prepared);
  if (p->kernel != nullptr) d.cl.release_kernel(p->kernel);
  for (int32_t i = 0; i < p->buffer_count; i++)
    d.cl.release_memory(p->buffers[i]);
  free(p);
}

/// Sub-buffers begin at multiples of the device's alignment; the kernel adds the rest.
bool set_arguments(const Device& d, Prepared& p, const qlathe_gpu_kernel& kernel, const qlathe_gpu_launch& launch,
                   const View* views, Error& error) {
  for (int32_t i = 0; i < launch.argument_count; i++) {
    const int32_t argument = launch.arguments[i];
    const int32_t pointer = argument >= 0 ? argument : ~argument;
    const View& view = views[pointer];
    const int64_t behind = view.offset % d.base_alignment;
    int32_t status = 0;
    if (argument < 0) {
      const auto elements = static_cast<int32_t>(behind / kernel.element_bytes[pointer]);
      status = d.cl.set_argument(p.kernel, static_cast<uint32_t>(i), sizeof elements, &elements);
    } else {
      const size_t region[2] = {static_cast<size_t>(view.offset - behind), static_cast<size_t>(view.bytes + behind)};
      Handle part = d.cl.create_sub_buffer(view.memory, kReadWrite, kRegion, region, &status);
      if (part == nullptr) {
        error.set("OpenCL gives no view of memory for kernel %s (error %d)", kernel.name, status);
        return false;
      }
      p.buffers[p.buffer_count++] = part;
      status = d.cl.set_argument(p.kernel, static_cast<uint32_t>(i), sizeof part, &part);
    }
    if (status != 0) {
      error.set("OpenCL takes no argument %d of kernel %s (error %d)", i, kernel.name, status);
      return false;
    }
  }
  // The back end's kernels end with a pointer to local memory, used or not.
  const int32_t status = d.cl.set_argument(p.kernel, static_cast<uint32_t>(launch.argument_count), 16, nullptr);
  if (status != 0) error.set("OpenCL takes no local memory for kernel %s (error %d)", kernel.name, status);
  return status == 0;
}

void* prepare(void* device, void* module, const qlathe_gpu_kernel& kernel, const qlathe_gpu_launch& launch,
              const View* views, Error& error) {
  const Device& d = as_device(device);
  auto* p =
      static_cast<Prepared*>(calloc(1, sizeof(Prepared) + static_cast<size_t>(launch.argument_count) * sizeof(Handle)));
  if (p == nullptr) return nullptr;
  p->local = static_cast<size_t>(launch.threads);
  p->global = p->local * static_cast<size_t>(launch.blocks);
  int32_t status = 0;
  p->kernel = d.cl.create_kernel(module, launch.entry, &status);
  bool good = p->kernel != nullptr;
  if (!good) error.set("OpenCL finds no entry %s of kernel %s (error %d)", launch.entry, kernel.name, status);
  size_t fits = 0;
  if (good && d.cl.group_info(p->kernel, d.id, kKernelGroupSize, sizeof fits, &fits, nullptr) == 0 && fits < p->local) {
    error.set("kernel %s does not fit %s: it runs in groups of %zu, the device takes %zu", kernel.name, d.name,
              p->local, fits);
    good = false;
  }
  if (good && set_arguments(d, *p, kernel, launch, views, error)) return p;
  discard(device, p);
  return nullptr;
}

int32_t launch(void* device, void* queue, void* prepared, Error& error) {
  const auto* p = static_cast<const Prepared*>(prepared);
  const int32_t status =
      as_device(device).cl.enqueue(queue, p->kernel, 1, nullptr, &p->global, &p->local, 0, nullptr, nullptr);
  return status == 0 ? 0 : error.set("OpenCL cannot launch a kernel (error %d)", status);
}

}  // namespace

const Api kOpenClApi = {"opencl",   open,        close,  device_name, allocate, free_memory, compile, unload,
                        open_queue, close_queue, upload, download,    prepare,  discard,     launch};

}  // namespace qlathe::gpu
