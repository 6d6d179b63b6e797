#!/usr/bin/env python3
"""write_golden.py OUT PRESET TYPE MODEL PROMPT LOGITS GREEDY: keeps what the test compares, in the format of README.md."""

import array
import sys
import zlib

out, preset, weights_type, model_path, prompt_path, logits_path, greedy_path = sys.argv[1:]
prompt = open(prompt_path).read().split()
greedy = open(greedy_path).read().split()
logits = array.array("f", open(logits_path, "rb").read())
vocab = len(logits) // len(prompt)
last = len(prompt) - 1
positions = sorted({last * i // 7 for i in range(8)})

with open(out, "wb") as file:
    header = [
        "drystone numeric golden 1",
        f"command: drystone synth --preset {preset} --type {weights_type} --seed 1 MODEL",
        f"preset: {preset}",
        f"type: {weights_type}",
        "seed: 1",
        f"crc32: {zlib.crc32(open(model_path, 'rb').read())}",
        f"vocab: {vocab}",
        "prompt: " + " ".join(prompt),
        "positions: " + " ".join(map(str, positions)),
        "greedy: " + " ".join(greedy),
        "logits:",
    ]
    file.write(("\n".join(header) + "\n").encode())
    for position in positions:
        logits[position * vocab : (position + 1) * vocab].tofile(file)
