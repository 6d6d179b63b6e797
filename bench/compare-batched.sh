#!/usr/bin/env bash
# Several requests at once, without a server: `drystone bench --streams` and llama.cpp's batched benchmark on the same
# synthetic model, interleaved, medians; prints the ratios and keeps them.
#
#   bench/compare-batched.sh [--streams "8 32"] [--type q4_0] [--threads 2] [--prompt 128] [--generate 32] [--repeat 5]
#                            [--out FILE.csv]
#
# LLAMA_BATCHED_BENCH   the llama-batched-bench command (default: from PATH)
# MODELS                folder for the models, made when missing (default: $TMPDIR/drystone-bench)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/compare_batched.py" "$@"
