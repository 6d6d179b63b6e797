"""Runs serve_bench against `drystone serve` and llama-server; see compare-serve.sh."""
import argparse
import json
import os
import pathlib
import statistics
import sys

from comparison import BUILD, DRYSTONE, keep, model, provenance, require, run

SERVE_BENCH = BUILD / "serve_bench"
NULL_SERVER = BUILD / "null_server"

# The rows of the table: how many slots and how much context they need, and what is asked.
ROWS = {
    "streams-8": {"slots": 8, "context": 512, "work": ["--clients", "8", "--input", "128", "--output", "32"]},
    "streams-32": {"slots": 32, "context": 512, "work": ["--clients", "32", "--input", "128", "--output", "32"]},
    "agents": {"slots": 8, "context": 4096, "work": ["--workload", "agents", "--clients", "8"]},
    "stall": {"slots": 9, "context": 8192, "work": ["--workload", "stall", "--clients", "8", "--input", "8000"]},
    "tiny": {"slots": 64, "context": 512, "model": "tiny",
             "work": ["--clients", "64", "--input", "8", "--output", "256"]},
    # Ours has a model of no cost, llama-server the smallest that it can load.
    "overhead": {"slots": 64, "context": 512, "model": "tiny", "ours": f"{NULL_SERVER} --rate 100 --port {{port}}",
                 "work": ["--clients", "64", "--input", "8", "--output", "256"]},
}
QUICK = {"agents": ["--workload", "agents", "--clients", "2", "--input", "8", "--output", "4"],
         "stall": ["--workload", "stall", "--clients", "8", "--input", "1000"]}

# The figure of each row that is compared, and whether more is better.
FIGURES = {
    "streams-8": [("both_tok_s", True), ("ttft_ms.mean", False)],
    "streams-32": [("both_tok_s", True), ("ttft_ms.mean", False)],
    "agents": [("ttft_ms.mean", False), ("both_tok_s", True)],
    "stall": [("stall.p99_over_median", False), ("stall.p99_over_median_before", False), ("stall.p99_over_median_after", False), ("stall.gap_p99_during_ms", False), ("stall.foreign_ttft_ms", False)],
    "tiny": [("cpu_us_per_token", False), ("out_tok_s", True)],
    "overhead": [("cpu_us_per_token", False)],
}


def figure(run_of_server, name):
    value = run_of_server
    for part in name.split("."):
        value = value.get(part) if value else None
    return value


def measure(row, path, vocab, arguments):
    spec = ROWS[row]
    work = QUICK.get(row, spec["work"]) if arguments.quick else spec["work"]
    tokens = spec["context"] * spec["slots"]
    ours = spec.get("ours", f"{DRYSTONE} serve {path} --threads {arguments.threads} --context {spec['context']} "
                            f"--parallel {spec['slots']} --kv-tokens {tokens} {arguments.drystone_flags} "
                            f"--listen 127.0.0.1:{{port}}")
    theirs = (f"{os.environ.get('LLAMA_SERVER', 'llama-server')} -m {path} -t {arguments.threads} -c {tokens} "
              f"-np {spec['slots']} --no-webui --port {{port}}")
    out = run([SERVE_BENCH, "--server", f"drystone={ours}", "--server", f"llama-server={theirs}", "--vocab", str(vocab),
               "--repeat", str(arguments.repeat), "--json", *work], accepted=(0, 1))  # 1: requests failed
    runs = json.loads(out)["runs"]
    for one in runs:
        if one["failures"]:
            print(f"{row}: {one['server']} failed {one['failures']} requests: {one['errors']}", file=sys.stderr)
    return {name: [one for one in runs if one["server"] == name] for name in ("drystone", "llama-server")}


def median(runs, name):
    values = [value for value in (figure(one, name) for one in runs) if value is not None]
    return statistics.median(values) if values else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default=" ".join(ROWS))
    parser.add_argument("--type", default="q4_0")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--drystone-flags", default="")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    require(DRYSTONE, SERVE_BENCH, NULL_SERVER)
    origin = provenance(arguments.threads)

    rows = []
    for row in arguments.rows.split():
        tiny = arguments.quick or ROWS[row].get("model") == "tiny"
        path = model("tiny-llama" if tiny else "llama-1b", "q8_0" if tiny else arguments.type)
        runs = measure(row, path, 512 if tiny else 32000, arguments)
        for name, more_is_better in FIGURES[row]:
            our, their = median(runs["drystone"], name), median(runs["llama-server"], name)
            ratio = None
            if our and their:
                ratio = round(our / their if more_is_better else their / our, 2)
            models = f"none, {path.stem}" if "ours" in ROWS[row] else path.stem
            rows.append({**origin, "model": models, "work": row, "figure": name,
                         "drystone": our, "llama_server": their, "times_better": ratio, "repeats": arguments.repeat,
                         "failures": sum(one["failures"] for one in runs["drystone"])})
            print(f"{row:12} {name:24} drystone {our!s:>10}   llama-server {their!s:>10}   x {ratio}", flush=True)
    keep(rows, arguments.out)


if __name__ == "__main__":
    main()
