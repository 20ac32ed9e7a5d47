#!/usr/bin/env bash
# run_cases.sh PROGRAM VIA FOLDER-OR-OPTION...: as a test. Folders are below the reference data; without it, exit code 77 (skipped).
# Passes if every case passes or has no such path; QLATHE_UNSUPPORTED=n cases exactly may be unsupported.
set -euo pipefail
program=$1 via=$2
shift 2
shared=${QLATHE_SHARED:-$QLATHE_ROOT/../shared}
if [ ! -d "$shared" ]; then
  echo "skipped: no reference data: set QLATHE_SHARED"
  exit 77
fi
log=$(cd "$shared" && "$program" --via "$via" "$@" 2>&1) || {
  echo "$log"
  # A compiler or an emulator of another processor.
  grep -q "^error: .*: is not installed" <<<"$log" && exit 77
  exit 1
}
echo "$log"
case "$(tail -n 1 <<<"$log")" in
  "passed 0 "*) echo "no case passed"; exit 1 ;;
  *"failed 0, unsupported ${QLATHE_UNSUPPORTED:-0}") ;;
  *) echo "not ${QLATHE_UNSUPPORTED:-0} cases are unsupported"; exit 1 ;;
esac
