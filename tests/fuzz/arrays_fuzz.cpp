// .npy, .npz and .safetensors by content: an error or values, never more memory than the limits allow.
#include <cstdint>
#include <cstdlib>

#include "frontend/formats/arrays/array_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qlathe;
  const ArrayLimits limits{.max_unpacked_array = 1 << 20, .max_unpacked_file = 4 << 20};
  auto file = open_arrays(memory_source("input", {data, data + size}), limits);
  if (!file.ok()) {
    if (file.status().text().empty()) std::abort();
    return 0;
  }
  for (const ArrayInfo& array : (*file)->arrays()) {
    const auto tensor = (*file)->read(array.name);
    if (tensor.ok() && (tensor->shape() != array.shape || tensor->type() != array.type)) std::abort();
  }
  return 0;
}
