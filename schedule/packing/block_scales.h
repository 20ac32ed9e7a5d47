#pragma once
/// Scales and multipliers of the blocks of a constant right operand, in the order in which the kernel reads its
/// weights.
#include "frontend/ir/tensor.h"
#include "schedule/lower/contraction_shape.h"
#include "schedule/tiling/contraction_tile.h"

namespace qlathe {

/// values: [blocks, B', .., G', N'], an extent of 1 standing for all. Result [slice][chunk][block][channel of the
/// chunk]: rows of all channels are a page apart in large layers, one miss each.
PackedConstant pack_block_scales(const HostTensor& values, const ContractionShape& shape, const ContractionTile& tile,
                                 int64_t blocks);

}  // namespace qlathe
