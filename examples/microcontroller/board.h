// What the example needs of a board: output and the end of the program by semihosting, a counter, a painted stack.
#pragma once

#include <stddef.h>
#include <stdint.h>

void board_print(const char* text);
void board_print(uint32_t number);

/// Starts the counter, reads it: one tick is 40 ns of qemu's clock, which with -icount shift=0 is 40 instructions.
void board_start_ticks();
uint32_t board_ticks();

/// Bytes of stack that call(context) takes, its own frame included, by painting what is below and looking afterwards.
uint32_t board_stack_of(void (*call)(void*), void* context);
