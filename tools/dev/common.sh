# Shared by the commands of ./dev. Sourced; expects QLATHE_ROOT and set -euo pipefail.
VENV="$QLATHE_ROOT/.deps/venv"
export PATH="$VENV/bin:$PATH"

note() { printf '== %s\n' "$*"; }

# die WHAT [REMEDY]
die() {
  printf 'dev: error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  remedy: %s\n' "$2" >&2
  exit 1
}

dev_commands() {
  local names=() file
  for file in "$QLATHE_ROOT"/tools/dev/*.sh; do
    file=$(basename "$file" .sh)
    [ "$file" = common ] || names+=("$file")
  done
  echo "${names[*]}"
}

# The comment block that a command's file begins with is its help text.
print_usage() { awk '!/^#/ { exit } { sub(/^# ?/, ""); print }' "$1"; }

# All cores, but no more jobs than memory allows: a file that includes Halide.h takes over a gigabyte to compile.
job_count() {
  local cores memory_jobs
  cores=$(nproc)
  memory_jobs=$(awk '/^MemAvailable:/ { print int($2 / 1500000) }' /proc/meminfo)
  [ "${memory_jobs:-0}" -ge 1 ] || memory_jobs=1
  echo "${QLATHE_JOBS:-$((cores < memory_jobs ? cores : memory_jobs))}"
}

# lock FILE: one run at a time; a second one waits and says so. Held until unlock_all or the end of the process.
declare -A held_locks=()
lock() {
  local descriptor
  [ -z "${held_locks[$1]:-}" ] || return 0
  mkdir -p "$(dirname "$1")"
  exec {descriptor}>"$1"
  if ! flock -n "$descriptor"; then
    note "another ./dev is at work here; waiting for it"
    flock "$descriptor"
  fi
  held_locks[$1]=$descriptor
}

# Before a long-running program takes over: it may call ./dev itself.
unlock_all() {
  local file descriptor
  for file in "${!held_locks[@]}"; do
    descriptor=${held_locks[$file]}
    exec {descriptor}>&-
  done
  held_locks=()
}

run_setup() { "$QLATHE_ROOT/dev" setup; }

# Tests that compare with reference data look for it here.
find_shared() {
  local default="$QLATHE_ROOT/../shared"
  if [ -z "${QLATHE_SHARED:-}" ] && [ -d "$default" ]; then
    QLATHE_SHARED=$(cd "$default" && pwd)
  fi
  if [ -n "${QLATHE_SHARED:-}" ] && [ -d "$QLATHE_SHARED" ]; then
    export QLATHE_SHARED
    note "QLATHE_SHARED: reference data found in $QLATHE_SHARED"
  else
    note "QLATHE_SHARED: reference data ABSENT (${QLATHE_SHARED:-$default}); tests that need it are skipped"
  fi
}

use_ccache() {
  [ -z "${QLATHE_NO_CCACHE:-}" ] && command -v ccache >/dev/null || return 1
  local cache=${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/ccache}
  # A home that is missing or cannot be written would make every compilation fail.
  mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || cache="$QLATHE_ROOT/.cache/ccache"
  export CCACHE_DIR="$cache"
  export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$QLATHE_ROOT}"
}

# build_dir PRESET: the folder that CMakePresets.json names for it.
build_dir() {
  if [ "$1" = default ]; then echo "$QLATHE_ROOT/build"; else echo "$QLATHE_ROOT/build-$1"; fi
}

# configure PRESET: only when there is nothing yet or the preset changed; ninja itself watches the CMake files.
configure() {
  local dir launcher="" stamp
  dir=$(build_dir "$1")
  ! use_ccache || launcher=ccache
  stamp="$(sha256sum <"$QLATHE_ROOT/CMakePresets.json") $launcher"
  if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/.dev-stamp" 2>/dev/null)" != "$stamp" ]; then
    note "configuring ${dir#"$QLATHE_ROOT"/}"
    mkdir -p "$dir"
    (cd "$QLATHE_ROOT" && cmake --preset "$1" "-DCMAKE_CXX_COMPILER_LAUNCHER=$launcher") >"$dir/configure.log" 2>&1 || {
      cat "$dir/configure.log" >&2
      die "CMake could not configure the build" "read the message above; './dev setup' installs what it needs"
    }
    echo "$stamp" >"$dir/.dev-stamp"
  fi
}

# build PRESET [targets...]
build() {
  local dir jobs preset=$1
  shift
  dir=$(build_dir "$preset")
  jobs=$(job_count)
  lock "$dir/.dev-lock"
  configure "$preset"
  note "building ${dir#"$QLATHE_ROOT"/} (${*:-everything}, $jobs jobs)"
  ninja -C "$dir" -j "$jobs" "$@"
}

# has_target PRESET TARGET; the build must be configured.
has_target() {
  lock "$(build_dir "$1")/.dev-lock"
  configure "$1"
  # Bring the build files up to date first: the target may have just been written.
  ninja -C "$(build_dir "$1")" build.ninja >"$(build_dir "$1")/configure.log" 2>&1 || {
    cat "$(build_dir "$1")/configure.log" >&2
    die "CMake could not configure the build" "read the message above"
  }
  ninja -C "$(build_dir "$1")" -t query "$2" >/dev/null 2>&1
}

# build_program PRESET TARGET PATH: builds TARGET, which must produce the program PATH below the build folder.
build_program() {
  has_target "$1" "$2" || die "the target '$2' does not exist in this tree" "it comes with $(dirname "$3")/CMakeLists.txt"
  build "$1" "$2"
  [ -x "$(build_dir "$1")/$3" ] || die "building '$2' did not produce $3" "name the target's program so in its CMakeLists.txt"
}

# run_tests PRESET [ctest arguments...]: ctest's own closing lines come last.
run_tests() {
  local dir preset=$1
  shift
  dir=$(build_dir "$preset")
  find_shared
  note "testing ${dir#"$QLATHE_ROOT"/}"
  ctest --test-dir "$dir" --output-on-failure --no-tests=error -j "$(job_count)" "$@"
}
