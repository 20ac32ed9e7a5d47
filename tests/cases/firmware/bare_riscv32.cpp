// A program for qemu-riscv32 without any library: where it starts, the two functions that emitted code asks for, and
// files by the system calls that qemu's user mode passes on.
#include <stddef.h>
#include <stdint.h>

#include "case_io.h"

extern "C" int main();

namespace {

enum { kOpenAt = 56, kRead = 63, kWrite = 64, kExit = 93 };
enum { kHere = -100, kReadOnly = 0, kWriteCreateTruncate = 01 | 0100 | 01000 };

int call(int number, int a, int b, int c, int d) {
  register int a0 __asm__("a0") = a;
  register int a1 __asm__("a1") = b;
  register int a2 __asm__("a2") = c;
  register int a3 __asm__("a3") = d;
  register int a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a7) : "memory");
  return a0;
}
int address(const void* p) { return static_cast<int>(reinterpret_cast<uintptr_t>(p)); }

int in, out;

// Files give and take less than asked for where they like.
int move_all(int number, int file, const unsigned char* at, size_t bytes) {
  while (bytes > 0) {
    const int moved = call(number, file, address(at), static_cast<int>(bytes), 0);
    if (moved <= 0) return 0;
    at += moved;
    bytes -= static_cast<size_t>(moved);
  }
  return 1;
}

}  // namespace

extern "C" {

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void* memcpy(void* to, const void* from, size_t bytes) {
  unsigned char* t = static_cast<unsigned char*>(to);
  const unsigned char* f = static_cast<const unsigned char*>(from);
  for (size_t i = 0; i < bytes; i++)
    t[i] = f[i];
  return to;
}
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void* memset(void* to, int value, size_t bytes) {
  unsigned char* t = static_cast<unsigned char*>(to);
  for (size_t i = 0; i < bytes; i++)
    t[i] = static_cast<unsigned char>(value);
  return to;
}

[[noreturn]] void run_main() {
  call(kExit, main(), 0, 0, 0);
  for (;;) {
  }
}

// The linker addresses small data by gp.
__asm__(
    ".globl _start\n_start:\n"
    ".option push\n.option norelax\nla gp, __global_pointer$\n.option pop\n"
    "andi sp, sp, -16\nj run_main\n");

int case_open(const char* inputs, const char* outputs) {
  in = call(kOpenAt, kHere, address(inputs), kReadOnly, 0);
  out = call(kOpenAt, kHere, address(outputs), kWriteCreateTruncate, 0644);
  return in >= 0 && out >= 0;
}
int case_read(void* to, size_t bytes) { return move_all(kRead, in, static_cast<unsigned char*>(to), bytes); }
int case_write(const void* from, size_t bytes) {
  return move_all(kWrite, out, static_cast<const unsigned char*>(from), bytes);
}
int case_close() { return 1; }

}  // extern "C"
