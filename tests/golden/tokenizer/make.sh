#!/usr/bin/env bash
# Writes VOCABULARY[.PRE].ids: what llama.cpp makes of nasty.txt. Needs ../shared beside the repository.
#   tests/golden/tokenizer/make.sh
set -euo pipefail
cd "$(dirname "$0")"
shared=$(cd ../../../../shared && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp nasty.txt "$work"

with_pre() {  # FILE PRE OUT: the same vocabulary under another pre-tokenizer
  python3 - "$@" <<'PYTHON'
import struct, sys
data, pre, key = open(sys.argv[1], "rb").read(), sys.argv[2].encode(), b"tokenizer.ggml.pre"
at = data.index(struct.pack("<Q", len(key)) + key) + 8 + len(key) + 4  # the value's length stands here
(length,) = struct.unpack_from("<Q", data, at)
open(sys.argv[3], "wb").write(data[:at] + struct.pack("<Q", len(pre)) + pre + data[at + 8 + length:])
PYTHON
}

for name in deepseek-llm gpt-2 llama-spm starcoder; do
  cp "$shared/data/vocab/ggml-vocab-$name.gguf" "$work/model.gguf"
  (cd "$work" && "$shared/tools/llama-reference" tokenize model.gguf nasty.txt) > "ggml-vocab-$name.ids"
done
for pre in default falcon gpt-2 mpt starcoder command-r llama-bpe dbrx glm4 chatglm-bpe qwen2 qwen35 stablelm2 gpt-4o \
    minimax-m2 tekken kimi-k2 deepseek-v3 deepseek-llm deepseek-coder minicpm5 laguna bailingmoe seed-coder bloom viking exaone; do
  with_pre "$shared/data/vocab/llama3-merges.gguf" "$pre" "$work/model.gguf"
  (cd "$work" && "$shared/tools/llama-reference" tokenize model.gguf nasty.txt) > "llama3-merges.$pre.ids" ||
    { echo "the reference does not know $pre"; rm -f "llama3-merges.$pre.ids"; }
done
