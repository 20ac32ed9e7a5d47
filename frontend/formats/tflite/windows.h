#pragma once
#include <vector>

#include "frontend/formats/tflite/node.h"
#include "frontend/ops/contraction.h"

namespace qlathe {

/// One spatial axis of a convolution or pooling: window and padding.
struct TfliteWindow {
  Window window;
  int64_t pad_lo = 0, pad_hi = 0;
};

/// SAME pads so that every stride begins a window, the odd element at the end; VALID pads nothing. Extents outside of
/// what a file can mean are problems.
TfliteWindow tflite_window(TfliteNode& node, tflite::Padding padding, int64_t extent, int64_t kernel, int64_t stride,
                           int64_t dilation = 1);

}  // namespace qlathe
