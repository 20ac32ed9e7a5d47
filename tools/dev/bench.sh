# ./dev bench [arguments]: measures speed, as fractions of what the same run measures on this machine.
run_setup >&2
build_program default qlathe-bench bench/qlathe-bench >&2
unlock_all
exec "$(build_dir default)/bench/qlathe-bench" "$@"
