#pragma once
#include "frontend/formats/tflite/node.h"

namespace qlathe {

/// How float activations become integers while a dynamic-range model runs.
struct DynamicRange {
  /// Symmetric: [-127, 127] by the largest size. Asymmetric: [-128, 127] with a zero point.
  enum class Form { kSymmetric, kAsymmetric };
  Form form = Form::kSymmetric;
  /// So many leading axes have a scale each for every index; the rest shares one.
  int64_t rows = 1;
  /// LiteRT's reference BATCH_MATMUL with several batch axes finds the row's scale at the sum of the batch indices
  /// times the number of rows.
  bool sums_indices = false;
};

struct DynamicallyQuantized {
  TensorId values;      ///< int8, of x's shape
  TensorId scale;       ///< float32, [rows.., 1..]
  TensorId zero_point;  ///< int8, of the scale's shape; kNone where symmetric
};

/// PortableSymmetricQuantizeFloats and PortableAsymmetricQuantizeFloats of LiteRT's portable_tensor_utils, whose scale
/// of the asymmetric form is computed in float64 there and in float32 here.
DynamicallyQuantized tflite_dynamic_quantize(TfliteNode& node, TensorId x, const DynamicRange& range);

}  // namespace qlathe
