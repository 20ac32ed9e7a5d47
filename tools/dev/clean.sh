# ./dev clean [--all]: removes the build folders; with --all the Python environment too.
case "${1:-}" in
  "" | --all) ;;
  *) die "unknown argument '$1'" "./dev clean [--all]" ;;
esac
for preset in default asan tsan release fuzz; do
  rm -rf "$(build_dir "$preset")"
done
if [ "${1:-}" = --all ]; then rm -rf "$QLATHE_ROOT/.deps" "$QLATHE_ROOT/.cache"; fi
note "clean: done"
