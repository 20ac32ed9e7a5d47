#include "tests/cases/via.h"

#include "frontend/reference/reference_executor.h"

namespace qlathe::cases {
namespace {

class ReferenceVia : public Via {
 public:
  Executor& calibration() override { return executor_; }
  Result<std::vector<HostTensor>> run(const Graph& graph, const std::vector<HostTensor>& inputs,
                                      const std::string&) override {
    return run_reference(graph, inputs);
  }

 private:
  ReferenceExecutor executor_;
};

}  // namespace

Result<std::unique_ptr<Via>> make_via(const std::string& name, const std::filesystem::path& folder) {
  if (name == "reference") return std::unique_ptr<Via>(std::make_unique<ReferenceVia>());
  if (name == "jit") return make_jit(folder);
  if (name == "object" || name == "cpp") return make_emitted(name == "cpp", folder);
  return Status::user({"", "--via", ""}, "unknown path '" + name + "'", "use reference, jit, object or cpp");
}

}  // namespace qlathe::cases
