#include "codegen/native/jit_executor.h"

#include "codegen/native/jit_instance.h"

namespace qlathe {
namespace {

class JitExecutable final : public Executable {
 public:
  explicit JitExecutable(std::shared_ptr<const JitProgram> jit) : instance_(std::move(jit)) {}
  Result<std::vector<HostTensor>> run(const std::vector<HostTensor>& inputs) override { return instance_.run(inputs); }
  void reset() override { instance_.reset(); }

 private:
  JitInstance instance_;
};

}  // namespace

Result<std::unique_ptr<Executable>> JitExecutor::prepare(const Graph& graph) {
  if (!target_.object || !host_can_run(target_)) {
    return Status::user({"", "", "--target"}, "target " + target_.name + " cannot run in this process",
                        "use host, or emit C++ for it");
  }
  QL_ASSIGN(Program program, plan_program(graph, target_, threads_));
  QL_ASSIGN(std::vector<NativeKernel> kernels, compile_kernels(program, cache_, threads_));
  QL_ASSIGN(std::shared_ptr<const JitProgram> jit, JitProgram::load(std::move(program), std::move(kernels), cache_));
  return std::unique_ptr<Executable>(std::make_unique<JitExecutable>(std::move(jit)));
}

}  // namespace qlathe
