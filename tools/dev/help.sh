# ./dev help [command]: what every command does, with examples.
if [ -n "${1:-}" ]; then
  [ -f "$QLATHE_ROOT/tools/dev/$1.sh" ] && [ "$1" != common ] || die "no command '$1'" "the commands are: $(dev_commands)"
  print_usage "$QLATHE_ROOT/tools/dev/$1.sh"
  exit 0
fi
cat <<'TEXT'
qlathe: an ahead-of-time compiler for quantized neural networks.

Usage: ./dev COMMAND [arguments]         (every command first installs what is missing)

  demo                     build, then run a handwritten-digits network through the whole compiler
  test [ctest arguments]   build and run all tests
  build [targets]          build into build/
  cases DIR... [options]   compare reference cases with the compiler's results
  bench [arguments]        measure speed, as fractions of what this machine can do
  compare MODEL...         time models in turns with LiteRT or ONNX Runtime
  coverage                 run the ONNX cases and write docs/coverage.md
  lint                     formatting, arrows between rooms, file sizes, scripts
  format [files]           format the C++ sources in place
  asan | tsan [arguments]  build with sanitizers and run the tests there
  fuzz [target] [seconds]  feed damaged inputs to the readers
  goldens                  write the expected sources of the tests again, to be read as a diff
  setup                    only install what is missing
  clean [--all]            remove the build folders (--all: the Python environment too)
  help [command]           this text, or more on one command

Examples:
  ./dev demo
  ./dev test -R requantize            only the tests whose name matches
  ./dev cases ../shared/golden/qwix/tensor --via cpp
  ./dev fuzz json_fuzz 60

Settings (environment): QLATHE_SHARED folder of reference data, QLATHE_JOBS parallel jobs, QLATHE_NO_CCACHE=1.
TEXT
