# ./dev demo: sets up, builds, and takes a network for handwritten digits through the whole compiler.
demo="$QLATHE_ROOT/examples/digits/demo.sh"
[ -f "$demo" ] || die "examples/digits/demo.sh does not exist in this tree"
run_setup
build_program default qlathe cli/qlathe
# What else the demo runs (a host program, say) hangs on this target.
! has_target default qlathe-demo || build default qlathe-demo
QLATHE_BUILD_DIR=$(build_dir default)
export QLATHE_BUILD_DIR
unlock_all
exec bash "$demo" "$@"
