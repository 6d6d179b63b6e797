#!/usr/bin/env bash
# The second tier of the prefix cache on this machine: rows of CSV with date and commit, also kept with --out.
#
#   bench/kv-disk.sh MODEL.gguf [--out FILE.csv] [flags of kv_disk_bench]
#
# As root it empties the system's cache of files between the measurements.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${DRYSTONE_BUILD:-build/release}
out= flags=()
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2 && shift 2 ;;
    *) flags+=("$1") && shift ;;
  esac
done
ninja -C "$build" bench/kv_disk_bench >&2
rows=$("$build/bench/kv_disk_bench" "${flags[@]}")
stamp="$(date +%F),$(git describe --always --dirty)"
stamped=$(printf '%s\n' "$rows" | sed "1s/^/date,commit,/;1!s/^/$stamp,/")
printf '%s\n' "$stamped"
if [ -n "$out" ]; then
  # A file that is there keeps its rows.
  if [ -s "$out" ]; then stamped=$(printf '%s\n' "$stamped" | tail -n +2); fi
  printf '%s\n' "$stamped" >> "$out"
fi
