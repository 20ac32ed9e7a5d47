# ./dev format [files]: formats the project's C++ sources in place (.clang-format).
run_setup
exec /usr/bin/python3 "$QLATHE_ROOT/tools/lint/format.py" --fix "$@"
