#!/usr/bin/env bash
# run_fuzzer.sh FUZZER WORK_FOLDER: runs one fuzz target on its kept corpus, then on new inputs for
# DRYSTONE_FUZZ_SECONDS (default 5). New inputs that reach new code stay in WORK_FOLDER/corpus, never in the repository;
# an input that fails stays in WORK_FOLDER/failures, and the command that replays it is printed.
set -euo pipefail
fuzzer=$1
name=$(basename "$fuzzer")
kept=$(cd "$(dirname "$0")" && pwd)/corpus/$name
grown=$2/corpus/$name
failures=$2/failures/$name

if [ -z "$(ls -A "$kept" 2>/dev/null)" ]; then
  echo "$name has no kept corpus: put small valid inputs into tests/fuzz/corpus/$name/" >&2
  exit 1
fi
rm -rf "$failures"
mkdir -p "$grown" "$failures"

if ! "$fuzzer" -max_total_time="${DRYSTONE_FUZZ_SECONDS:-5}" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix="$failures/" "$grown" "$kept" </dev/null; then
  for input in "$failures"/*; do
    if [ -e "$input" ]; then echo "to replay: $fuzzer $input"; fi
  done
  exit 1
fi
