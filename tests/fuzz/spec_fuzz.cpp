// The spec reader with a few weights in memory (no file is opened): an error or a graph that verify() accepts and whose
// text form reads back.
#include <cstdint>
#include <cstdlib>

#include "frontend/formats/spec/spec.h"
#include "frontend/ir/text.h"

namespace {

const qlathe::MemoryWeights& weights() {
  using qlathe::HostTensor;
  using qlathe::ValueType;
  static const qlathe::MemoryWeights kWeights({
      {"fc/kernel", HostTensor(ValueType::kF32, {4, 3})},
      {"fc/bias", HostTensor(ValueType::kF32, {3})},
      {"q/kernel.qvalue", HostTensor(ValueType::kI8, {4, 3})},
      {"q/kernel.scale", HostTensor(ValueType::kF32, {2, 3})},
      {"i/kernel", HostTensor(ValueType::kI8, {4, 3})},
      {"c/kernel", HostTensor(ValueType::kF32, {3, 3, 2, 4})},
      {"n/mean", HostTensor(ValueType::kF32, {4})},
      {"n/var", HostTensor(ValueType::kF32, {4})},
  });
  return kWeights;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qlathe;
  auto parsed = parse_json("input", {data, data + size});
  if (!parsed.ok()) return 0;
  auto document = std::make_shared<const JsonDocument>(*std::move(parsed));
  auto model = read_spec_model(document, document->root, weights(), {.input_types = {}, .allow_unused_weights = true});
  if (!model.ok()) return 0;
  const GraphText text = print_graph(model->graph);
  const auto again = parse_graph(
      "printed", text.text, [&](const std::string&, const std::string& name, const TensorType&) -> Result<HostTensor> {
        return *text.arrays.at(name);
      });
  if (!again.ok() || print_graph(*again).text != text.text) std::abort();
  return 0;
}
