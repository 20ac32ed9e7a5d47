#include "tests/support/random_tensor.h"

#include <cmath>

#include "frontend/numerics/convert.h"

namespace qlathe::testing {

int64_t Random::integer(int64_t lo, int64_t hi) {
  const uint64_t span = static_cast<uint64_t>(hi) - static_cast<uint64_t>(lo) + 1;
  const uint64_t drawn = engine_();
  return static_cast<int64_t>(static_cast<uint64_t>(lo) + (span == 0 ? drawn : drawn % span));
}

float Random::real(float lo, float hi) {
  const auto unit = static_cast<float>(engine_() >> 40) * 0x1p-24f;
  return lo + (hi - lo) * unit;
}

HostTensor random_integers(Random& random, ValueType type, const Shape& shape, int64_t lo, int64_t hi) {
  HostTensor out(type, shape);
  for (int64_t i = 0; i < out.size(); i++)
    out.set_int(i, random.integer(lo, hi));
  return out;
}

HostTensor random_tensor(Random& random, ValueType type, const Shape& shape, float bound) {
  if (type == ValueType::kBool || is_integer(type)) {
    return random_integers(random, type, shape, info(type).min, info(type).max);
  }
  HostTensor out(type, shape);
  for (int64_t i = 0; i < out.size(); i++) {
    const float value = random.real(-bound, bound);
    const auto at = static_cast<size_t>(i);
    if (is_code(type)) {
      int64_t code = random.integer(0, info(type).bits == 4 ? 15 : 255);
      while (!std::isfinite(decode(type, static_cast<uint8_t>(code))))
        code = random.integer(0, 255);
      out.set_int(i, code);
    } else if (type == ValueType::kF64) {
      out.as<double>()[at] = static_cast<double>(value);
    } else if (type == ValueType::kF32) {
      out.as<float>()[at] = value;
    } else {
      out.as<uint16_t>()[at] = type == ValueType::kBF16 ? f32_to_bf16(value) : f32_to_f16(value);
    }
  }
  return out;
}

std::vector<HostTensor> random_inputs(Random& random, const Graph& graph, float bound) {
  std::vector<HostTensor> out;
  for (TensorId id : graph.inputs)
    out.push_back(random_tensor(random, graph[id].type.type, graph[id].type.shape, bound));
  return out;
}

}  // namespace qlathe::testing
