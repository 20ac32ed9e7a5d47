# ./dev compare MODEL... [--rounds N] [--json]: times whole models in turns with LiteRT or ONNX Runtime, outputs compared.
run_setup >&2
build_program default qlathe cli/qlathe >&2
unlock_all
QLATHE_PROGRAM="$(build_dir default)/cli/qlathe" exec "$QLATHE_ROOT/.deps/venv/bin/python" "$QLATHE_ROOT/bench/compare.py" "$@"
