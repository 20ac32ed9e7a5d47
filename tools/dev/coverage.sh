# ./dev coverage: runs the test cases of operators and all models, ONNX and TFLite, and writes docs/coverage.md.
#
# It takes the better part of an hour (much less the second time: objects of emitted sources are kept), and goes on where it was stopped:
# build/.../coverage holds what the runner said.
run_setup
build_program default qlathe-cases tests/cases/qlathe-cases
find_shared
unlock_all
[ -d "${QLATHE_SHARED:-}/tools" ] || die "the reference data is not there" "set QLATHE_SHARED to its folder"
"$VENV/bin/python" "$QLATHE_ROOT/tests/cases/coverage.py" "$(build_dir default)/tests/cases/qlathe-cases" "$QLATHE_SHARED" "$QLATHE_ROOT/docs/coverage.md" \
  "$(build_dir default)/coverage"
note "wrote docs/coverage.md"
