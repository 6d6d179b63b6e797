"""Runs `drystone bench --streams` and llama-batched-bench in turn; see compare-batched.sh."""
import argparse
import json
import os
import pathlib
import shlex
import statistics

from comparison import DRYSTONE, keep, model, provenance, require, run


def drystone(path, streams, arguments):
    figures = json.loads(run([DRYSTONE, "bench", path, "--streams", str(streams), "--prompt", str(arguments.prompt),
                              "--generate", str(arguments.generate), "--threads", str(arguments.threads), "--repeat", "1",
                              "--json"]))
    return {work: figures[f"{work}_tok_s"] for work in ("prefill", "decode", "both")}


def llama(path, streams, arguments):
    command = shlex.split(os.environ.get("LLAMA_BATCHED_BENCH", "llama-batched-bench"))
    out = run([*command, "-m", path, "-t", str(arguments.threads), "-c",
               str(streams * (arguments.prompt + arguments.generate)), "-npp", str(arguments.prompt), "-ntg",
               str(arguments.generate), "-npl", str(streams), "--output-format", "jsonl"])
    figures = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    return {"prefill": figures["speed_pp"], "decode": figures["speed_tg"], "both": figures["speed"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", default="8 32")
    parser.add_argument("--type", default="q4_0")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--generate", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    require(DRYSTONE)
    origin = provenance(arguments.threads)
    path = model("llama-1b", arguments.type)

    rows = []
    for streams in map(int, arguments.streams.split()):
        ours, theirs = [], []
        for _ in range(arguments.repeat):
            ours.append(drystone(path, streams, arguments))
            theirs.append(llama(path, streams, arguments))
        for work in ("prefill", "decode", "both"):
            our, their = (statistics.median(one[work] for one in side) for side in (ours, theirs))
            rows.append({**origin, "model": path.stem, "streams": streams, "prompt": arguments.prompt,
                         "generate": arguments.generate, "work": work, "drystone_tok_s": round(our, 1),
                         "llama_tok_s": round(their, 1), "ratio": round(our / their, 2), "repeats": arguments.repeat})
            print(f"{streams:3} streams {work:8} drystone {our:8.1f} tok/s   llama.cpp {their:8.1f} tok/s   "
                  f"x {our / their:.2f}", flush=True)
    keep(rows, arguments.out)


if __name__ == "__main__":
    main()
