# ./dev lint: formatting, arrows between rooms, file sizes, whitespace, scripts; all problems at once.
#
# The rules are in tools/lint; their own tests run first. Compiler warnings are errors in the build itself.
run_setup
exec /usr/bin/python3 "$QLATHE_ROOT/tools/lint/lint.py" "$@"
