// Files where there is an operating system.
#include <stdio.h>

#include "case_io.h"

namespace {
FILE *in, *out;
}

extern "C" int case_open(const char* inputs, const char* outputs) {
  in = fopen(inputs, "rb");
  out = fopen(outputs, "wb");
  return in != nullptr && out != nullptr;
}
extern "C" int case_read(void* to, size_t bytes) { return fread(to, 1, bytes, in) == bytes; }
extern "C" int case_write(const void* from, size_t bytes) { return fwrite(from, 1, bytes, out) == bytes; }
extern "C" int case_close() { return fclose(out) == 0; }
