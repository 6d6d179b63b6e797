#!/usr/bin/env bash
# Errors of `drystone quantize` beside those of llama.cpp's llama-quantize, for every mixture, on a synthetic model
# and on the trained models given as arguments (GGUF in f32). Writes bench/results/quantize-error.csv.
#
#   bench/quantize-error.sh [MODEL.gguf ...]
#
# LLAMA_QUANTIZE: the command to compare with (default: llama-quantize from PATH).
set -euo pipefail
cd "$(dirname "$0")/.."
build=${DRYSTONE_BUILD:-build/release}
llama_quantize=${LLAMA_QUANTIZE:-llama-quantize}
drystone=$PWD/$build/drystone compare=$PWD/$build/bench/quantize_error
ninja -C "$build" drystone quantize_error >&2

work=$(mktemp -d /tmp/quantize-error.XXXXXX)
trap 'rm -rf "$work"' EXIT
"$drystone" synth --layers 8 --width 512 --ff 1536 --heads 8 --kv-heads 2 --vocab 2048 --type f32 "$work/synth.gguf"
for model in "$@"; do cp "$model" "$work/"; done

mkdir -p bench/results
out=$PWD/bench/results/quantize-error.csv
echo "model,type,drystone_error,llama_cpp_error,ratio,matrices_of_same_type,of_other_type" > "$work/csv"
cd "$work"
for model in *.gguf; do
  for type in F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K IQ4_NL IQ4_XS MXFP4; do
    theirs=$type flags=()
    # llama.cpp gives MXFP4 to experts only, unless told to use one type throughout.
    if [ $type = MXFP4 ]; then theirs=MXFP4_MOE flags=(--pure); fi
    "$drystone" quantize "$model" ours.tmp $type > /dev/null 2> log || { cat log >&2; exit 1; }
    $llama_quantize "${flags[@]}" "$model" theirs.tmp $theirs 2 > log 2>&1 || { tail -5 log >&2; exit 1; }
    echo "${model%.gguf},$type,$("$compare" "$model" ours.tmp theirs.tmp)" | tee -a csv >&2
  done
done
cp csv "$out"
echo "wrote $out" >&2
