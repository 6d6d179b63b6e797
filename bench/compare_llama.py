"""Runs `drystone bench` and llama-bench in turn on synthetic models; see compare-llama.sh."""
import argparse
import json
import os
import pathlib
import shlex
import statistics

from comparison import DRYSTONE, keep, model, provenance, require, run


def drystone(path, arguments):
    env = {"DRYSTONE_ISA": arguments.isa} if arguments.isa else {}
    return json.loads(run([DRYSTONE, "bench", path, "--prompt", str(arguments.prompt), "--generate",
                           str(arguments.generate), "--threads", str(arguments.threads), "--repeat", "1", "--json"], env))


def llama(path, arguments):
    command = shlex.split(os.environ.get("LLAMA_BENCH", "llama-bench"))
    rows = json.loads(run([*command, "-m", path, "-t", str(arguments.threads), "-p", str(arguments.prompt), "-n",
                           str(arguments.generate), "-r", "1", "-o", "json"]))
    return {"prefill": next(r["avg_ts"] for r in rows if r["n_prompt"]),
            "decode": next(r["avg_ts"] for r in rows if r["n_gen"])}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--types", default="q4_0 q4_k_m q8_0 f16")
    parser.add_argument("--isa", default="")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    require(DRYSTONE)
    origin = provenance(arguments.threads)

    rows = []
    for kind in arguments.types.split():
        path = model("llama-1b", kind)
        ours, theirs = [], []
        for _ in range(arguments.repeat):
            ours.append(drystone(path, arguments))
            theirs.append(llama(path, arguments))
        median = lambda figures, key: statistics.median(figure[key] for figure in figures)
        bandwidth = median(ours, "read_bandwidth_gb_s")
        for work in ("prefill", "decode"):
            our, their = median(ours, f"{work}_tok_s"), median(theirs, work)
            row = {**origin, "model": "llama-1b", "type": kind, "work": work,
                   "tokens": arguments.prompt if work == "prefill" else arguments.generate,
                   "device": ours[0]["device"], "drystone_tok_s": round(our, 1), "llama_tok_s": round(their, 1),
                   "ratio": round(our / their, 2), "read_gb_s": round(bandwidth, 1),
                   "gb_s": round(median(ours, "decode_gb_s"), 1) if work == "decode" else "",
                   "percent_of_read": round(median(ours, "decode_percent_of_bandwidth")) if work == "decode" else "",
                   "load_s": round(median(ours, "load_s"), 2), "peak_rss_mb": round(median(ours, "peak_rss_bytes") / 1e6),
                   "weights_mb": round(ours[0]["weights_bytes"] / 1e6), "kv_mb": round(ours[0]["kv_bytes"] / 1e6),
                   "llama_cpu": os.environ.get("LLAMA_REFERENCE_CPU", ""), "repeats": arguments.repeat}
            rows.append(row)
            print(f"{kind:8} {work:8} drystone {our:8.1f} tok/s   llama.cpp {their:8.1f} tok/s   x {our / their:.2f}"
                  + (f"   {row['gb_s']} GB/s, {row['percent_of_read']}% of {bandwidth:.1f}" if work == "decode" else ""),
                  flush=True)
    keep(rows, arguments.out)


if __name__ == "__main__":
    main()
