#!/usr/bin/env bash
# Makes the goldens of this folder again: logits and greedy continuations of small synthetic models, as llama.cpp
# computes them. Needs the release build and llama-reference; the tests need neither.
#   DRYSTONE=build/release/drystone LLAMA_REFERENCE=../shared/tools/llama-reference tests/golden/numerics/make.sh
set -euo pipefail
cd "$(dirname "$0")/../../.."
drystone=$(realpath "${DRYSTONE:-build/release/drystone}")
reference=$(realpath "${LLAMA_REFERENCE:-../shared/tools/llama-reference}")
folder=$(realpath tests/golden/numerics)
work=$(mktemp -d /tmp/drystone-golden.XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work"

make() {  # NAME PRESET TYPE PROMPT_TOKENS GREEDY_TOKENS
  "$drystone" synth --preset "$2" --type "$3" --seed 1 model.gguf >/dev/null
  python3 -c "print(*((i * 7919 + 13) % 509 + 3 for i in range($4)))" >prompt.txt
  "$reference" logits model.gguf prompt.txt logits.f32 2>/dev/null
  if [ "$5" -gt 0 ]; then "$reference" greedy model.gguf prompt.txt "$5" >greedy.txt; else : >greedy.txt; fi
  python3 "$folder/write_golden.py" "$folder/$1.golden" "$2" "$3" model.gguf prompt.txt logits.f32 greedy.txt
  echo "$1"
}

for family in llama llama-31 qwen2 qwen3 phi3 gemma3; do make "$family-f32" "tiny-$family" f32 48 64; done
# Longer than phi3's original context: the other rotation factors.
make phi3-long-f32 tiny-phi3 f32 300 64
for type in f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q2_k q3_k_m q4_k_m q5_k_m q6_k iq4_nl iq4_xs mxfp4; do
  make "llama-$type" tiny-llama "$type" 48 0
done
for family in qwen2 qwen3 phi3 gemma3; do make "$family-q4_k_m" "tiny-$family" q4_k_m 48 0; done
