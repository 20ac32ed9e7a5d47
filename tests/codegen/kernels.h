#pragma once

#include <string>
#include <vector>

#include "schedule/kernel.h"

/// Pipelines as the lowering of ops makes them, small enough to compile by the dozen.
namespace qlathe::testing {

/// Lanes of a vector of 32-bit elements; 1: unvectorized.
struct Width {
  int lanes;
  bool vectorized() const { return lanes > 1; }
};

/// out[y][x][c] = i8(round(f32(bias + sum in[y+ky][x+kx][k*4+kr] * w) * scale) + zero): u8 * i8, tile of `pixels` by
/// all channels. in [h+2][w+2][channels], w [oc/lanes][ky][kx][k][lanes][4].
KernelPipeline conv3x3(const std::string& name, Width width, int size, int channels, int out_channels, int pixels);

/// out[m][n] = a[m][k] * b[k][n], u8 * i8, requantized to u8 by float; tile rows x columns vectors.
KernelPipeline gemm(const std::string& name, Width width, int m, int n, int k, int rows, int columns);

}  // namespace qlathe::testing
