# ./dev build [targets]: builds into build/ with all cores.
#
#   ./dev build                 everything
#   ./dev build qlathe          the command alone
run_setup
build default "$@"
