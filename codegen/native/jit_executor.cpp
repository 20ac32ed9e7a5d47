#include "codegen/native/jit_executor.h"

#include <cstdlib>
#include <cstring>

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
  QL_CHECK(memory != nullptr, std::to_string(rounded) + " bytes");
  std::memset(memory.get(), 0, rounded);
  return memory;
}

class JitExecutable final : public Executable {
 public:
  explicit JitExecutable(std::shared_ptr<const JitProgram> jit)
      : jit_(std::move(jit)),
        arena_(aligned_memory(jit_->arena_bytes())),
        state_(aligned_memory(jit_->program().state_bytes)) {
    reset();
  }

  Result<std::vector<HostTensor>> run(const std::vector<HostTensor>& inputs) override {
    const Program& program = jit_->program();
    if (inputs.size() != program.inputs.size()) {
      return Status::user({"", program.name, "inputs"}, "takes " + std::to_string(program.inputs.size()) +
                                                            " inputs, not " + std::to_string(inputs.size()));
    }
    std::vector<const void*> in;
    Status problems;
    for (size_t i = 0; i < inputs.size(); i++) {
      const TensorType& wanted = program.inputs[i].type;
      if (inputs[i].type() != wanted.type || inputs[i].shape() != wanted.shape) {
        problems.merge(Status::user({"", program.inputs[i].name, ""},
                                    std::string("is ") + name(wanted.type) + "[" + to_string(wanted.shape) + "], not " +
                                        name(inputs[i].type()) + "[" + to_string(inputs[i].shape()) + "]"));
      }
      in.push_back(inputs[i].bytes());
    }
    if (!problems.ok()) return problems;
    std::vector<HostTensor> outputs;
    std::vector<void*> out;
    for (const ProgramIo& io : program.outputs)
      outputs.emplace_back(io.type.type, io.type.shape);
    for (HostTensor& tensor : outputs)
      out.push_back(tensor.bytes());
    const int32_t failed = jit_->run()(in.data(), out.data(), arena_.get(), state_.get(), nullptr);
    QL_CHECK(failed == 0, std::to_string(failed));
    return outputs;
  }

  void reset() override {
    for (const ProgramState& s : jit_->program().states) {
      std::memcpy(static_cast<uint8_t*>(state_.get()) + s.offset, s.initial.data(), s.initial.size());
    }
  }

 private:
  std::shared_ptr<const JitProgram> jit_;
  AlignedMemory arena_, state_;
};

}  // namespace

Result<std::unique_ptr<Executable>> JitExecutor::prepare(const Graph& graph) {
  if (!target_.object || !host_can_run(target_)) {
    return Status::user({"", "", "--target"}, "target " + target_.name + " cannot run in this process",
                        "use host, or emit C++ for it");
  }
  QL_ASSIGN(Program program, plan_program(graph, target_));
  QL_ASSIGN(std::vector<NativeKernel> kernels, compile_kernels(program, cache_, threads_));
  QL_ASSIGN(std::shared_ptr<const JitProgram> jit,
            JitProgram::load(std::make_shared<const Program>(std::move(program)), std::move(kernels)));
  return std::unique_ptr<Executable>(std::make_unique<JitExecutable>(std::move(jit)));
}

}  // namespace qlathe
