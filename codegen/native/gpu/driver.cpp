// Compiled twice: into the process, and alone for emitted archives. No C++ library, no exceptions.
#include "codegen/native/gpu/driver.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/native/gpu/api.h"

namespace qlathe::gpu {

int32_t Error::set(const char* format, ...) {
  if (text[0] != '\0') return 1;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return 1;
}

namespace {

constexpr int64_t kAlignment = 512;  // of tensors on the device; more than kernels ask for

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Zeroed memory of `count` elements, at least one.
template <class T>
T* zeroed(int64_t count) {
  return static_cast<T*>(calloc(static_cast<size_t>(count > 0 ? count : 1), sizeof(T)));
}

}  // namespace
}  // namespace qlathe::gpu

using qlathe::gpu::Api;
using qlathe::gpu::Error;
using qlathe::gpu::View;

struct qlathe_gpu_model {
  const qlathe_gpu_program* program;
  const Api* api;
  void* device;
  void** modules;        // a kernel
  void* constants;       // one allocation
  int64_t* constant_at;  // offsets in it
};

struct qlathe_gpu_instance {
  qlathe_gpu_model* model;
  void* queue;
  void* memory;  // one allocation: inputs, outputs, states, arena
  int64_t bytes, state_at, arena_at;
  int64_t* input_at;
  int64_t* output_at;
  void** prepared;  // launches in order
  int32_t prepared_count;
};

namespace {

Error& as_error(qlathe_gpu_error* error) {
  error->text[0] = '\0';
  return static_cast<Error&>(*error);
}

int32_t open_model(qlathe_gpu_model& m, Error& error) {
  const qlathe_gpu_program& p = *m.program;
  m.device = m.api->open(error);
  if (m.device == nullptr) return error.set("no device");
  m.modules = qlathe::gpu::zeroed<void*>(p.kernel_count);
  m.constant_at = qlathe::gpu::zeroed<int64_t>(p.constant_count);
  if (m.modules == nullptr || m.constant_at == nullptr) return error.set("out of memory");
  for (int32_t i = 0; i < p.kernel_count; i++) {
    m.modules[i] = m.api->compile(m.device, p.kernels[i], error);
    if (m.modules[i] == nullptr) return error.set("kernel %s does not compile", p.kernels[i].name);
  }
  int64_t total = 0;
  for (int32_t i = 0; i < p.constant_count; i++) {
    m.constant_at[i] = total;
    total += qlathe::gpu::aligned(p.constants[i].bytes);
  }
  if (total == 0) return 0;
  m.constants = m.api->allocate(m.device, total, error);
  if (m.constants == nullptr) return error.set("no memory for constants");
  void* queue = m.api->open_queue(m.device, error);
  if (queue == nullptr) return error.set("no queue");
  int32_t failed = 0;
  for (int32_t i = 0; i < p.constant_count && failed == 0; i++) {
    if (p.constants[i].bytes == 0) continue;
    failed =
        m.api->upload(m.device, queue, m.constants, m.constant_at[i], p.constants[i].data, p.constants[i].bytes, error);
  }
  m.api->close_queue(m.device, queue);
  return failed;
}

View view_of(const qlathe_gpu_instance& instance, const qlathe_gpu_buffer& buffer) {
  const qlathe_gpu_model& m = *instance.model;
  switch (buffer.space) {
    case 0:
      return {instance.memory, instance.input_at[buffer.index] + buffer.offset, buffer.bytes};
    case 1:
      return {instance.memory, instance.output_at[buffer.index] + buffer.offset, buffer.bytes};
    case 2:
      return {m.constants, m.constant_at[buffer.index] + buffer.offset, buffer.bytes};
    case 3:
      return {instance.memory, instance.arena_at + buffer.offset, buffer.bytes};
    default:
      return {instance.memory, instance.state_at + buffer.offset, buffer.bytes};
  }
}

int32_t instantiate(qlathe_gpu_instance& instance, Error& error) {
  const qlathe_gpu_model& m = *instance.model;
  const qlathe_gpu_program& p = *m.program;
  instance.input_at = qlathe::gpu::zeroed<int64_t>(p.input_count);
  instance.output_at = qlathe::gpu::zeroed<int64_t>(p.output_count);
  int32_t launches = 0, most = 0;
  for (int32_t i = 0; i < p.call_count; i++) {
    const qlathe_gpu_kernel& kernel = p.kernels[p.calls[i].kernel];
    launches += kernel.launch_count;
    if (kernel.pointer_count > most) most = kernel.pointer_count;
  }
  instance.prepared = qlathe::gpu::zeroed<void*>(launches);
  View* views = qlathe::gpu::zeroed<View>(most);
  if (instance.input_at == nullptr || instance.output_at == nullptr || instance.prepared == nullptr ||
      views == nullptr) {
    free(views);
    return error.set("out of memory");
  }
  int64_t total = 0;
  for (int32_t i = 0; i < p.input_count; i++) {
    instance.input_at[i] = total;
    total += qlathe::gpu::aligned(p.input_bytes[i]);
  }
  for (int32_t i = 0; i < p.output_count; i++) {
    instance.output_at[i] = total;
    total += qlathe::gpu::aligned(p.output_bytes[i]);
  }
  instance.state_at = total;
  instance.arena_at = total + qlathe::gpu::aligned(p.state_bytes);
  instance.bytes = instance.arena_at + qlathe::gpu::aligned(p.arena_bytes);
  instance.queue = m.api->open_queue(m.device, error);
  int32_t failed = instance.queue == nullptr ? error.set("no queue") : 0;
  if (failed == 0 && instance.bytes > 0) {
    instance.memory = m.api->allocate(m.device, instance.bytes, error);
    if (instance.memory == nullptr) failed = error.set("no memory for tensors");
  }
  for (int32_t i = 0; i < p.call_count && failed == 0; i++) {
    const qlathe_gpu_call& call = p.calls[i];
    const qlathe_gpu_kernel& kernel = p.kernels[call.kernel];
    for (int32_t b = 0; b < call.buffer_count; b++)
      views[b] = view_of(instance, call.buffers[b]);
    for (int32_t k = 0; k < kernel.launch_count && failed == 0; k++) {
      void* prepared = m.api->prepare(m.device, m.modules[call.kernel], kernel, kernel.launches[k], views, error);
      if (prepared == nullptr)
        failed = error.set("kernel %s cannot be prepared", kernel.name);
      else
        instance.prepared[instance.prepared_count++] = prepared;
    }
  }
  free(views);
  return failed;
}

}  // namespace

int32_t qlathe_gpu_open(const qlathe_gpu_program* program, qlathe_gpu_model** out, qlathe_gpu_error* out_error) {
  Error& error = as_error(out_error);
  *out = nullptr;
  const Api* api = strcmp(program->api, "cuda") == 0 ? &qlathe::gpu::kCudaApi : &qlathe::gpu::kOpenClApi;
  auto* model = qlathe::gpu::zeroed<qlathe_gpu_model>(1);
  if (model == nullptr) return error.set("out of memory");
  model->program = program;
  model->api = api;
  const int32_t failed = open_model(*model, error);
  if (failed != 0) {
    qlathe_gpu_close(model);
    return failed;
  }
  *out = model;
  return 0;
}

void qlathe_gpu_close(qlathe_gpu_model* model) {
  if (model == nullptr) return;
  if (model->device != nullptr) {
    if (model->constants != nullptr) model->api->free(model->device, model->constants);
    for (int32_t i = 0; model->modules != nullptr && i < model->program->kernel_count; i++) {
      if (model->modules[i] != nullptr) model->api->unload(model->device, model->modules[i]);
    }
    model->api->close(model->device);
  }
  free(model->modules);
  free(model->constant_at);
  free(model);
}

int32_t qlathe_gpu_instantiate(qlathe_gpu_model* model, qlathe_gpu_instance** out, qlathe_gpu_error* out_error) {
  Error& error = as_error(out_error);
  *out = nullptr;
  auto* instance = qlathe::gpu::zeroed<qlathe_gpu_instance>(1);
  if (instance == nullptr) return error.set("out of memory");
  instance->model = model;
  int32_t failed = instantiate(*instance, error);
  if (failed == 0) failed = qlathe_gpu_reset(instance, out_error);
  if (failed != 0) {
    qlathe_gpu_release(instance);
    return failed;
  }
  *out = instance;
  return 0;
}

void qlathe_gpu_release(qlathe_gpu_instance* instance) {
  if (instance == nullptr) return;
  const qlathe_gpu_model& m = *instance->model;
  for (int32_t i = 0; i < instance->prepared_count; i++)
    m.api->discard(m.device, instance->prepared[i]);
  if (instance->memory != nullptr) m.api->free(m.device, instance->memory);
  if (instance->queue != nullptr) m.api->close_queue(m.device, instance->queue);
  free(instance->prepared);
  free(instance->input_at);
  free(instance->output_at);
  free(instance);
}

int32_t qlathe_gpu_run(qlathe_gpu_instance* instance, const void* const* inputs, void* const* outputs,
                       qlathe_gpu_error* error) {
  return qlathe_gpu_run_with_state(instance, inputs, outputs, nullptr, error);
}

int32_t qlathe_gpu_run_with_state(qlathe_gpu_instance* instance, const void* const* inputs, void* const* outputs,
                                  void* state, qlathe_gpu_error* out_error) {
  Error& error = as_error(out_error);
  const qlathe_gpu_model& m = *instance->model;
  const qlathe_gpu_program& p = *m.program;
  const bool moves_state = state != nullptr && p.state_bytes > 0;
  const auto to_device = [&](int64_t at, const void* data, int64_t bytes) {
    return bytes == 0 ? 0 : m.api->upload(m.device, instance->queue, instance->memory, at, data, bytes, error);
  };
  const auto to_host = [&](int64_t at, void* data, int64_t bytes) {
    return bytes == 0 ? 0 : m.api->download(m.device, instance->queue, instance->memory, at, data, bytes, error);
  };
  if (moves_state && to_device(instance->state_at, state, p.state_bytes) != 0) return 1;
  for (int32_t i = 0; i < p.input_count; i++) {
    if (to_device(instance->input_at[i], inputs[i], p.input_bytes[i]) != 0) return 1;
  }
  for (int32_t i = 0; i < instance->prepared_count; i++) {
    if (m.api->launch(m.device, instance->queue, instance->prepared[i], error) != 0) return 1;
  }
  for (int32_t i = 0; i < p.output_count; i++) {
    if (to_host(instance->output_at[i], outputs[i], p.output_bytes[i]) != 0) return 1;
  }
  return moves_state ? to_host(instance->state_at, state, p.state_bytes) : 0;
}

namespace {

struct ArenaContent {
  qlathe_gpu_model* model;
  qlathe_gpu_instance* instance;
  qlathe_gpu_error error;
};
static_assert(sizeof(ArenaContent) <= 4096, "the arena of emitted objects");

}  // namespace

int32_t qlathe_gpu_run_in(const qlathe_gpu_program* program, void* arena, const void* const* inputs,
                          void* const* outputs, void* state) {
  auto& content = *static_cast<ArenaContent*>(arena);
  if (content.model == nullptr && qlathe_gpu_open(program, &content.model, &content.error) != 0) return 2;
  if (content.instance == nullptr && qlathe_gpu_instantiate(content.model, &content.instance, &content.error) != 0)
    return 2;
  return qlathe_gpu_run_with_state(content.instance, inputs, outputs, state, &content.error) == 0 ? 0 : 2;
}

const char* qlathe_gpu_error_in(const void* arena) { return static_cast<const ArenaContent*>(arena)->error.text; }

void qlathe_gpu_close_in(void* arena) {
  auto& content = *static_cast<ArenaContent*>(arena);
  qlathe_gpu_release(content.instance);
  qlathe_gpu_close(content.model);
  content = ArenaContent();
}

int32_t qlathe_gpu_reset(qlathe_gpu_instance* instance, qlathe_gpu_error* out_error) {
  Error& error = as_error(out_error);
  const qlathe_gpu_model& m = *instance->model;
  for (int32_t i = 0; i < m.program->state_count; i++) {
    const qlathe_gpu_bytes& state = m.program->states[i];
    if (state.bytes == 0) continue;
    if (m.api->upload(m.device, instance->queue, instance->memory, instance->state_at + state.offset, state.data,
                      state.bytes, error) != 0)
      return error.set("a state cannot be copied");
  }
  return 0;
}

int64_t qlathe_gpu_instance_bytes(const qlathe_gpu_instance* instance) { return instance->bytes; }

const char* qlathe_gpu_device_name(const qlathe_gpu_model* model) { return model->api->device_name(model->device); }
