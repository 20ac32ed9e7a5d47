#!/usr/bin/env bash
# What a model takes on a microcontroller: compiles it, runs its self-test as firmware in an emulator that counts instructions:
#   examples/microcontroller/count.sh TARGET MODEL [options of qlathe compile]
# Prints bytes of code, constants, arena and stack, and the instructions of one run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${QLATHE_BUILD_DIR:-$here/../../build}
target=$1 model=$2
shift 2
case $target in
  cortex-m0) board=mps2-an385 ram=0x21000000 ;;
  cortex-m4) board=mps2-an386 ram=0x21000000 ;;
  cortex-m7) board=mps2-an500 ram=0x60000000 ;;
  *) echo "count.sh: error: no board for target '$target'" >&2; exit 2 ;;
esac
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$build/cli/qlathe" compile "$model" --name net --target "$target" --emit cpp --measure -o "$out" "$@" >/dev/null
cat >"$out/firmware.cpp" <<'CPP'
#include "board.h"
#include "net.h"
int main() {
  board_start_ticks();
  const int failed = net_self_test();
  board_print(board_ticks() * 40);
  return failed;
}
CPP
read -ra flags <<<"$("$build/cli/qlathe" targets "$target" --gcc-flags)"
gcc=(arm-none-eabi-g++ -std=c++11 -O2 "${flags[@]}" -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections -I"$out" -I"$here")
"${gcc[@]}" -c "$out/net.cpp" -o "$out/net.o"
"${gcc[@]}" -ffreestanding -nostdlib -Wl,--gc-sections -Wl,-T,"$here/mps2.ld" -Wl,--defsym=ram_begin=$ram -Wl,--defsym=ram_bytes=0x1000000 \
  "$out/firmware.cpp" "$here/board.cpp" "$out/net_self_test.cpp" "$out/net.o" -lgcc -o "$out/firmware.elf"
instructions=$(timeout 300 qemu-system-arm -M $board -icount shift=0 -nographic -monitor none -serial none \
  -semihosting-config enable=on,target=native -kernel "$out/firmware.elf" 2>&1)
runs=$(grep -c 'net_run(' "$out/net_self_test.cpp")
size() { sed -n "s/^#define NET_$1_BYTES \([0-9]*\).*/\1/p" "$out/net.h"; }
echo "$target code $(size CODE) constants $(size CONSTANT) arena $(size ARENA) state $(size STATE) stack $(size STACK) instructions $((instructions / runs))"
