// Files of the computer that emulates the board, by ARM's semihosting.
#include <stdint.h>

#include "case_io.h"

namespace {

enum { kOpen = 0x01, kClose = 0x02, kWrite = 0x05, kRead = 0x06 };
enum { kReadBinary = 1, kWriteBinary = 5 };

int semihosting(int operation, const void* argument) {
  register int r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

int open(const char* name, uint32_t mode) {
  uint32_t length = 0;
  while (name[length] != 0)
    length++;
  const uint32_t block[3] = {reinterpret_cast<uint32_t>(name), mode, length};
  return semihosting(kOpen, block);
}

int in, out;

}  // namespace

extern "C" int case_open(const char* inputs, const char* outputs) {
  in = open(inputs, kReadBinary);
  out = open(outputs, kWriteBinary);
  return in >= 0 && out >= 0;
}
// Reading and writing tell how many bytes are left.
extern "C" int case_read(void* to, size_t bytes) {
  const uint32_t block[3] = {static_cast<uint32_t>(in), reinterpret_cast<uint32_t>(to), bytes};
  return semihosting(kRead, block) == 0;
}
extern "C" int case_write(const void* from, size_t bytes) {
  const uint32_t block[3] = {static_cast<uint32_t>(out), reinterpret_cast<uint32_t>(from), bytes};
  return semihosting(kWrite, block) == 0;
}
extern "C" int case_close() {
  const uint32_t block[1] = {static_cast<uint32_t>(out)};
  return semihosting(kClose, block) == 0;
}
