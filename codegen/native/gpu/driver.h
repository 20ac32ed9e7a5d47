#pragma once
/// The driver of programs on a device: memory, kernels, launches. Plain data in, plain functions out: it is linked into
/// the process (JIT) and, compiled alone, travels inside emitted archives. Needs the C library only; the device's own
/// library (OpenCL, CUDA) is loaded when a program is opened.
#include <cstddef>
#include <cstdint>

extern "C" {

struct qlathe_gpu_launch {
  const char* entry;
  int32_t blocks, threads;
  int32_t argument_count;
  const int32_t* arguments;  ///< i: pointer i of the kernel; ~i: where its data begins behind that pointer, in elements
};

struct qlathe_gpu_kernel {
  const char* name;
  const char* source;  ///< OpenCL C or PTX, ends with a zero
  int32_t pointer_count;
  const int32_t* element_bytes;  ///< of each pointer
  int32_t launch_count;
  const struct qlathe_gpu_launch* launches;
};

/// Memory that a call reads or writes. Spaces are those of qlathe::BufferRef.
struct qlathe_gpu_buffer {
  int32_t space, index;
  int64_t offset, bytes;
};

struct qlathe_gpu_call {
  int32_t kernel, buffer_count;
  const struct qlathe_gpu_buffer* buffers;
};

struct qlathe_gpu_bytes {
  const void* data;
  int64_t bytes;
  int64_t offset;  ///< of a state, in the state memory
};

struct qlathe_gpu_program {
  const char* api;  ///< "opencl" or "cuda"
  int32_t kernel_count, call_count, constant_count, input_count, output_count, state_count;
  const struct qlathe_gpu_kernel* kernels;
  const struct qlathe_gpu_call* calls;
  const struct qlathe_gpu_bytes* constants;
  const int64_t* input_bytes;
  const int64_t* output_bytes;
  const struct qlathe_gpu_bytes* states;  ///< initial values
  int64_t arena_bytes, state_bytes;
};

/// What went wrong, for people. The first message stays.
struct qlathe_gpu_error {
  char text[2048];
};

struct qlathe_gpu_model;     ///< a device, the compiled kernels and the constants: shared, immutable
struct qlathe_gpu_instance;  ///< memory and a queue of its own: one run at a time

/// All return 0, or another number with a message in `error`. The program's tables must live as long as the model.
int32_t qlathe_gpu_open(const struct qlathe_gpu_program* program, struct qlathe_gpu_model** out,
                        struct qlathe_gpu_error* error);
void qlathe_gpu_close(struct qlathe_gpu_model* model);
int32_t qlathe_gpu_instantiate(struct qlathe_gpu_model* model, struct qlathe_gpu_instance** out,
                               struct qlathe_gpu_error* error);
void qlathe_gpu_release(struct qlathe_gpu_instance* instance);
int32_t qlathe_gpu_run(struct qlathe_gpu_instance* instance, const void* const* inputs, void* const* outputs,
                       struct qlathe_gpu_error* error);
int32_t qlathe_gpu_reset(struct qlathe_gpu_instance* instance, struct qlathe_gpu_error* error);
/// The same with the state in the caller's memory, of state_bytes bytes: copied to the device before and back after.
int32_t qlathe_gpu_run_with_state(struct qlathe_gpu_instance* instance, const void* const* inputs, void* const* outputs,
                                  void* state, struct qlathe_gpu_error* error);

/// A model and an instance in 4096 bytes of the caller's, zero at first: what emitted objects call. Opened by the first
/// run. 0, or 2 with a message in the arena.
int32_t qlathe_gpu_run_in(const struct qlathe_gpu_program* program, void* arena, const void* const* inputs,
                          void* const* outputs, void* state);
const char* qlathe_gpu_error_in(const void* arena);
void qlathe_gpu_close_in(void* arena);

/// Bytes on the device: of an instance, and of the constants that all instances share.
int64_t qlathe_gpu_instance_bytes(const struct qlathe_gpu_instance* instance);
/// The device's own name.
const char* qlathe_gpu_device_name(const struct qlathe_gpu_model* model);

}  // extern "C"
