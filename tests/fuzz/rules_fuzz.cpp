// Rule lists, hostile patterns included: an error, or rules that can be matched with a path in bounded time.
#include <cstdint>

#include "frontend/rules/match.h"
#include "frontend/rules/rule.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qlathe;
  const auto rules = parse_rules("input", {data, data + size});
  if (!rules.ok()) return 0;
  (void)judge(*rules, "encoder/layers_0/fc1", "dot_general");
  (void)judge(*rules, "", "conv_general_dilated");
  return 0;
}
