// Two networks in one program, run at the same time from two threads, the second by two threads at once: a run needs
// nothing but memory of its own.
#include <cstdio>
#include <cstring>
#include <thread>

#include "digits.h"
#include "perceptron.h"

namespace {

const char* const kDrawing[8] = {
    "..####..",  //
    ".##..##.",  //
    ".....##.",  //
    "...###..",  //
    ".....##.",  //
    ".....##.",  //
    ".##..##.",  //
    "..####..",
};

struct Digits {
  alignas(DIGITS_ARENA_ALIGNMENT) unsigned char arena[DIGITS_ARENA_BYTES + 1];
  float image[64], scores[10];
  int failed = 0;
};

struct Perceptron {
  alignas(PERCEPTRON_ARENA_ALIGNMENT) unsigned char arena[PERCEPTRON_ARENA_BYTES + 1];
  float x[8 * 16], y[8 * 16];
  int failed = 0;
};

void classify(Digits& d) {
  for (int i = 0; i < 64; i++)
    d.image[i] = kDrawing[i / 8][i % 8] == '#' ? 1.0f : 0.0f;
  for (int run = 0; run < 1000; run++)
    d.failed |= digits_run(d.image, d.scores, d.arena);
}

void transform(Perceptron& p) {
  for (int i = 0; i < 8 * 16; i++)
    p.x[i] = static_cast<float>(i % 16) / 8.0f - 1.0f;
  for (int run = 0; run < 1000; run++)
    p.failed |= perceptron_run(p.x, p.y, p.arena);
}

}  // namespace

int main() {
  if (digits_self_test() != 0 || perceptron_self_test() != 0) {
    std::fprintf(stderr, "a model does not give its stored outputs\n");
    return 1;
  }
  static Digits digits;
  static Perceptron first, second;
  std::thread a(classify, std::ref(digits)), b(transform, std::ref(first)), c(transform, std::ref(second));
  a.join();
  b.join();
  c.join();
  int best = 0;
  for (int i = 1; i < 10; i++)
    best = digits.scores[i] > digits.scores[best] ? i : best;
  const bool same = std::memcmp(first.y, second.y, sizeof first.y) == 0;
  std::printf("the drawing is a %d; both threads give the same: %s\n", best, same ? "yes" : "no");
  std::printf("%d + %d bytes of weights\n", DIGITS_WEIGHT_BYTES, PERCEPTRON_WEIGHT_BYTES);
  return digits.failed == 0 && first.failed == 0 && second.failed == 0 && same && best == 3 ? 0 : 1;
}
