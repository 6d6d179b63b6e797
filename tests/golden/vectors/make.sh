#!/usr/bin/env bash
# Makes the goldens of this folder again: embeddings and scores of small synthetic models, as llama.cpp's server gives
# them. Needs the release build and llama-reference; the test needs neither.
#   DRYSTONE=build/release/drystone LLAMA_REFERENCE=../shared/tools/llama-reference tests/golden/vectors/make.sh
set -euo pipefail
cd "$(dirname "$0")/../../.."
drystone=$(realpath "${DRYSTONE:-build/release/drystone}")
reference=$(realpath "${LLAMA_REFERENCE:-../shared/tools/llama-reference}")
folder=$(realpath tests/golden/vectors)
work=$(mktemp -d /tmp/drystone-vectors.XXXXXX)
server=
stop() {  # the server and what it was started through: a process group of its own
  [ -z "$server" ] || kill -- "-$server" 2>/dev/null || true
  wait 2>/dev/null || true
  server=
}
trap 'stop; rm -rf "$work"' EXIT
cd "$work"
port=${PORT:-18423}

make() {  # NAME PRESET TYPE POOLING SERVER_FLAGS...
  name=$1 preset=$2 type=$3 pooling=$4
  shift 4
  "$drystone" synth --preset "$preset" --type "$type" --pooling "$pooling" --seed 1 model.gguf >/dev/null
  setsid "$reference" run llama-server -m model.gguf --host 127.0.0.1 --port "$port" -c 2048 -b 2048 -ub 2048 -t 2 -fa off \
    --cache-type-k f32 --cache-type-v f32 "$@" >server.log 2>&1 &
  server=$!
  python3 "$folder/write_vectors.py" "$folder/$name.json" "$preset" "$type" "$pooling" model.gguf "$port"
  stop
  echo "$name"
}

make llama-mean-f32 tiny-llama f32 mean --embeddings
make qwen2-mean-q4_k_m tiny-qwen2 q4_k_m mean --embeddings
make qwen3-last-f32 tiny-qwen3 f32 last --embeddings
make gemma3-last-q8_0 tiny-gemma3 q8_0 last --embeddings
make qwen3-rank-f32 tiny-qwen3 f32 rank --reranking
make qwen3-rank-q8_0 tiny-qwen3 q8_0 rank --reranking
