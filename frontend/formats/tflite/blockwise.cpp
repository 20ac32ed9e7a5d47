#include "frontend/formats/tflite/blockwise.h"

namespace qlathe {

std::optional<TfliteBlocks> tflite_blocks(TfliteNode& node, size_t i) {
  const tflite::Tensor& tensor = node.input(i);
  const auto* quant = tensor.quantization();
  const auto* details = quant == nullptr ? nullptr : quant->details_as_BlockwiseQuantization();
  if (details == nullptr) return std::nullopt;
  const std::string field = "quantization of " + tflite_name(tensor);
  const Shape s = tflite_shape(tensor);
  TfliteBlocks out;
  out.block = details->block_size();
  if (s.size() != 2 || out.block < 1 || s[1] % out.block != 0 || s[1] < out.block)
    node.problem(field, "has blocks of " + std::to_string(out.block) + " in a tensor of " + to_string(s));
  out.blocks = s[1] / out.block;
  const TensorId scales = node.tensor_at(details->scales(), field);
  if (node.data(scales) == nullptr || !is_float(node.type(scales).type))
    node.problem(field, "has scales that are no constant floats");
  if (element_count(node.shape(scales)) != s[0] * out.blocks) {
    node.problem(field,
                 "has scales of " + to_string(node.shape(scales)) + ", expected " + to_string(Shape{s[0], out.blocks}));
  }
  out.scales = node.cast(node.reshape(scales, {s[0], out.blocks}), ValueType::kF32);
  // Writers leave the field at -1, or at 0 where they left it out.
  if (details->zero_points() > 0) {
    const HostTensor* zeros = node.data(node.tensor_at(details->zero_points(), field));
    for (int64_t e = 0; zeros != nullptr && is_integer(zeros->type()) && e < zeros->size(); e++) {
      if (zeros->int_at(e) != 0) node.unsupported(field, "has zero points by blocks");
    }
  }
  return out;
}

}  // namespace qlathe
