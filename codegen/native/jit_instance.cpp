#include "codegen/native/jit_instance.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "codegen/native/gpu/driver.h"

namespace qlathe {
namespace {

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<void, FreeMemory>;

/// At least one byte, aligned to 64, all zero.
AlignedMemory aligned_memory(int64_t bytes) {
  const size_t rounded = (static_cast<size_t>(bytes) / 64 + 1) * 64;
  AlignedMemory memory(std::aligned_alloc(64, rounded));
  QL_CHECK(memory != nullptr, std::to_string(rounded) + " bytes of memory");
  std::memset(memory.get(), 0, rounded);
  return memory;
}

std::string type_text(const TensorType& type) {
  return std::string(name(type.type)) + "[" + to_string(type.shape) + "]";
}

}  // namespace

struct ReleaseInstance {
  void operator()(qlathe_gpu_instance* instance) const { qlathe_gpu_release(instance); }
};

struct JitInstance::Memory {
  AlignedMemory arena, state;
  std::unique_ptr<qlathe_gpu_instance, ReleaseInstance> device;
  Status device_status;
};

namespace {

Status device_failure(const Program& program, const qlathe_gpu_error& error) {
  return Status::user({"", program.name, "--target " + program.target->name}, error.text);
}

}  // namespace

JitInstance::JitInstance(std::shared_ptr<const JitProgram> jit, int32_t workers)
    : jit_(std::move(jit)), workers_(workers), memory_(new Memory) {
  if (jit_->device() != nullptr) {
    qlathe_gpu_instance* instance = nullptr;
    qlathe_gpu_error error;
    if (qlathe_gpu_instantiate(jit_->device(), &instance, &error) != 0)
      memory_->device_status = device_failure(program(), error);
    memory_->device.reset(instance);
    return;
  }
  memory_->arena = aligned_memory(arena_bytes());
  memory_->state = aligned_memory(program().state_bytes);
  reset();
}

JitInstance::~JitInstance() = default;

Status JitInstance::ready() const { return memory_->device_status; }

int64_t JitInstance::arena_bytes() const {
  if (jit_->device() == nullptr) return jit_->arena_bytes(workers_);
  return memory_->device == nullptr ? 0 : qlathe_gpu_instance_bytes(memory_->device.get());
}

Status JitInstance::run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs,
                        const Parallel* parallel) {
  const Program& p = program();
  if (inputs.size() != p.inputs.size() || outputs.size() != p.outputs.size()) {
    return Status::user({"", p.name, ""}, "takes " + std::to_string(p.inputs.size()) + " inputs and " +
                                              std::to_string(p.outputs.size()) + " outputs, not " +
                                              std::to_string(inputs.size()) + " and " + std::to_string(outputs.size()));
  }
  if (std::count(inputs.begin(), inputs.end(), nullptr) + std::count(outputs.begin(), outputs.end(), nullptr) > 0) {
    return Status::user({"", p.name, ""}, "an input or output pointer is null");
  }
  if (jit_->device() != nullptr) {
    QL_RETURN_IF_ERROR(memory_->device_status);
    qlathe_gpu_error error;
    if (qlathe_gpu_run(memory_->device.get(), inputs.data(), outputs.data(), &error) != 0)
      return device_failure(p, error);
    return {};
  }
  const int32_t failed =
      jit_->run()(inputs.data(), outputs.data(), memory_->arena.get(), memory_->state.get(), parallel);
  QL_CHECK(failed == 0, std::to_string(failed));
  return {};
}

Result<std::vector<HostTensor>> JitInstance::run(const std::vector<HostTensor>& inputs, const Parallel* parallel) {
  const Program& p = program();
  Status problems;
  for (size_t i = 0; i < std::min(inputs.size(), p.inputs.size()); i++) {
    const TensorType given{inputs[i].type(), inputs[i].shape()};
    if (given == p.inputs[i].type) continue;
    problems.merge(
        Status::user({"", p.inputs[i].name, ""}, "is " + type_text(p.inputs[i].type) + ", not " + type_text(given)));
  }
  if (!problems.ok()) return problems;
  // Tensors without elements have no memory; their pointers are not read.
  static uint8_t nothing;
  std::vector<const void*> in;
  for (const HostTensor& tensor : inputs)
    in.push_back(tensor.byte_size() == 0 ? &nothing : tensor.bytes());
  std::vector<HostTensor> outputs;
  std::vector<void*> out;
  for (const ProgramIo& io : p.outputs)
    outputs.emplace_back(io.type.type, io.type.shape);
  for (HostTensor& tensor : outputs)
    out.push_back(tensor.byte_size() == 0 ? &nothing : tensor.bytes());
  QL_RETURN_IF_ERROR(run(in, out, parallel));
  return outputs;
}

void JitInstance::reset() {
  if (jit_->device() != nullptr) {
    qlathe_gpu_error error;
    if (memory_->device != nullptr && qlathe_gpu_reset(memory_->device.get(), &error) != 0)
      memory_->device_status = device_failure(program(), error);
    return;
  }
  for (const ProgramState& s : program().states) {
    std::memcpy(static_cast<uint8_t*>(memory_->state.get()) + s.offset, s.initial.data(), s.initial.size());
  }
}

}  // namespace qlathe
