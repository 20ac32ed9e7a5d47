// Firmware around the digits network: checks it, classifies a drawing, says what it needs. Exit status 0: all is well.
#include "board.h"
#include "digits.h"

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

float image[64], scores[10];
alignas(DIGITS_ARENA_ALIGNMENT) unsigned char arena[DIGITS_ARENA_BYTES + 1];
int refused;

void classify(void*) { refused = digits_run(image, scores, arena); }

// What a call costs by itself: subtracted, the stack of digits_run alone is left.
__attribute__((noipa)) int nothing(const float*, float*, void*) { return 0; }
void call_nothing(void*) { refused = nothing(image, scores, arena); }

void line(const char* what, uint32_t number, const char* unit) {
  board_print(what);
  board_print(number);
  board_print(unit);
}

}  // namespace

int main() {
  const int failed = digits_self_test();
  board_print(failed == 0 ? "self-test passes\n" : "SELF-TEST FAILS\n");
  for (int i = 0; i < 64; i++)
    image[i] = kDrawing[i / 8][i % 8] == '#' ? 1.0f : 0.0f;
  const uint32_t stack = board_stack_of(classify, nullptr) - board_stack_of(call_nothing, nullptr);
  board_start_ticks();
  classify(nullptr);
  const uint32_t ticks = board_ticks();
  int best = 0;
  for (int i = 1; i < 10; i++)
    best = scores[i] > scores[best] ? i : best;
  line("the drawing is a ", static_cast<uint32_t>(best), "\n");
  line("instructions: ", ticks * 40, "\n");
  line("arena bytes: ", DIGITS_ARENA_BYTES, "\n");
  line("stack bytes, painted: ", stack, "\n");
#if defined(DIGITS_STACK_BYTES)
  line("stack bytes, stated: ", DIGITS_STACK_BYTES, "\n");
  if (stack > DIGITS_STACK_BYTES) {
    board_print("MORE STACK THAN STATED\n");
    return 1;
  }
#endif
  return failed != 0 || refused != 0 || best != 3 ? 1 : 0;
}
