#pragma once
#include "frontend/ir/tensor.h"
#include "frontend/numerics/brevitas_quantizer.h"

namespace qlathe::brevitas {

/// A quantized tensor. Element i of an axis uses the scale and zero point of index i / tile on that axis.
struct Quantized {
  HostTensor integers;     ///< int32, as QuantTensor.int() gives them (minifloats: signed mantissas)
  HostTensor values;       ///< float32: what is stored, in units of the scale (minifloats: their values)
  HostTensor dequantized;  ///< float32
  HostTensor scale;        ///< float32; a scalar, or one extent per axis: ceil(shape / tile)
  HostTensor zero_point;   ///< float32, of scale's shape, or a scalar 0; fractional where the quantizer says so
  Shape tile;              ///< one extent per axis
};

struct WeightLayout {
  /// Axis of the output channels in Brevitas' order: 0, or 1 for transposed convolutions. Groups run along the other
  /// one of the first two axes.
  int channel_axis = 0;
};

/// Quantizes a float32 weight [out, in, spatial...] (linear: [out, in]). Not finite: a user error.
Result<Quantized> quantize_weight(const HostTensor& weight, const Quantizer& quantizer, WeightLayout layout = {});

/// Quantizes a float32 bias [out]. `accumulator_scale` (a scalar or [out]) is input scale * weight scale, for the
/// quantizers that take their scale from it.
Result<Quantized> quantize_bias(const HostTensor& bias, const Quantizer& quantizer,
                                const HostTensor* accumulator_scale);

/// The narrowest value type that holds the quantizer's numbers; unsupported for minifloats beyond the OCP formats.
Result<ValueType> storage_type(const Quantizer& quantizer);
/// `values` in the storage type: integers, or float8 codes.
Result<HostTensor> stored_values(const Quantized& quantized, const Quantizer& quantizer);

}  // namespace qlathe::brevitas
