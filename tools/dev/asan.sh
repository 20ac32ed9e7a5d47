# ./dev asan [ctest arguments]: builds into build-asan with address and undefined-behaviour sanitizers and runs the tests there.
#
#   ./dev asan
#   ./dev asan -R formats
run_setup
build asan
run_tests asan "$@"
