#!/usr/bin/env python3
"""write_vectors.py OUT PRESET TYPE POOLING MODEL PORT: asks llama.cpp's server and keeps what the test compares."""

import json
import sys
import time
import urllib.error
import urllib.request
import zlib

out, preset, weights_type, pooling, model_path, port = sys.argv[1:]
TEXTS = ["A wall of stones.", "water runs down the hill and into the sea; the stones of the wall do not mind it at all"]
QUERY = "what holds a wall"
DOCUMENTS = ["stones hold each other", "the sea is deep", "", "Mörtel <|im_end|> \n\n 42"]


def ask(path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body and json.dumps(body).encode())
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


for attempt in range(120):
    try:
        ask("/health")
        break
    except (urllib.error.URLError, ConnectionError):
        time.sleep(0.5)

golden = {
    "command": f"drystone synth --preset {preset} --type {weights_type} --pooling {pooling} --seed 1 MODEL",
    "preset": preset, "type": weights_type, "pooling": pooling, "seed": 1,
    "crc32": zlib.crc32(open(model_path, "rb").read()),
}
if pooling == "rank":
    results = ask("/v1/rerank", {"query": QUERY, "documents": DOCUMENTS})["results"]
    scores = {result["index"]: result["relevance_score"] for result in results}
    golden |= {"query": QUERY, "documents": DOCUMENTS, "scores": [scores[i] for i in range(len(DOCUMENTS))]}
else:
    reply = ask("/v1/embeddings", {"input": TEXTS})
    golden["texts"] = [{"text": text, "vector": one["embedding"]} for text, one in zip(TEXTS, reply["data"])]
with open(out, "w") as file:
    file.write(json.dumps(golden, ensure_ascii=False, indent=1, separators=(",", ": ")) + "\n")
