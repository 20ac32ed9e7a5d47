#include "tests/cases/via.h"

#include "frontend/reference/reference_executor.h"

namespace qlathe::cases {
namespace {

class ReferenceVia : public Via {
 public:
  Executor& calibration() override { return executor_; }
  Result<Runs> run(const Graph& graph, const Runs& inputs, bool sequence, const std::string&) override {
    return run_all(executor_, graph, inputs, sequence);
  }

 private:
  ReferenceExecutor executor_;
};

}  // namespace

Result<Runs> run_all(Executor& executor, const Graph& graph, const Runs& inputs, bool sequence) {
  QL_ASSIGN(const auto executable, executor.prepare(graph));
  Runs outputs;
  for (const auto& run : inputs) {
    if (!sequence) executable->reset();
    QL_ASSIGN(auto out, executable->run(run));
    outputs.push_back(std::move(out));
  }
  return outputs;
}

Result<std::unique_ptr<Via>> make_via(const std::string& name, const std::string& target,
                                      const std::filesystem::path& folder) {
  if (name == "jit") return make_jit(target.empty() ? "host" : target, folder);
  if (!target.empty() && name != "cpp")
    return Status::user({"", "--target", ""}, "only emitted C++ and the JIT are run for another target",
                        "give --via cpp, or --via jit for a device");
  if (!target.empty()) return make_target_via(target, folder);
  if (name == "reference") return std::unique_ptr<Via>(std::make_unique<ReferenceVia>());
  if (name == "object" || name == "cpp") return make_emitted(name == "cpp", folder);
  return Status::user({"", "--via", ""}, "unknown path '" + name + "'", "use reference, jit, object or cpp");
}

}  // namespace qlathe::cases
