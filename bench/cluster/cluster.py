"""Measures a model that is split over two hosts of one core each; see cluster.sh."""
import argparse
import csv
import io
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "tests" / "lab")]

from comparison import BUILD, DRYSTONE, keep, model, provenance, require  # noqa: E402
from lab import Lab, need_lab, wait_until  # noqa: E402

SERVE_BENCH = BUILD / "serve_bench"
LINK_PROXY = BUILD / "bench" / "cluster" / "link_proxy"
EXCHANGE_BENCH = BUILD / "bench" / "net" / "exchange_bench"


def prompt_speed(run):
    return run["prompt_tokens"] / run["requests"] * 1000 / run["ttft_ms"]["p50"]


# What is asked of an instance, and which figure of the answers counts.
WORKS = {
    "decode": {"ask": ["--clients", "1", "--requests", "3", "--input", "16", "--output", "64"],
               "speed": lambda run: 1000 / run["per_token_ms"]["p50"], "estimate": "one_stream_tok_s"},
    "prefill-512": {"ask": ["--clients", "1", "--requests", "3", "--input", "512", "--output", "1"],
                    "speed": prompt_speed, "estimate": "prefill_tok_s"},
    "prefill-2048": {"ask": ["--clients", "1", "--requests", "2", "--input", "2048", "--output", "1"],
                     "speed": prompt_speed, "estimate": "prefill_tok_s"},
    "streams-8": {"ask": ["--clients", "8", "--requests", "8", "--input", "16", "--output", "64"],
                  "speed": lambda run: run["together_tok_s"], "estimate": "many_streams_tok_s"},
}
QUICK = {"decode": ["--clients", "1", "--requests", "1", "--input", "8", "--output", "8"],
         "prefill-512": ["--clients", "1", "--requests", "1", "--input", "64", "--output", "1"],
         "prefill-2048": ["--clients", "1", "--requests", "1", "--input", "128", "--output", "1"],
         "streams-8": ["--clients", "8", "--requests", "8", "--input", "8", "--output", "16"]}
SPLITS = {"shards": ["--shards", "2"], "stages": ["--stages", "2"]}

# The rows: work, how it is split, and at least how many times one host.
ROWS = {
    "decode-shards": ("decode", "shards", 1.8),
    "prefill-512-shards": ("prefill-512", "shards", 1.8),
    "decode-stages": ("decode", "stages", 0.97),
    "streams-8-stages": ("streams-8", "stages", 1.85),
    "prefill-2048-stages": ("prefill-2048", "stages", 1.8),
}
CABLES = {"direct": None, "10g": (10_000, 25), "1g": (1_000, 100)}
LOAD = ["--context", "2560", "--streams", "8"]
EXCHANGE_WANTED = 1.5


def cable_of(name):
    if name in CABLES:
        return CABLES[name]
    mbit, _, delay = name.partition(":")
    return float(mbit), float(delay or 0)


class Cable:
    """What is between the two hosts: the lab's bridge, or link_proxy between the ends of their cables."""

    def __init__(self, lab, name):
        self.process = None
        if cable_of(name) is None:
            return
        mbit, delay = cable_of(name)
        ends = [lab.cable(1), lab.cable(2)]
        for end in ends:
            subprocess.run(["ip", "link", "set", end, "nomaster"], check=True)
            subprocess.run(["ip", "link", "set", end, "promisc", "on"], check=True)
            # A bridge end may have an address of its own; nothing but the proxy may speak there.
            subprocess.run(["ip", "addr", "flush", "dev", end], check=True)
        self.process = subprocess.Popen([LINK_PROXY, *ends, "--mbit", str(mbit), "--delay-us", str(delay)],
                                        stdout=subprocess.PIPE, text=True)
        lab.others.append(self.process)
        if not self.process.stdout.readline().startswith("carrying"):
            sys.exit(f"link_proxy ended with {self.process.wait()}")

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=10)


def serve_bench(lab, work, arguments, vocab):
    """Speeds of the rounds. The client runs beside the host that it asks, for one host as for two."""
    ask = QUICK[work] if arguments.quick else WORKS[work]["ask"]
    runs = []
    first = 1 + 1000 * list(WORKS).index(work)
    for seed in range(first, first + arguments.repeat):  # prompts of their own: none comes from the prefix cache
        done = lab.run_on(1, SERVE_BENCH, "--url", "http://127.0.0.1:8080", "--vocab", vocab, "--seed", seed,
                          "--json", *ask, check=False, timeout=3600)
        try:
            runs += json.loads(done.stdout)["runs"]
        except ValueError:
            sys.exit(f"serve_bench ended with {done.returncode}: {done.stderr}")
    for run in runs:
        if run["failures"]:
            sys.exit(f"{work}: {run['failures']} requests failed: {run['errors']}")
    speeds = [WORKS[work]["speed"](run) for run in runs if WORKS[work]["speed"](run)]
    return round(statistics.median(speeds), 2) if speeds else None


def estimate(node, path, work, split, arguments):
    """The planner's figure for such prompts, or None where something is not measured."""
    ask = QUICK[work] if arguments.quick else WORKS[work]["ask"]
    plan = node.json("plan", path, *LOAD, "--prompt-tokens", ask[ask.index("--input") + 1], *split)
    if not plan.get("offers"):
        return None
    figures = plan["offers"][0].get("estimate", {})
    value = figures.get(WORKS[work]["estimate"])
    return round(value, 2) if value else None


def wait_measured(nodes):
    """Until each node knows the figures of all, and of the link between them."""
    def measured(node):
        plan = node.json("plan", "pebble", *(["--stages", "2"] if len(nodes) > 1 else []))
        return plan["offers"] and not plan["offers"][0].get("estimate", {}).get("unknown", ["?"])
    for node in nodes:
        wait_until(120, lambda: measured(node), f"the figures of {node.name}")


def measure(lab, node, path, works, split, arguments, vocab):
    """{work: (speed, estimate)} of one placement; it is unloaded in the end."""
    estimates = {work: estimate(node, path, work, split, arguments) for work in works}
    node.cli("load", path, *LOAD, *split, timeout=600)
    speeds = {work: serve_bench(lab, work, arguments, vocab) for work in works}
    name = node.json("ps")[0]["model"]
    node.cli("unload", name)
    wait_until(60, lambda: not [one for one in node.json("ps") if one["state"] in ("ready", "loading")], "unloading")
    return {work: (speeds[work], estimates[work]) for work in works}


def llama_rpc(lab, path, works, layers, arguments):
    """{work: tok/s} of llama.cpp with a worker on host 2; empty without its commands."""
    worker, bench = os.environ.get("LLAMA_RPC_SERVER"), os.environ.get("LLAMA_BENCH")
    if not worker or not bench:
        return {}
    address = f"{lab.address(2)}:50052"
    process = lab.popen_on(2, *shlex.split(worker.replace("{address}", address)), stdout=subprocess.DEVNULL)
    time.sleep(2)
    try:
        prompts = {work: int(work.split("-")[1]) for work in works if work.startswith("prefill")}
        command = [*shlex.split(bench), "--rpc", address, "-m", path, "-t", 1, "-ngl", layers // 2, "-n",
                   8 if arguments.quick else 64, "-p", ",".join(map(str, sorted(prompts.values()))) or 0, "-r",
                   arguments.repeat, "-o", "json"]
        done = lab.run_on(1, *command, check=False, timeout=3600)
        if done.returncode:
            print(f"llama-bench ended with {done.returncode}: {done.stderr[-500:]}", file=sys.stderr)
            return {}
        rows = json.loads(done.stdout[done.stdout.index("["):])
    finally:
        process.kill()
    speeds = {}
    for row in rows:
        if row["n_gen"]:
            speeds["decode"] = round(row["avg_ts"], 2)
        for work, prompt in prompts.items():
            if row["n_prompt"] == prompt:
                speeds[work] = round(row["avg_ts"], 2)
    return speeds


def exchange(lab, origin, cable, arguments):
    """One all-reduce of 8 KB between two ranks, through TLS, against a plain ping-pong of the same bytes."""
    address = f"{lab.address(2)}:7410"
    server = lab.popen_on(2, EXCHANGE_BENCH, "serve", address)
    time.sleep(0.5)
    few = ["--rounds", "2", "--iterations", "20"] if arguments.quick else []
    done = lab.run_on(1, EXCHANGE_BENCH, *few, "connect", address, timeout=600)
    server.wait(timeout=10)
    rows = []
    for row in csv.DictReader(io.StringIO(done.stdout)):
        if row["what"] != "tls exchange" or row["spin_us"] == "0":
            continue
        ratio = float(row["times_plain_ping_pong"])
        print(f"{cable:8} all-reduce of {row['bytes']} B  {row['median_us']:>8} us   x {ratio:.2f} of a plain ping-pong"
              f" (wanted: under {EXCHANGE_WANTED})", flush=True)
        rows.append({**origin, "cable": cable, "work": "all-reduce-8k", "split": "shards", "figure": "us",
                     "measured": float(row["median_us"]), "one_host": "", "ratio": ratio, "wanted": EXCHANGE_WANTED,
                     "estimate": "", "estimate_error": "", "one_host_estimate": "", "llama_rpc": "", "times_llama": "",
                     "repeats": ""})
    return rows


def error_of(guess, measured):
    return round(guess / measured - 1, 3) if guess and measured else ""


def measure_cable(cable, path, vocab, layers, arguments, origin):
    wanted = {name: ROWS[name] for name in arguments.rows.split()}
    works = {work for work, _, _ in wanted.values()}
    rows = []
    with Lab(DRYSTONE, hosts=2) as lab:
        line = Cable(lab, cable)
        rows += exchange(lab, origin, cable, arguments)
        up = ["--threads", "1"]
        alone = lab.start(1, *up, name="alone")
        wait_measured([alone])
        single = measure(lab, alone, path, works, [], arguments, vocab)
        alone.stop()
        nodes = lab.cluster(1, 2, options=up)
        wait_measured(nodes)
        split = {way: measure(lab, nodes[0], path, {work for work, its, _ in wanted.values() if its == way},
                              SPLITS[way], arguments, vocab)
                 for way in SPLITS if any(its == way for _, its, _ in wanted.values())}
        for node in nodes:
            node.stop()
        theirs = llama_rpc(lab, path, works, layers, arguments)
        line.close()
    for name, (work, way, least) in wanted.items():
        speed, guess = split[way][work]
        base, base_guess = single[work]
        ratio = round(speed / base, 2) if speed and base else ""
        their = theirs.get(work, "")
        print(f"{cable:8} {name:20} two hosts {speed!s:>8} tok/s (estimate {guess})   one {base!s:>8} (estimate "
              f"{base_guess})   x {ratio} (wanted: {least})" + (f"   llama.cpp RPC {their}" if their else ""), flush=True)
        rows.append({**origin, "cable": cable, "work": work, "split": way, "figure": "tok_s", "measured": speed,
                     "one_host": base, "ratio": ratio, "wanted": least, "estimate": guess or "",
                     "estimate_error": error_of(guess, speed), "one_host_estimate": base_guess or "",
                     "llama_rpc": their, "times_llama": round(speed / their, 2) if their and speed else "",
                     "repeats": arguments.repeat})
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default=" ".join(ROWS))
    parser.add_argument("--cables", default="direct")
    parser.add_argument("--preset", default="llama-1b")
    parser.add_argument("--type", default="q4_0")
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--layers", type=int, default=16, help="of the model, for llama.cpp's half")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    need_lab()
    require(DRYSTONE, SERVE_BENCH, LINK_PROXY, EXCHANGE_BENCH)
    if arguments.quick:
        arguments.preset, arguments.type, arguments.vocab, arguments.repeat = "tiny-llama", "q8_0", 512, 1
    path = arguments.model or model(arguments.preset, arguments.type)
    if arguments.quick:
        LOAD[:] = ["--context", "512", "--streams", "8"]
    origin = {**provenance(1), "model": path.stem}
    rows = []
    for cable in arguments.cables.split():
        rows += measure_cable(cable, path, arguments.vocab, arguments.layers, arguments, origin)
    keep(rows, arguments.out)


if __name__ == "__main__":
    main()
