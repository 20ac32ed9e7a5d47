/* Loads the library as an app does, by name at run time, and asks it for a digit: load libclassifier.so */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "classifier.h"

static const char* const drawing[8] = {"..####..", ".##..##.", ".....##.", "...###..",
                                       ".....##.", ".....##.", ".##..##.", "..####.."};

int main(int argc, char** argv) {
  unsigned char gray[64];
  float margin = 0;
  void* library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!library) {
    fprintf(stderr, "load: %s\n", argc == 2 ? dlerror() : "give the library");
    return 1;
  }
  size_t (*bytes)(void);
  classifier* (*create)(void*, size_t);
  int (*run)(classifier*, const unsigned char*, size_t, float*);
  int (*self_test)(void);
  *(void**)&bytes = dlsym(library, "classifier_bytes");
  *(void**)&create = dlsym(library, "classifier_create");
  *(void**)&run = dlsym(library, "classifier_run");
  *(void**)&self_test = dlsym(library, "classifier_self_test");
  if (!bytes || !create || !run || !self_test || dlsym(library, "digits_run")) {
    fprintf(stderr, "load: the library does not show its C API alone\n");
    return 1;
  }
  for (int i = 0; i < 64; i++)
    gray[i] = drawing[i / 8][i % 8] == '#' ? 255 : 0;
  const size_t size = (bytes() + 63) / 64 * 64;
  void* memory = aligned_alloc(64, size);
  const int digit = run(create(memory, size), gray, 8, &margin);
  const int failed = self_test();
  printf("the drawing is a %d, by %.2f; the self-test %s\n", digit, (double)margin, failed ? "fails" : "passes");
  free(memory);
  return digit == 3 && !failed ? 0 : 1;
}
