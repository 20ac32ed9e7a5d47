#include "codegen/native/gpu_tables.h"

#include "schedule/device.h"

namespace qlathe {
namespace {

int32_t count(size_t n) { return static_cast<int32_t>(n); }

}  // namespace

GpuTables::GpuTables(const Program& program, const std::vector<NativeKernel>& kernels) {
  for (const NativeKernel& kernel : kernels) {
    std::vector<qlathe_gpu_launch>& launches = launches_.emplace_back();
    for (const DeviceLaunch& launch : kernel.device.launches)
      launches.push_back({launch.entry.c_str(), launch.blocks, launch.threads, count(launch.arguments.size()),
                          launch.arguments.data()});
    kernels_.push_back({kernel.symbol.c_str(), kernel.device.source.c_str(), kernel.pointers,
                        kernel.element_bytes.data(), count(launches.size()), launches.data()});
  }
  for (const ProgramCall& call : program.calls) {
    const NativeKernel& kernel = kernels[static_cast<size_t>(call.kernel)];
    QL_CHECK(count(call.buffers.size()) == kernel.pointers, call.description);
    std::vector<qlathe_gpu_buffer>& buffers = buffers_.emplace_back();
    for (size_t i = 0; i < call.buffers.size(); i++) {
      const BufferRef& ref = call.buffers[i];
      buffers.push_back({static_cast<int32_t>(ref.space), ref.index, ref.offset, kernel.pointer_bytes[i]});
    }
    calls_.push_back({call.kernel, count(buffers.size()), buffers.data()});
  }
  for (const PackedConstant& constant : program.constants)
    constants_.push_back({constant.bytes.data(), static_cast<int64_t>(constant.bytes.size()), 0});
  for (const ProgramState& state : program.states)
    states_.push_back({state.initial.data(), static_cast<int64_t>(state.initial.size()), state.offset});
  for (const ProgramIo& io : program.inputs)
    inputs_.push_back(io.bytes);
  for (const ProgramIo& io : program.outputs)
    outputs_.push_back(io.bytes);
  device_ = device_of(*program.target);
  program_ = {device_.c_str(),       count(kernels_.size()), count(calls_.size()),  count(constants_.size()),
              count(inputs_.size()), count(outputs_.size()), count(states_.size()), kernels_.data(),
              calls_.data(),         constants_.data(),      inputs_.data(),        outputs_.data(),
              states_.data(),        program.arena_bytes,    program.state_bytes};
}

}  // namespace qlathe
