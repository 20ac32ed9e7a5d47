#!/usr/bin/env bash
# Builds libclassifier.so, looks at what it shows and needs, loads it and asks for a digit:
#   examples/android_library/run.sh [host|arm64] [cmake]
# Exit status 77: the compiler or the emulator for arm64 is not installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${QLATHE_BUILD_DIR:-$here/../../build}" && pwd)
abi=${1:-host} cmake=${2:-cmake}
out=$build/android_library/$abi
options=("-DQLATHE=$build/cli/qlathe") prefix="" emulator=()
if [ "$abi" = arm64 ]; then
  prefix=aarch64-linux-gnu-
  for tool in ${prefix}g++ qemu-aarch64; do
    command -v "$tool" >/dev/null || { echo "run.sh: $tool is not installed" >&2; exit 77; }
  done
  options+=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=${prefix}gcc -DCMAKE_CXX_COMPILER=${prefix}g++)
  emulator=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
fi
"$cmake" -S "$here" -B "$out" "${options[@]}" >/dev/null
"$cmake" --build "$out" >/dev/null
"${emulator[@]}" "$out/load" "$out/libclassifier.so"
shown=$("${prefix}nm" -D --defined-only "$out/libclassifier.so" | awk '{print $3}' | sort | tr '\n' ' ')
needed=$("${prefix}objdump" -p "$out/libclassifier.so" | awk '/NEEDED/ {print $2}' | tr '\n' ' ')
echo "shows: $shown"
echo "needs: $needed"
[ "$shown" = "classifier_bytes classifier_create classifier_run classifier_self_test " ] || { echo "run.sh: it shows more than its API"; exit 1; }
case "$needed" in *stdc++*) echo "run.sh: it needs a C++ library"; exit 1 ;; esac
