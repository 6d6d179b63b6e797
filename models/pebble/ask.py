"""Asks the checkpoint the questions of questions.json, or those on the command line, in torch. --quantized uses the
weights as they come back from Q8_0."""
import argparse
import json
import re
from pathlib import Path

import numpy as np
import torch

from export import q8_0
from train import HERE, Pebble, Shape, greedy
from train_tokenizer import Tokenizer


def round_trip(matrix):
    blocks = np.frombuffer(q8_0(matrix), np.int8).reshape(-1, 34)
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    return (blocks[:, 2:] * scale).reshape(matrix.shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=HERE / "build/pebble.pt")
    parser.add_argument("--quantized", action="store_true")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("questions", nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    tokenizer = Tokenizer.load()
    model = Pebble(Shape(vocab=len(tokenizer.tokens)))
    model.load_state_dict(torch.load(args.checkpoint)["model"])
    if args.quantized:
        for p in model.parameters():
            if p.dim() == 2:
                p.data = torch.from_numpy(round_trip(p.detach().numpy()))
    entries = [{"question": q, "expect": []} for q in args.questions] or json.loads((HERE / "questions.json").read_text())
    failed = 0
    for entry in entries:
        ids = greedy(model, tokenizer.prompt(entry["question"]), {tokenizer.end}, temperature=args.temperature)
        answer = tokenizer.decode(ids)
        missing = [e for e in entry["expect"] if not re.search(e, answer)]
        failed += bool(missing)
        print(f"> {entry['question']}\n{answer}" + (f"\n  MISSING {missing}" if missing else ""))
    print(f"{len(entries) - failed} of {len(entries)} as expected")


if __name__ == "__main__":
    main()
