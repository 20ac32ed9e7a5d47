# ./dev cases DIR... [--via reference|jit|object|cpp] [--all] [--json FILE]: compares reference cases with the compiler's results.
#
#   ./dev cases ../shared/golden/qwix/tensor
#   ./dev cases ../shared/golden/qwix/ptq --via cpp
run_setup >&2
build_program default qlathe-cases tests/cases/qlathe-cases >&2
find_shared >&2
unlock_all
exec "$(build_dir default)/tests/cases/qlathe-cases" "$@"
