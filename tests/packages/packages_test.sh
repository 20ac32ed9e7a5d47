#!/usr/bin/env bash
# packages_test.sh QLATHE CMAKE: every kind of package of one model, built as its users would where the tools are here;
# limits and measured figures.
set -euo pipefail
qlathe=$1 cmake=$2
command -v g++ >/dev/null || { echo "no g++"; exit 77; }
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export QLATHE_CACHE_DIR=$work/cache
model=$root/examples/perceptron
words=(compile "$model/perceptron.json" --rules "$model/int8.json" --calibration "$model/calibration.npz" --target generic)
fail() {
  echo "FAILED: $*"
  exit 1
}
quiet() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; fail "$*"; }; }

for kind in cmake arduino zephyr esp-idf single-header android; do
  quiet "$qlathe" "${words[@]}" --package "$kind" -o "$work/$kind"
done

# A user's program, in C++ and with the header in C.
cat >"$work/main.cpp" <<'END'
#include "perceptron.h"
int main() { return perceptron_self_test(); }
END

# cmake: by add_subdirectory, and installed and found.
mkdir "$work/by_folder" "$work/by_find"
cat >"$work/by_folder/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.13)
project(user CXX)
add_subdirectory("$work/cmake" perceptron)
add_executable(app "$work/main.cpp")
target_link_libraries(app PRIVATE perceptron::perceptron)
END
cat >"$work/by_find/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.13)
project(user CXX)
find_package(perceptron 1.0 REQUIRED)
add_executable(app "$work/main.cpp")
target_link_libraries(app PRIVATE perceptron::perceptron)
END
quiet "$cmake" -S "$work/by_folder" -B "$work/by_folder/build"
quiet "$cmake" --build "$work/by_folder/build"
quiet "$work/by_folder/build/app"
quiet "$cmake" -S "$work/cmake" -B "$work/cmake_build" -DCMAKE_INSTALL_PREFIX="$work/prefix"
quiet "$cmake" --build "$work/cmake_build" --target install
quiet "$cmake" -S "$work/by_find" -B "$work/by_find/build" -DCMAKE_PREFIX_PATH="$work/prefix"
quiet "$cmake" --build "$work/by_find/build"
quiet "$work/by_find/build/app"

# android: the same folder is a project for any machine; the NDK adds its own variables.
quiet "$cmake" -S "$work/android/src/main/cpp" -B "$work/android_build"
quiet "$cmake" --build "$work/android_build"
[ -f "$work/android_build/libperceptron.so" ] || fail "no libperceptron.so"
"$cmake" -S "$work/android/src/main/cpp" -B "$work/android_bad" -DANDROID=1 -DANDROID_ABI=riscv64 >"$work/log" 2>&1 &&
  fail "an ABI without code was accepted"
grep -q "not riscv64" "$work/log" || fail "no word about the ABI"

# single header: declarations in one file, the implementation in another.
sed 's/perceptron.h"/perceptron.hpp"/' "$work/main.cpp" >"$work/user.cpp"
printf '#define PERCEPTRON_IMPLEMENTATION\n#include "perceptron.hpp"\n' >"$work/implementation.cpp"
quiet g++ -std=c++11 -O1 -Wall -Wextra -Wshadow -Werror -I"$work/single-header" "$work/user.cpp" "$work/implementation.cpp" -o "$work/single"
quiet "$work/single"
[ "$(ls "$work/single-header")" = perceptron.hpp ] || fail "a single header is one file"

# arduino: headers and sources under src/, nothing else compiled; what the library index asks of library.properties.
for key in name version author maintainer sentence paragraph category url architectures; do
  grep -q "^$key=." "$work/arduino/library.properties" || fail "library.properties has no $key"
done
quiet g++ -std=c++11 -O1 -I"$work/arduino/src" "$work/main.cpp" "$work"/arduino/src/*.cpp -o "$work/arduino_main"
quiet "$work/arduino_main"
grep -q '#include <perceptron.h>' "$work/arduino/examples/SelfTest/SelfTest.ino" || fail "the sketch does not include the model"

# zephyr, esp-idf: every source that the build files name is there.
grep -q "cmake: zephyr" "$work/zephyr/zephyr/module.yml" || fail "module.yml does not name its folder"
for source in $(grep -o '\.\./src/[a-z_]*\.cpp' "$work/zephyr/zephyr/CMakeLists.txt"); do
  [ -f "$work/zephyr/zephyr/$source" ] || fail "zephyr: $source is missing"
done
for source in $(grep -o 'src/[a-z_]*\.cpp' "$work/esp-idf/CMakeLists.txt"); do
  [ -f "$work/esp-idf/$source" ] || fail "esp-idf: $source is missing"
done
[ -f "$work/esp-idf/idf_component.yml" ] || fail "no idf_component.yml"

# Weights as a binary that is assembled into the program.
quiet "$qlathe" "${words[@]}" --weights binary -o "$work/binary"
cat >"$work/binary_main.cpp" <<'END'
#include "perceptron.h"
int main() { return perceptron_self_test(perceptron_weights_data); }
END
quiet g++ -std=c++11 -O1 -I"$work/binary" "$work/binary_main.cpp" "$work/binary/perceptron.cpp" \
  "$work/binary/perceptron_self_test.cpp" "$work/binary/perceptron_weights.S" -o "$work/binary_app"
quiet "$work/binary_app"

# Checks name the first op that differs: here a weight of the second layer is changed in the source. Counters print.
quiet g++ -std=c++11 -O1 -DPERCEPTRON_CHECK -I"$work/cmake" "$work"/cmake/*.cpp -o "$work/checked"
quiet "$work/checked"
python3 - "$work/cmake/perceptron.cpp" "$work/broken.cpp" <<'END'
import re, sys
text = open(sys.argv[1]).read()
arrays = [m for m in re.finditer(r'const int8_t \w+\[\d+\] = \{\n\s*(-?\d+)', text)]
last = arrays[-1]
text = text[:last.start(1)] + str(-int(last.group(1)) or 1) + text[last.end(1):]
open(sys.argv[2], 'w').write(text)
END
quiet g++ -std=c++11 -O1 -DPERCEPTRON_CHECK -I"$work/cmake" "$work/broken.cpp" "$work/cmake/main.cpp" \
  "$work/cmake/perceptron_self_test.cpp" -o "$work/broken"
"$work/broken" >"$work/log" 2>&1 && fail "a changed weight was not noticed"
grep -q "the first result that differs is that of" "$work/log" || { cat "$work/log"; fail "the op that differs is not named"; }
cat >"$work/trace.cpp" <<'END'
#include <stdio.h>
#include "perceptron.h"
extern "C" void perceptron_print_trace(int (*put)(const char*));
static int put(const char* text) { return fputs(text, stdout); }
int main() {
  if (perceptron_self_test() != 0) return 1;
  perceptron_print_trace(put);
}
END
quiet g++ -std=c++11 -O1 -DPERCEPTRON_PROFILE -I"$work/cmake" "$work/trace.cpp" "$work/cmake/perceptron.cpp" \
  "$work/cmake/perceptron_self_test.cpp" -o "$work/trace"
"$work/trace" | python3 -c 'import json, sys; events = json.load(sys.stdin); assert events and all(e["dur"] >= 0 for e in events)' ||
  fail "the trace is no JSON"

# A package has its weights in it.
"$qlathe" "${words[@]}" --package cmake --weights binary -o "$work/no" 2>"$work/log" && fail "binary weights in a package"
grep -q "weights in it" "$work/log" || fail "no word about the weights"
[ ! -e "$work/no" ] || fail "a refused package left a folder"

# Limits name what is over, by how much, and leave no files.
"$qlathe" "${words[@]}" --ram-limit 64 --flash-limit 1K -o "$work/small" 2>"$work/log" && fail "it does not fit"
grep -q -- "--ram-limit.*more than the limit of 64: arena .*, stack" "$work/log" || { cat "$work/log"; fail "the RAM limit's message"; }
grep -q -- "--flash-limit.*more than the limit of 1024: constants .*, code" "$work/log" || { cat "$work/log"; fail "the flash limit's message"; }
[ ! -e "$work/small" ] || fail "what is too large was written"
quiet "$qlathe" "${words[@]}" --ram-limit 64K --flash-limit 256K -o "$work/fits"
grep -q "^#define PERCEPTRON_STACK_BYTES [1-9]" "$work/fits/perceptron.h" || fail "no measured stack in the header"
"$qlathe" "${words[@]}" --ram-limit 64Q -o "$work/fits" 2>"$work/log" && fail "64Q is no size"
grep -q "'64Q' is no size" "$work/log" || fail "no word about 64Q"

# The report and the drawing.
quiet "$qlathe" "${words[@]}" -o "$work/reported" --report "$work/report.html"
grep -q "<svg " "$work/report.html" || fail "no drawing in the report"
quiet "$qlathe" inspect "$root/examples/digits/digits.json" --memory --target generic --svg "$work/digits.svg"
grep -q "memory plan: .* bytes for" "$work/log" || fail "no memory plan"
python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$work/digits.svg" || fail "the drawing is no XML"
echo "packages: all kinds build"
