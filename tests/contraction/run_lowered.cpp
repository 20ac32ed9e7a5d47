#include "tests/contraction/run_lowered.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "codegen/halide/object.h"
#include "schedule/kernel.h"

namespace qlathe::testing {
namespace {

template <size_t... I>
int call_with(void* function, void* const* p, int32_t begin, int32_t end, std::index_sequence<I...>) {
  using Pointer = int (*)(decltype(static_cast<void>(I), static_cast<void*>(nullptr))..., int32_t, int32_t);
  return reinterpret_cast<Pointer>(function)(p[I]..., begin, end);
}

template <size_t N = 1>
int call_n(void* function, const std::vector<void*>& p, int32_t begin, int32_t end) {
  if constexpr (N > 16) {
    return -1;
  } else {
    if (p.size() == N) return call_with(function, p.data(), begin, end, std::make_index_sequence<N>());
    return call_n<N + 1>(function, p, begin, end);
  }
}

}  // namespace

void LoadedKernel::run(const std::vector<void*>& buffers, void* scratch, int32_t row_begin, int32_t row_end) const {
  std::vector<void*> all = buffers;
  if (kernel_.scratch_bytes() > 0) all.push_back(scratch);
  QL_CHECK(call_n(function_, all, row_begin, row_end) == 0, kernel_.name());
}

Result<std::vector<LoadedNode>> load_nodes(const std::vector<NodeCase>& cases, const Target& target) {
  std::vector<LoadedNode> out;
  std::vector<LoweredKernel> kernels;
  for (const NodeCase& node_case : cases) {
    const Node& node = node_case.graph.nodes.back();
    const auto* lower = LoweringRegistry::find(node.op);
    if (lower == nullptr) return Status::internal("no lowering of " + node.op);
    auto lowering = (*lower)({node_case.graph, node, target});
    if (!lowering.ok()) return lowering.status().at({"", node_case.label, ""});
    LoadedNode loaded{std::move(lowering).value(), {}};
    for (const LoweredCall& call : loaded.lowering.calls) {
      auto kernel = lower_kernel(*call.pipeline, target.halide);
      if (!kernel.ok()) return kernel.status().at({node_case.label, "", ""});
      kernels.push_back(kernel->renamed("k" + std::to_string(kernels.size())));
      loaded.kernels.emplace_back(nullptr, kernels.back());
    }
    out.push_back(std::move(loaded));
  }
  QL_ASSIGN(const std::vector<uint8_t> object, compile_object(kernels, "unit"));
  char directory[] = "/tmp/qlathe-contraction-XXXXXX";
  QL_CHECK(mkdtemp(directory) != nullptr, directory);
  const std::string base = directory;
  std::ofstream(base + "/unit.o", std::ios::binary)
      .write(reinterpret_cast<const char*>(object.data()), static_cast<std::streamsize>(object.size()));
  const std::string command = "c++ -shared -o " + base + "/unit.so " + base + "/unit.o";
  QL_CHECK(std::system(command.c_str()) == 0, command);
  void* library = dlopen((base + "/unit.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  QL_CHECK(library != nullptr, dlerror());
  std::filesystem::remove_all(base);
  for (LoadedNode& loaded : out) {
    for (LoadedKernel& kernel : loaded.kernels) {
      void* function = dlsym(library, kernel.kernel().name().c_str());
      QL_CHECK(function != nullptr, kernel.kernel().name());
      kernel = LoadedKernel(function, kernel.kernel());
    }
  }
  return out;
}

BoundNode::BoundNode(const NodeCase& node_case, const LoadedNode& loaded) : loaded_(loaded) {
  const Graph& graph = node_case.graph;
  std::map<TensorId, uint8_t*> tensors;
  const auto place = [&](TensorId id, const HostTensor& value) {
    memory_.emplace_back(value.byte_size());
    std::memcpy(memory_.back().data(), value.bytes(), value.byte_size());
    tensors[id] = memory_.back().data();
  };
  for (size_t i = 0; i < graph.inputs.size(); i++)
    place(graph.inputs[i], node_case.inputs[i]);
  for (size_t i = 0; i < graph.tensors.size(); i++) {
    const TensorId id{static_cast<int32_t>(i)};
    if (graph[id].is_constant()) place(id, *graph[id].data);
  }
  const TensorId result = graph.nodes.back().outputs[0];
  result_ = HostTensor(graph[result].type.type, graph[result].shape());
  std::memset(result_.bytes(), 0xA5, result_.byte_size());
  place(result, result_);
  result_memory_ = tensors[result];
  std::vector<uint8_t*> constants, temporaries;
  // Kernels are promised 64 bytes of alignment for these.
  for (const PackedConstant& constant : loaded.lowering.constants) {
    memory_.emplace_back((constant.bytes.size() + 63) / 64 * 64);
    std::memcpy(memory_.back().data(), constant.bytes.data(), constant.bytes.size());
    constants.push_back(memory_.back().data());
  }
  for (const TemporaryBuffer& temporary : loaded.lowering.temporaries) {
    memory_.emplace_back(static_cast<size_t>((temporary.bytes + 63) / 64 * 64));
    temporaries.push_back(memory_.back().data());
  }
  for (size_t c = 0; c < loaded.kernels.size(); c++) {
    buffers_.emplace_back();
    for (const KernelOperand& operand : loaded.lowering.calls[c].operands) {
      const auto index = static_cast<size_t>(operand.index);
      uint8_t* buffer = operand.kind == KernelOperand::Kind::kTensor     ? tensors.at(operand.tensor)
                        : operand.kind == KernelOperand::Kind::kConstant ? constants[index]
                                                                         : temporaries[index];
      buffers_.back().push_back(buffer + operand.offset);
    }
    memory_.emplace_back(static_cast<size_t>((loaded.kernels[c].kernel().scratch_bytes() + 63) / 64 * 64));
    scratch_.push_back(memory_.back().data());
  }
}

void BoundNode::run() const {
  for (size_t c = 0; c < loaded_.kernels.size(); c++)
    loaded_.kernels[c].run(buffers_[c], scratch_[c], 0, loaded_.kernels[c].kernel().row_extent());
}

void BoundNode::run_in_parts() const {
  for (size_t c = 0; c < loaded_.kernels.size(); c++) {
    const int32_t rows = loaded_.kernels[c].kernel().row_extent(), half = rows / 2;
    if (half > 0) loaded_.kernels[c].run(buffers_[c], scratch_[c], half, rows);
    loaded_.kernels[c].run(buffers_[c], scratch_[c], 0, half > 0 ? half : rows);
  }
}

HostTensor BoundNode::result() const {
  HostTensor out = result_;
  std::memcpy(out.bytes(), result_memory_, out.byte_size());
  return out;
}

Result<std::vector<HostTensor>> run_as_object(const std::vector<NodeCase>& cases, const Target& target) {
  QL_ASSIGN(const std::vector<LoadedNode> loaded, load_nodes(cases, target));
  return results_in_parts(cases, loaded);
}

std::vector<HostTensor> results_in_parts(const std::vector<NodeCase>& cases, const std::vector<LoadedNode>& loaded) {
  std::vector<HostTensor> out;
  for (size_t i = 0; i < cases.size(); i++) {
    const BoundNode bound(cases[i], loaded[i]);
    bound.run_in_parts();
    out.push_back(bound.result());
  }
  return out;
}

}  // namespace qlathe::testing
