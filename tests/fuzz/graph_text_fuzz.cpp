// The parser of the text form: an error, or a graph whose print reads back as the same text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "frontend/ir/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qlathe;
  // Stands for every array file: zeros, where they are few.
  const ArrayLookup zeros = [](const std::string&, const std::string&, const TensorType& type) -> Result<HostTensor> {
    if (element_count(type.shape) > 1 << 16) return Status::user({}, "is not there");
    return HostTensor(type.type, type.shape);
  };
  const auto graph = parse_graph("input", {reinterpret_cast<const char*>(data), size}, zeros);
  if (!graph.ok()) {
    if (graph.status().text().empty()) std::abort();
    return 0;
  }
  const std::string once = print_graph(*graph, {.array_file = "a.npz"}).text;
  const auto again = parse_graph("printed", once, zeros);
  if (!again.ok() || print_graph(*again, {.array_file = "a.npz"}).text != once) std::abort();
  return 0;
}
