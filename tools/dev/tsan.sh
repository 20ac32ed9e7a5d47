# ./dev tsan [ctest arguments]: builds into build-tsan with the thread sanitizer and runs the tests there.
#
#   ./dev tsan
#   ./dev tsan -R formats
run_setup
build tsan
run_tests tsan "$@"
