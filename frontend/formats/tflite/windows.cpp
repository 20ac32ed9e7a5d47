#include "frontend/formats/tflite/windows.h"

#include <algorithm>

namespace qlathe {

TfliteWindow tflite_window(TfliteNode& node, tflite::Padding padding, int64_t extent, int64_t kernel, int64_t stride,
                           int64_t dilation) {
  constexpr int64_t kMax = 1 << 24;
  const auto check = [&](const char* field, int64_t value) {
    if (value < 1 || value > kMax) node.problem(field, "is " + std::to_string(value));
  };
  check("stride", stride);
  check("dilation", dilation);
  check("kernel", kernel);
  TfliteWindow out{{kernel, stride, dilation}, 0, 0};
  const int64_t reach = (kernel - 1) * dilation + 1;
  if (padding == tflite::Padding::SAME) {
    const int64_t positions = (extent + stride - 1) / stride;
    const int64_t total = std::max<int64_t>((positions - 1) * stride + reach - extent, 0);
    out.pad_lo = total / 2;
    out.pad_hi = total - out.pad_lo;
  } else if (padding != tflite::Padding::VALID) {
    node.problem("padding", "is " + std::to_string(static_cast<int>(padding)) + ", neither SAME nor VALID");
  } else if (reach > extent) {
    node.problem("kernel", "reaches over " + std::to_string(reach) + " of " + std::to_string(extent) + " elements");
  }
  return out;
}

}  // namespace qlathe
