# ./dev goldens [regex]: writes the committed expected files of the tests again.
#
# Runs the tests whose name holds "golden" (or matches the regex) with QLATHE_UPDATE_GOLDENS=1, then shows what changed:
# read the diff like code before committing it.
run_setup
build default
QLATHE_UPDATE_GOLDENS=1 run_tests default -R "${1:-[Gg]olden}"
note "changed files:"
git -C "$QLATHE_ROOT" status --short
