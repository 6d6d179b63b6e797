#!/usr/bin/env bash
# Runs a program of this folder that prints rows of CSV, and puts date and commit before each row; --out keeps them.
#
#   bench/keep.sh [--out FILE.csv] PROGRAM [ARG...]
#   bench/keep.sh --out bench/results/MACHINE/kv-disk.csv kv_disk_bench MODEL.gguf --tokens 2048
set -euo pipefail
cd "$(dirname "$0")/.."
build=${DRYSTONE_BUILD:-build/release}
out=
if [ "${1:-}" = --out ]; then out=$2 && shift 2; fi
program=${1:?the program is missing, such as kv_disk_bench}
shift
ninja -C "$build" "bench/$program" >&2
rows=$("$build/bench/$program" "$@")
stamp="$(date +%F),$(git describe --always --dirty)"
stamped=$(printf '%s\n' "$rows" | sed "1s/^/date,commit,/;1!s/^/$stamp,/")
printf '%s\n' "$stamped"
if [ -n "$out" ]; then
  # A file that is there keeps its rows.
  if [ -s "$out" ]; then stamped=$(printf '%s\n' "$stamped" | tail -n +2); fi
  printf '%s\n' "$stamped" >> "$out"
fi
