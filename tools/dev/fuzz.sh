# ./dev fuzz [target] [seconds]: feeds damaged inputs to the readers, with clang's libFuzzer and sanitizers.
#
#   ./dev fuzz                  every target, 60 seconds each
#   ./dev fuzz json_fuzz 600    one target for ten minutes
#
# New inputs that reach new code go to build-fuzz/corpus/TARGET, inputs that fail to build-fuzz/crashes.
[ -f "$QLATHE_ROOT/tests/fuzz/CMakeLists.txt" ] || die "tests/fuzz/CMakeLists.txt does not exist in this tree: there are no fuzz targets"
target=${1:-all} seconds=${2:-60}
[[ "$seconds" =~ ^[1-9][0-9]*$ ]] || die "'$seconds' is not a number of seconds" "./dev fuzz [target] [seconds]"
run_setup
dir=$(build_dir fuzz)
if [ "$target" = all ]; then wanted=qlathe-fuzzers; else wanted=$target; fi
has_target fuzz "$wanted" || die "no fuzz target '$target'" "the targets are: $(sort "$dir/fuzz-targets.txt" | tr '\n' ' ')(tests/fuzz/CMakeLists.txt declares them)"
build fuzz "$wanted"
mapfile -t targets < <(if [ "$target" = all ]; then sort "$dir/fuzz-targets.txt"; else echo "$target"; fi)
failed=()
for name in "${targets[@]}"; do
  mkdir -p "$dir/corpus/$name" "$dir/crashes"
  seeds=()
  if [ -d "$QLATHE_ROOT/tests/fuzz/corpus/$name" ]; then seeds=("$QLATHE_ROOT/tests/fuzz/corpus/$name"); fi
  note "fuzzing $name for $seconds s"
  "$dir/tests/fuzz/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$dir/crashes/$name-" "$dir/corpus/$name" "${seeds[@]}" || failed+=("$name")
done
[ ${#failed[@]} -eq 0 ] || die "found failures in: ${failed[*]}" "the inputs are in build-fuzz/crashes; mend, then keep them in tests/fuzz/corpus"
note "fuzz: ${#targets[@]} target(s), no failure"
