#!/usr/bin/env bash
# Compiles the digits network for a microcontroller, builds firmware without any library, and runs it in an emulator:
#   examples/microcontroller/run.sh [cortex-m0|cortex-m4|cortex-m7]
# Exit status 77: arm-none-eabi-g++ or qemu-system-arm is not installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${QLATHE_BUILD_DIR:-$here/../../build}
target=${1:-cortex-m4}
case $target in
  cortex-m0) board=mps2-an385 ;; # qemu's only M0 board has 16 KB; a Cortex-M3 runs the same instructions
  cortex-m4) board=mps2-an386 ;;
  cortex-m7) board=mps2-an500 ;;
  *) echo "run.sh: error: no board for target '$target'" >&2; exit 2 ;;
esac
for tool in arm-none-eabi-g++ qemu-system-arm; do
  command -v "$tool" >/dev/null || { echo "run.sh: $tool is not installed" >&2; exit 77; }
done
out=$build/microcontroller/$target
mkdir -p "$out"
digits=$here/../digits
"$build/cli/qlathe" compile "$digits/digits.json" --rules "$digits/rules/int8_static.json" --calibration "$digits/calibration.npz" \
  --target "$target" --emit cpp --measure --ram-limit 64K --flash-limit 256K -o "$out" --report "$out/report.html"
read -ra flags <<<"$("$build/cli/qlathe" targets "$target" --gcc-flags)"
gcc=(arm-none-eabi-g++ -std=c++11 -O2 "${flags[@]}" -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections -Wall -Wextra -Werror
  -I"$out" -I"$here")
# The model with the flags that its figures are stated for.
"${gcc[@]}" -c "$out/digits.cpp" -o "$out/digits.o"
"${gcc[@]}" -ffreestanding -nostdlib -Wl,--gc-sections -Wl,-T,"$here/mps2.ld" "$here/main.cpp" "$here/board.cpp" \
  "$out/digits_self_test.cpp" "$out/digits.o" -lgcc -o "$out/firmware.elf"
arm-none-eabi-size "$out/firmware.elf"
exec timeout 120 qemu-system-arm -M "$board" -icount shift=0 -nographic -monitor none -serial none \
  -semihosting-config enable=on,target=native -kernel "$out/firmware.elf"
