#!/usr/bin/env bash
# Drystone's server and llama-server on the same model with the same requests, in turn, medians; prints the ratios and
# keeps them.
#
#   bench/compare-serve.sh [--rows "streams-8 streams-32 agents stall tiny overhead"] [--threads 2] [--repeat 3] [--quick]
#                          [--out FILE.csv]
#
# LLAMA_SERVER      the llama-server command (default: llama-server from PATH)
# MODELS            folder for the models, made when missing (default: $TMPDIR/drystone-bench)
#
# --quick takes a tiny model and small sizes: it shows that everything works, its figures mean nothing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/compare_serve.py" "$@"
