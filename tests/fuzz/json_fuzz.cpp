// The JSON reader: an error or values, each with a position inside the text.
#include <cstdint>
#include <cstdlib>

#include "frontend/formats/json_reader.h"

namespace {

void check(const qlathe::JsonDocument& document, const qlathe::JsonValue& value) {
  if (value.offset() >= document.text.size()) std::abort();
  if (document.position(value.offset()).empty()) std::abort();
  if (value.array()) {
    for (const auto& item : *value.array())
      check(document, item);
  }
  if (value.object()) {
    for (const auto& member : *value.object()) {
      // A key begins with its quote, whatever stands in it.
      if (document.text.at(member.key_offset) != '"') std::abort();
      check(document, member.value);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto document = qlathe::parse_json("input", {data, data + size});
  if (document.ok()) check(*document, document->root);
  return 0;
}
