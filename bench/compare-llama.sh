#!/usr/bin/env bash
# Drystone and llama.cpp on the same synthetic models, interleaved, medians; prints the ratios and keeps them.
#
#   bench/compare-llama.sh [--types "q4_0 q4_k_m q8_0 f16"] [--isa avx2] [--threads 2] [--prompt 512] [--generate 64]
#                          [--repeat 5] [--out FILE.csv]
#
# LLAMA_BENCH       the llama-bench command (default: llama-bench from PATH)
# MODELS            folder for the models, made when missing (default: $TMPDIR/drystone-bench; about 2 GB a float model)
#
# --isa forces Drystone's instruction set. To hold llama.cpp to the same one, give it a build of its own for that
# (LLAMA_REFERENCE_CPU=haswell with the reference tool); the results file says what LLAMA_BENCH was.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/compare_llama.py" "$@"
