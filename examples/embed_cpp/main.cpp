// Calls the emitted perceptron: one function, memory of the caller's, nothing else.
#include <cstdio>

#include "perceptron.h"

namespace {

// All that the model needs to work in; of any storage, one a thread that runs it.
alignas(PERCEPTRON_ARENA_ALIGNMENT) unsigned char arena[PERCEPTRON_ARENA_BYTES + 1];

}  // namespace

int main() {
  if (perceptron_self_test() != 0) {
    std::fprintf(stderr, "the compiled model does not give its stored outputs\n");
    return 1;
  }
  float x[8 * 16], y[8 * 16];  // [8][16] both
  for (int i = 0; i < 8 * 16; i++)
    x[i] = static_cast<float>(i % 16) / 8.0f - 1.0f;
  if (perceptron_run(x, y, arena) != 0) return 1;
  std::printf("first row of the result:");
  for (int i = 0; i < 16; i++)
    std::printf(" %.3f", static_cast<double>(y[i]));
  std::printf("\n%d bytes of weights, %d bytes of arena\n", PERCEPTRON_WEIGHT_BYTES, PERCEPTRON_ARENA_BYTES);
  return 0;
}
