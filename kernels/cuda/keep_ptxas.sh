#!/usr/bin/env bash
# Runs nvcc and keeps what ptxas says of every kernel's resources beside the object file, for bench/kernel_report.
set -u
object=
for ((i = 1; i < $#; i++)); do
  [[ ${!i} == -o ]] && j=$((i + 1)) && object=${!j}
done
if [[ $object != *.o ]]; then
  exec "$@"
fi
"$@" 2>"$object.ptxas"
status=$?
if [[ $status -ne 0 ]]; then
  grep -v '^ptxas info' "$object.ptxas" >&2
  rm -f "$object.ptxas"
fi
exit $status
