// Runs an emitted digits model (its header found by -I) over images in an .npy file, and times it.
//
//   evaluate IMAGES.npy SCORES.bin     writes [n][10] floats, prints "min_us median_us weight_bytes arena_bytes"
//
// The same file serves the C++ sources and the static library: their header is the same.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "digits.h"

namespace {

const size_t kPixels = 64, kClasses = 10;

/// The data of a float32 .npy file of version 1.
std::vector<float> read_images(const char* path) {
  std::vector<float> out;
  FILE* const file = std::fopen(path, "rb");
  if (file == nullptr) return out;
  unsigned char start[10];
  if (std::fread(start, 1, 10, file) == 10 && std::memcmp(start, "\x93NUMPY\x01", 7) == 0 &&
      std::fseek(file, 10 + start[8] + 256 * start[9], SEEK_SET) == 0) {
    float image[kPixels];
    while (std::fread(image, sizeof image, 1, file) == 1)
      out.insert(out.end(), image, image + kPixels);
  }
  std::fclose(file);
  return out;
}

alignas(DIGITS_ARENA_ALIGNMENT) unsigned char arena[DIGITS_ARENA_BYTES + 1];

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s IMAGES.npy SCORES.bin\n", argv[0]);
    return 2;
  }
  const std::vector<float> images = read_images(argv[1]);
  const size_t count = images.size() / kPixels;
  if (count == 0) {
    std::fprintf(stderr, "%s: no images of 8x8 float32\n", argv[1]);
    return 1;
  }
  if (digits_self_test() != 0) {
    std::fprintf(stderr, "the self-test fails\n");
    return 1;
  }
  std::vector<float> scores(count * kClasses);
  std::vector<double> microseconds;
  for (int round = 0; round < 20; round++) {
    for (size_t i = 0; i < count; i++) {
      const auto start = std::chrono::steady_clock::now();
      const int refused = digits_run(&images[i * kPixels], &scores[i * kClasses], arena);
      const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
      if (refused != 0) return 1;
      microseconds.push_back(took.count());
    }
  }
  std::sort(microseconds.begin(), microseconds.end());
  FILE* const out = std::fopen(argv[2], "wb");
  const bool written = out != nullptr && std::fwrite(scores.data(), sizeof(float), scores.size(), out) == scores.size();
  if (out == nullptr || std::fclose(out) != 0 || !written) {
    std::fprintf(stderr, "%s: cannot be written\n", argv[2]);
    return 1;
  }
  std::printf("%.2f %.2f %d %d\n", microseconds[0], microseconds[microseconds.size() / 2], DIGITS_WEIGHT_BYTES,
              DIGITS_ARENA_BYTES);
  return 0;
}
