// The kernels of cases as printed C++: one file for all, compiled by g++ with the target's flags.
#include <dlfcn.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "codegen/cpp/printer.h"
#include "schedule/kernel.h"
#include "schedule/target.h"
#include "tests/lowering/lowering_cases.h"

namespace qlathe::testing {
namespace {

/// A function with C linkage that takes untyped pointers, as LoadedKernel calls it.
std::string entry(const LoweredKernel& kernel) {
  std::string parameters, arguments;
  for (size_t i = 0; i + 2 < kernel.parameters().size(); i++) {
    parameters += "void* p" + std::to_string(i) + ", ";
    arguments += ", p" + std::to_string(i);
  }
  return "extern \"C\" int call_" + kernel.name() + "(" + parameters +
         "int begin, int end) {\n  return call(&qlathe_rt::" + kernel.name() + arguments + ", begin, end);\n}\n";
}

}  // namespace

Result<std::vector<LoadedNode>> load_printed(const std::vector<NodeCase>& cases, const Target& target) {
  std::vector<LoadedNode> out;
  std::ostringstream kernels, entries;
  Status problems;
  int count = 0;
  PrintOptions options;
  options.scalar_only = !target.vectorize;
  for (const NodeCase& node_case : cases) {
    const Node& node = node_case.graph.nodes.back();
    QL_ASSIGN(NodeLowering lowering, (*LoweringRegistry::find(node.op))({node_case.graph, node, target}));
    LoadedNode loaded{std::move(lowering), {}};
    for (const LoweredCall& call : loaded.lowering.calls) {
      QL_ASSIGN(const LoweredKernel kernel, lower_kernel(*call.pipeline, target.halide));
      loaded.kernels.emplace_back(nullptr, kernel.renamed("k" + std::to_string(count++)));
      auto text = print_kernel(loaded.kernels.back().kernel(), options);
      if (!text.ok()) {
        problems.merge(Status(text.status()).at({"", node_case.label, ""}));
        continue;
      }
      kernels << *text << "\n";
      entries << entry(loaded.kernels.back().kernel());
    }
    out.push_back(std::move(loaded));
  }
  if (!problems.ok()) return problems;
  char directory[] = "/tmp/qlathe-printed-XXXXXX";
  QL_CHECK(mkdtemp(directory) != nullptr, directory);
  const std::string base = directory;
  std::ofstream(base + "/unit.cpp")
      << "#include \"qlathe_runtime.h\"\nnamespace qlathe_rt {\nnamespace {\n"
      << kernels.str() << "}\n}\n"
      << "template <class P> P as(void* p) { return static_cast<P>(p); }\ntemplate <class P> P as(int v) { return v; "
         "}\n"
      << "template <class... P, class... A> int call(void (*f)(P...), A... a) { f(as<P>(a)...); return 0; }\n"
      << entries.str();
  std::string command = "g++ -std=c++11 -O1 -Wall -Wextra -Werror -shared -fPIC -I" QLATHE_SOURCE_DIR "/runtime";
  for (const std::string& flag : target.gcc_flags)
    command += " " + flag;
  command += " -o " + base + "/unit.so " + base + "/unit.cpp 2> " + base + "/messages";
  if (std::system(command.c_str()) != 0) {
    std::ifstream messages(base + "/messages");
    std::ostringstream text;
    text << messages.rdbuf();
    return Status::internal(command + "\n" + text.str().substr(0, 3000));
  }
  void* library = dlopen((base + "/unit.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  QL_CHECK(library != nullptr, dlerror());
  std::filesystem::remove_all(base);
  for (LoadedNode& loaded : out) {
    for (LoadedKernel& kernel : loaded.kernels) {
      void* function = dlsym(library, ("call_" + kernel.kernel().name()).c_str());
      QL_CHECK(function != nullptr, kernel.kernel().name());
      kernel = LoadedKernel(function, kernel.kernel());
    }
  }
  return out;
}

}  // namespace qlathe::testing
