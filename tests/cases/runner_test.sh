#!/usr/bin/env bash
# runner_test.sh PROGRAM: the runner notices what is wrong with a case. Needs the reference data (else exit code 77).
set -euo pipefail
program=$1
shared=${QLATHE_SHARED:-$QLATHE_ROOT/../shared}
if [ ! -d "$shared" ]; then
  echo "skipped: no reference data: set QLATHE_SHARED"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -r "$shared/golden/qwix/tensor/int8_absmax" "$folder/good"
cp -r "$folder/good" "$folder/changed"
chmod -R u+w "$folder"
# Element [0,0] of the stored values, which are int8 behind the file's head of 128 bytes.
printf '\x55' | dd of="$folder/changed/qvalue.npy" bs=1 seek=128 conv=notrunc status=none
cp -r "$folder/good" "$folder/damaged"
echo '{"kind": ' >"$folder/damaged/case.json"
cp -r "$folder/good" "$folder/missing"
rm "$folder/missing/scale.npy"
cp -r "$folder/good" "$folder/strange"
sed -i 's/"qwix_tensor"/"never_heard_of"/' "$folder/strange/case.json"
ln -s "$folder" "$folder/again"
cp -r "$folder/good" "$folder/odd"
sed -i 's/"arrays": {/"arrays": [], "arrays_": {/' "$folder/odd/case.json"
cp -r "$folder/good" "$folder/truncated"
truncate -s 140 "$folder/truncated/input.npy"

code=0
log=$("$program" --via reference --json "$folder/all.json" "$folder") || code=$?
echo "$log"
expect() { grep -qE "$1" <<<"$log" || { echo "no line like: $1"; exit 1; }; }
[ "$code" = 1 ] || { echo "exit code $code, expected 1"; exit 1; }
expect '^pass +.*/good '
expect '^differs +.*/changed  qvalue: 1 of [0-9]+ elements differ, worst at \[0,0\]: [-0-9]+, expected 85'
expect '^differs +.*/damaged  .*no readable case.json'
expect '^differs +.*/missing  .*scale'
expect '^differs +.*/odd  .*JSON is not of the expected form'
expect '^differs +.*/truncated  .*input.npy'
expect '^unsupported +.*/strange  .*never_heard_of'
[ "$(tail -n 1 <<<"$log")" = "passed 1 of 7, failed 5, unsupported 1" ] || { echo "another last line"; exit 1; }
grep -q '"failed": 5' "$folder/all.json" || { echo "no totals in the JSON file"; exit 1; }

code=0
"$program" --via reference "$folder/nowhere" 2>/dev/null || code=$?
[ "$code" = 2 ] || { echo "a folder that is not there: exit code $code, expected 2"; exit 1; }
