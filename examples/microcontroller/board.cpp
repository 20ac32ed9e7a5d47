// Start-up and board support without any library: vectors, memory set-up, semihosting, memcpy and memset.
#include "board.h"

extern "C" {

extern unsigned char data_load[], data_begin[], data_end[], bss_begin[], bss_end[], stack_limit[];
extern uint32_t stack_top[];

int main();
void reset_handler();

// The only two functions that emitted code asks for. The loops must not become calls of themselves.
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

}  // extern "C"

namespace {

enum { kWrite0 = 0x04, kExitExtended = 0x20, kApplicationExit = 0x20026 };

int semihosting(int operation, const void* argument) {
  register int r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

[[noreturn]] void finish(uint32_t code) {
  const uint32_t block[2] = {kApplicationExit, code};
  semihosting(kExitExtended, block);
  for (;;) {
  }
}

void fault() {
  board_print("fault\n");
  finish(2);
}

}  // namespace

using Handler = void (*)();
extern "C" __attribute__((section(".vectors"), used)) const Handler vectors[16] = {reinterpret_cast<Handler>(stack_top),
                                                                                   reset_handler,
                                                                                   fault,
                                                                                   fault,
                                                                                   fault,
                                                                                   fault,
                                                                                   fault,
                                                                                   nullptr,
                                                                                   nullptr,
                                                                                   nullptr,
                                                                                   nullptr,
                                                                                   fault,
                                                                                   fault,
                                                                                   nullptr,
                                                                                   fault,
                                                                                   fault};

extern "C" void reset_handler() {
#if defined(__ARM_FP)
  // The float unit is off after a reset.
  *reinterpret_cast<volatile uint32_t*>(0xE000ED88) |= 0xFu << 20;
  __asm__ volatile("dsb\nisb" ::: "memory");
#endif
  memcpy(data_begin, data_load, static_cast<size_t>(data_end - data_begin));
  memset(bss_begin, 0, static_cast<size_t>(bss_end - bss_begin));
  finish(static_cast<uint32_t>(main()));
}

void board_print(const char* text) { semihosting(kWrite0, text); }

void board_print(uint32_t number) {
  char digits[11];
  size_t at = sizeof digits - 1;
  digits[at] = 0;
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  board_print(digits + at);
}

// SysTick: 24 bits downwards, at 25 MHz on these boards.
void board_start_ticks() {
  volatile uint32_t* const systick = reinterpret_cast<volatile uint32_t*>(0xE000E010);
  systick[1] = 0xFFFFFF;
  systick[2] = 0;
  systick[0] = 5;
}
uint32_t board_ticks() { return 0xFFFFFF - *reinterpret_cast<volatile uint32_t*>(0xE000E018); }

// Every word has a paint of its own: a register that still holds one and is pushed is seen.
static uint32_t paint(const volatile uint32_t* at) { return ~static_cast<uint32_t>(reinterpret_cast<uintptr_t>(at)); }

__attribute__((noinline)) uint32_t board_stack_of(void (*call)(void*), void* context) {
  uint32_t* const low = reinterpret_cast<uint32_t*>(stack_limit);
  uint32_t* here;
  __asm__ volatile("mov %0, sp" : "=r"(here));
  for (volatile uint32_t* p = low; p < here; p++)
    *p = paint(p);
  call(context);
  const volatile uint32_t* p = low;
  while (p < here && *p == paint(p))
    p++;
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(here) - reinterpret_cast<uintptr_t>(p));
}
