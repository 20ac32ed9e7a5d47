// The TFLite reader.
#include "frontend/formats/tflite/tflite.h"
#include "tests/fuzz/import_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return qlathe::expect_sound_import(qlathe::read_tflite_bytes("input.tflite", {data, data + size}));
}
