// The ONNX reader. External data is looked for in a folder that is not there.
#include "frontend/formats/onnx/onnx.h"
#include "tests/fuzz/import_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return qlathe::expect_sound_import(qlathe::read_onnx_bytes("/nonexistent/input.onnx", {data, data + size}));
}
