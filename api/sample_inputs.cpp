#include "api/sample_inputs.h"

#include "api/layers.h"
#include "api/pipeline.h"
#include "codegen/native/jit_executor.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe {
namespace {

/// The scalar reference does some 10^8 multiply-accumulates a second.
constexpr int64_t kReferenceMacs = 100'000'000;

/// splitmix64 (Steele, Lea, Flood 2014).
uint64_t next(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

std::vector<HostTensor> sample_inputs(const Graph& graph, uint64_t seed) {
  std::vector<HostTensor> inputs;
  uint64_t state = seed;
  for (const TensorId id : graph.inputs) {
    HostTensor tensor(graph[id].type.type, graph[id].shape());
    const ValueTypeInfo& type = info(tensor.type());
    for (int64_t i = 0; i < tensor.size(); i++) {
      const uint64_t bits = next(state);
      const auto at = static_cast<size_t>(i);
      const float unit = static_cast<float>(static_cast<int64_t>(bits >> 40) - (1 << 23)) / 8388608.0f;
      uint32_t word;
      std::memcpy(&word, &unit, sizeof word);
      switch (tensor.type()) {
        case ValueType::kF32:
          tensor.as<float>()[at] = unit;
          break;
        case ValueType::kF64:
          tensor.as<double>()[at] = unit;
          break;
        case ValueType::kBF16:
          tensor.as<uint16_t>()[at] = static_cast<uint16_t>(word >> 16);
          break;
        case ValueType::kF16:  // exponents of 2^-14 to just below 1, either sign
          tensor.as<uint16_t>()[at] = static_cast<uint16_t>((bits & 0x83ff) | ((1 + (bits >> 20) % 14) << 10));
          break;
        case ValueType::kBool:
        case ValueType::kI64:
          tensor.set_int(i, static_cast<int64_t>(bits >> 63));
          break;
        default:
          if (type.cls == ValueClass::kFloat) {
            tensor.bytes()[at] = static_cast<uint8_t>(bits & 0xbf);  // float8: small, no NaN
          } else {
            const auto range = static_cast<uint64_t>(type.max - type.min) + 1;
            tensor.set_int(i, type.min + static_cast<int64_t>((bits >> 16) % range));
          }
      }
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

Result<std::vector<HostTensor>> sample_outputs(const Graph& graph, const std::vector<HostTensor>& inputs) {
  if (total_macs(graph) <= kReferenceMacs) return run_reference(graph, inputs);
  JitExecutor jit;
  CompilingExecutor executor(jit);
  QL_ASSIGN(const std::unique_ptr<Executable> executable, executor.prepare(graph));
  return executable->run(inputs);
}

}  // namespace qlathe
