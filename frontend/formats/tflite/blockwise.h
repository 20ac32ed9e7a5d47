#pragma once
#include "frontend/formats/tflite/node.h"

namespace qlathe {

/// Scales by blocks of the last axis of a constant of two axes (BlockwiseQuantization).
struct TfliteBlocks {
  TensorId scales;  ///< float32 [rows, blocks]
  int64_t block = 0, blocks = 0;
};

/// Of operand i; nothing where it has no scales by blocks, a problem where they do not fit it.
std::optional<TfliteBlocks> tflite_blocks(TfliteNode& node, size_t i);

}  // namespace qlathe
