#include "classifier.h"

#include <stdint.h>

#include "digits.h"

struct classifier {
  alignas(64) unsigned char arena[DIGITS_ARENA_BYTES + 1];
  float image[64], scores[10];
};
static_assert(DIGITS_ARENA_ALIGNMENT <= 64, "memory of 64 bytes' alignment does");

extern "C" size_t classifier_bytes(void) { return sizeof(classifier); }

extern "C" classifier* classifier_create(void* memory, size_t bytes) {
  if (memory == nullptr || bytes < sizeof(classifier) || reinterpret_cast<uintptr_t>(memory) % 64 != 0) return nullptr;
  return static_cast<classifier*>(memory);
}

extern "C" int classifier_run(classifier* c, const unsigned char* gray, size_t stride, float* margin) {
  if (c == nullptr || gray == nullptr) return -1;
  for (size_t i = 0; i < 64; i++)
    c->image[i] = static_cast<float>(gray[i / 8 * stride + i % 8]) / 255.0f;
  if (digits_run(c->image, c->scores, c->arena) != 0) return -1;
  int best = 0, next = 1;
  for (int i = 1; i < 10; i++) {
    if (c->scores[i] > c->scores[best]) {
      next = best;
      best = i;
    } else if (i != next && c->scores[i] > c->scores[next]) {
      next = i;
    }
  }
  if (margin != nullptr) *margin = c->scores[best] - c->scores[next];
  return best;
}

extern "C" int classifier_self_test(void) { return digits_self_test(); }
