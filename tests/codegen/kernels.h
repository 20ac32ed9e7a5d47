#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "schedule/kernel.h"

/// Pipelines as the lowering of ops makes them, small enough to compile by the dozen.
namespace qlathe::testing {

/// Lanes of a vector of 32-bit elements; 1: unvectorized.
struct Width {
  int lanes;
  bool vectorized() const { return lanes > 1; }
  int of(int bits) const { return vectorized() ? lanes * 32 / bits : 1; }
};

/// What a test puts into an input.
enum class Fill {
  kAny,    ///< integers: all values, extremes often; floats: small multiples of 1/4, so that ties occur
  kScale,  ///< floats between 2^-14 and 2^-9
  kSmall,  ///< integers in [-100, 100] ([0, 200])
  kIndex,  ///< integers in [0, 64)
  kBits,   ///< floats: any finite value, also those carried as 16 bits
};

struct TestKernel {
  KernelPipeline pipeline;
  std::map<std::string, Fill> fills;      ///< by input name; kAny otherwise
  std::vector<int32_t> scalars = {};      ///< values of the scalar arguments
  std::vector<std::string> printed = {};  ///< what the text for vectors must contain
};

using TestKernels = std::vector<TestKernel>;

/// out[y][x][c] = i8(round(f32(bias + sum in[y+ky][x+kx][k*4+kr] * w) * scale) + zero): u8 * i8, tile of `pixels` by
/// all channels. in [h+2][w+2][channels], w [oc/lanes][ky][kx][k][lanes][4].
KernelPipeline conv3x3(const std::string& name, Width width, int size, int channels, int out_channels, int pixels);

/// out[m][n] = a[m][k] * b[k][n], u8 * i8, requantized to u8 by float; tile rows x columns vectors.
KernelPipeline gemm(const std::string& name, Width width, int m, int n, int k, int rows, int columns);

/// out[y][x][c] = i8(round(sum in * w * scale)), 3x3, one filter a channel, strips of `pixels`.
KernelPipeline depthwise3x3(const std::string& name, Width width, int size, int channels, int pixels);

/// Everything: contractions, elementwise, tails, tables, reductions, floats, movement.
TestKernels contraction_kernels(Width width);
TestKernels elementwise_kernels(Width width);
TestKernels float_kernels(Width width);
TestKernels movement_kernels(Width width);
TestKernels lane_kernels(Width width);
TestKernels all_kernels(Width width);

}  // namespace qlathe::testing
