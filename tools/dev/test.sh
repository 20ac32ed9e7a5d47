# ./dev test [ctest arguments]: builds everything and runs all tests.
#
#   ./dev test
#   ./dev test -R requantize    only the tests whose name matches
#   ./dev test --rerun-failed
run_setup
build default
run_tests default "$@"
