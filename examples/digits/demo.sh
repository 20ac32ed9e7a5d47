#!/usr/bin/env bash
# Takes a small convolutional network for handwritten digits through the whole compiler, in four variants: emits C++ and
# a static library, compiles them with g++, runs these, the JIT and the reference over 360 held-out digits, and compares.
# Called by ./dev demo; alone: QLATHE_BUILD_DIR=build examples/digits/demo.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${QLATHE_BUILD_DIR:-$here/../../build}
qlathe=$build/cli/qlathe
[ -x "$qlathe" ] || { echo "demo: error: $qlathe does not exist; run ./dev build" >&2; exit 1; }
work=$build/demo
rm -rf "$work"
mkdir -p "$work"
variants=(float int8_static int8_dynamic int4_weights)
flags=$("$qlathe" targets host --gcc-flags)
begun=$SECONDS

# rule_words VARIANT: the options that make it what it is.
rule_words() {
  case $1 in
    float) ;;
    int8_static) echo "--rules $here/rules/int8_static.json --statistics $work/statistics.json" ;;
    int4_weights) echo "--rules $here/rules/int4_weights.json --calibration $here/calibration.npz" ;;
    *) echo "--rules $here/rules/$1.json" ;;
  esac
}

# variant NAME: everything about one variant, into $work/NAME.
variant() {
  local out=$work/$1 model=$here/digits.json words
  mkdir "$out"
  read -ra words <<<"$(rule_words "$1")"
  "$qlathe" compile "$model" "${words[@]}" --target host --emit cpp -o "$out/cpp"
  "$qlathe" compile "$model" "${words[@]}" --target host --emit static -o "$out/object"
  # shellcheck disable=SC2086  # flags are words
  g++ -std=c++11 -O2 $flags -I"$out/cpp" -c "$out/cpp/digits.cpp" -o "$out/digits.o"
  g++ -std=c++11 -O2 -I"$out/cpp" "$here/evaluate.cpp" "$out/cpp/digits_self_test.cpp" "$out/digits.o" -o "$out/run_cpp"
  g++ -std=c++11 -O2 -I"$out/object" "$here/evaluate.cpp" "$out/object/digits_self_test.cpp" "$out/object/libdigits.a" -o "$out/run_object"
  "$qlathe" run "$model" "${words[@]}" --input "$here/test_images.npy" --via reference -o "$out/reference.npy"
  "$qlathe" run "$model" "${words[@]}" --input "$here/test_images.npy" --via jit -o "$out/jit.npy"
}

# measure NAME: alone on the machine, one after the other.
measure() {
  local out=$work/$1 words
  read -ra words <<<"$(rule_words "$1")"
  "$out/run_cpp" "$here/test_images.npy" "$out/cpp.bin" >"$out/cpp.txt"
  "$out/run_object" "$here/test_images.npy" "$out/object.bin" >"$out/object.txt"
  "$qlathe" bench "$here/digits.json" "${words[@]}" --no-layers --milliseconds 200 --json >"$out/bench.json"
  sed -n 's/.*"min_s": \([0-9.e+-]*\).*/\1/p' "$out/bench.json" | awk '{ print $1 * 1e6 }' >"$out/jit.txt"
}

echo "The network:"
"$qlathe" inspect "$here/digits.json"
echo
"$qlathe" calibrate "$here/digits.json" --rules "$here/rules/int8_static.json" --calibration "$here/calibration.npz" \
  -o "$work/statistics.json"
jobs=0
declare -A running=()
finish_all() {
  local name
  for name in "${!running[@]}"; do
    if wait "${running[$name]}"; then
      echo "  ✓ $name: compiled to C++ and a static library, built, run"
    else
      echo "  ✗ $name:" >&2
      tail -n 20 "$work/$name.log" >&2
      exit 1
    fi
  done
  running=()
  jobs=0
}
echo "Compiling and running (target host: $flags):"
for name in "${variants[@]}"; do
  variant "$name" >"$work/$name.log" 2>&1 &
  running[$name]=$!
  jobs=$((jobs + 1))
  [ "$jobs" -lt "$(nproc)" ] || finish_all
done
finish_all
for name in "${variants[@]}"; do measure "$name"; done
g++ -std=c++11 -O1 "$here/show.cpp" -o "$work/show"
status=0
"$work/show" "$here/test_images.npy" "$here/test_labels.npy" "$work" "${variants[@]}" || status=$?
echo "  Everything took $((SECONDS - begun)) s. The emitted sources: ${work#"$PWD/"}/int8_static/cpp/digits.cpp"
exit "$status"
