// The ONNX reader: an error or a graph that verify() accepts. External data is looked for in a folder that is not
// there.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "frontend/formats/onnx/onnx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qlathe;
  const auto graph = read_onnx_bytes("/nonexistent/input.onnx", {data, data + size});
  if (!graph.ok()) return 0;
  if (const Status broken = verify(*graph); !broken.ok()) {
    std::fprintf(stderr, "%s\n", broken.text().c_str());
    std::abort();
  }
  return 0;
}
