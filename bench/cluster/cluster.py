"""Measures a model that is split over two hosts of one core each; see cluster.sh."""
import argparse
import csv
import io
import json
import os
import pathlib
import shlex
import shutil
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
API = "http://127.0.0.1:8080"
COLUMNS = ["date", "commit", "machine", "threads", "model", "cable", "work", "split", "figure", "measured", "one_host",
           "ratio", "beside", "ratio_beside", "wanted", "estimate", "estimate_error", "estimate_error_beside",
           "one_host_estimate", "llama_rpc", "times_llama", "repeats"]


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


def bench_command(host_url_model, work, arguments, seed, *more):
    url, name = host_url_model
    ask = QUICK[work] if arguments.quick else WORKS[work]["ask"]
    return [SERVE_BENCH, "--url", url, "--model", name, "--vocab", arguments.vocab, "--seed", seed, *ask, *more]


def serve_bench(lab, work, asked, arguments, round_):
    """The speed. The client runs beside the host that it asks, for one host as for two."""
    seed = 1 + 1000 * list(WORKS).index(work) + round_  # prompts of their own: none comes from the prefix cache
    done = lab.run_on(1, *bench_command(asked, work, arguments, seed, "--json"), check=False, timeout=3600)
    try:
        run, = json.loads(done.stdout)["runs"]
    except ValueError:
        sys.exit(f"serve_bench ended with {done.returncode}: {done.stderr}")
    if run["failures"]:
        sys.exit(f"{work}: {run['failures']} requests failed: {run['errors']}")
    return WORKS[work]["speed"](run)


def estimate(node, path, work, where, arguments):
    """The planner's figure for such prompts, or None where something is not measured."""
    ask = QUICK[work] if arguments.quick else WORKS[work]["ask"]
    plan = node.json("plan", path, *LOAD, "--prompt-tokens", ask[ask.index("--input") + 1], *where)
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


class Loaded:
    """A model that is loaded as long as the `with` lasts; its name."""

    def __init__(self, node, path, where):
        self.node, self.path, self.where, self.name = node, path, where, path.stem

    def __enter__(self):
        self.node.cli("load", self.path, *LOAD, *self.where, timeout=600)
        return self.name

    def __exit__(self, *_):
        self.node.cli("unload", self.name)
        gone = lambda: self.name not in [one["model"] for one in self.node.json("ps") if one.get("parts")]  # noqa: E731
        wait_until(60, gone, "unloading")


def measure_split(lab, node, path, works, way, arguments, round_):
    with Loaded(node, path, SPLITS[way]) as name:
        return {(way, work): serve_bench(lab, work, (API, name), arguments, round_) for work in works}


def measure_one(lab, nodes, path, works, arguments, round_):
    """One host with the other at rest, and beside the other that does the same with a copy of its own."""
    speeds = {}
    with Loaded(nodes[0], path, ["--nodes", nodes[0].name]) as name:
        for work in works:
            speeds["one", work] = serve_bench(lab, work, (API, name), arguments, round_)
        copy = lab.folder / f"{path.stem}-copy.gguf"  # a link would be the same model
        if not copy.exists():
            shutil.copyfile(path, copy)
        with Loaded(nodes[1], copy, ["--nodes", nodes[1].name]) as other:
            for work in works:
                # From its own client, until it is stopped.
                busy = lab.popen_on(2, *bench_command((API, other), work, arguments, 500_000 + round_, "--duration", 3600),
                                    stdout=subprocess.DEVNULL)
                time.sleep(1)
                speeds["beside", work] = serve_bench(lab, work, (API, name), arguments, round_ + 100)
                if busy.poll() is not None:  # then nothing worked beside, for all or some of the time
                    sys.exit(f"{work}: the client of the host beside ended with {busy.returncode} before the measurement did")
                busy.kill()
                busy.wait()
                time.sleep(0.5)
    return speeds


def llama_rpc(lab, path, works, layers, arguments):
    """{("rpc", work): tok/s} of llama.cpp with a worker on host 2; empty without its commands."""
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
                   1, "-o", "json"]
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
            speeds["rpc", "decode"] = row["avg_ts"]
        for work, prompt in prompts.items():
            if row["n_prompt"] == prompt:
                speeds["rpc", work] = row["avg_ts"]
    return speeds


def exchange(lab, origin, cable, arguments):
    """A sum of 8 KB over two ranks, and an exchange of 8 KB, through TLS, against a plain ping-pong of 8 KB."""
    address = f"{lab.address(2)}:7410"
    server = lab.popen_on(2, EXCHANGE_BENCH, "serve", address)
    time.sleep(0.5)
    few = ["--rounds", "2", "--iterations", "20"] if arguments.quick else []
    done = lab.run_on(1, EXCHANGE_BENCH, *few, "connect", address, timeout=600)
    server.wait(timeout=10)
    rows = []
    for row in csv.DictReader(io.StringIO(done.stdout)):
        work = {"tls sum": "all-reduce-8k", "tls exchange": "exchange-8k"}.get(row["what"])
        if work is None or row["spin_us"] == "0":
            continue
        ratio = float(row["times_plain_ping_pong"])
        print(f"{cable:8} {work} {row['median_us']:>8} us   x {ratio:.2f} of a plain ping-pong"
              f" (wanted: under {EXCHANGE_WANTED})", flush=True)
        rows.append({**origin, "cable": cable, "work": work, "split": "shards", "figure": "us",
                     "measured": float(row["median_us"]), "ratio": ratio, "wanted": EXCHANGE_WANTED})
    return rows


def measure_cable(cable, path, layers, arguments, origin):
    """Rounds in which all ways take turns: this machine's memory is faster and slower for minutes at a time."""
    wanted = {name: ROWS[name] for name in arguments.rows.split()}
    works = sorted({work for work, _, _ in wanted.values()})
    of_way = {way: [work for work, its, _ in wanted.values() if its == way] for way in SPLITS}
    rounds = []
    with Lab(DRYSTONE, hosts=2, share_figures=False) as lab:
        line = Cable(lab, cable)
        rows = exchange(lab, origin, cable, arguments)
        nodes = lab.cluster(1, 2, options=["--threads", "1"])
        wait_measured(nodes)
        alone = ["--nodes", nodes[0].name]
        guesses = {("one", work): estimate(nodes[0], path, work, alone, arguments) for work in works}
        guesses |= {(way, work): estimate(nodes[0], path, work, SPLITS[way], arguments)
                    for way in SPLITS for work in of_way[way]}
        for round_ in range(arguments.repeat):
            speeds = measure_one(lab, nodes, path, works, arguments, round_)
            for way in SPLITS:
                if of_way[way]:
                    speeds |= measure_split(lab, nodes[0], path, of_way[way], way, arguments, round_)
            print({f"{way} {work}": round(value, 1) for (way, work), value in speeds.items() if value}, file=sys.stderr)
            rounds.append(speeds | llama_rpc(lab, path, works, layers, arguments))
        for node in nodes:
            node.stop()
        line.close()
    for name, (work, way, least) in wanted.items():
        rows.append(row_of(rounds, guesses, work, way) | {"wanted": least})
        shown = " ".join(f"{key} {value}" for key, value in rows[-1].items() if value and key not in ("work", "split"))
        print(f"{cable:8} {name:20} {shown}", flush=True)
        rows[-1] = {**origin, "cable": cable, **rows[-1], "figure": "tok_s", "repeats": arguments.repeat}
    return rows


def row_of(rounds, guesses, work, way):
    """Medians of the rounds, ratios being those of each round."""
    def median(values):
        values = [value for value in values if value]
        return round(statistics.median(values), 2) if values else ""

    def speed(of):
        return median(speeds.get((of, work)) for speeds in rounds)

    def ratio(of, by):
        return median(speeds[of, work] / speeds[by, work] for speeds in rounds
                      if speeds.get((of, work)) and speeds.get((by, work)))

    def error(guess):
        return round(guess / measured - 1, 3) if guess and measured else ""

    measured, guess = speed(way), guesses[way, work]
    return {"work": work, "split": way, "measured": measured, "one_host": speed("one"), "ratio": ratio(way, "one"),
            "beside": speed("beside"), "ratio_beside": ratio(way, "beside"), "estimate": guess or "",
            "estimate_error": error(guess), "estimate_error_beside": error((guess or 0) * (ratio("beside", "one") or 0)),
            "one_host_estimate": guesses["one", work] or "", "llama_rpc": speed("rpc"), "times_llama": ratio(way, "rpc")}


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
        rows += measure_cable(cable, path, arguments.layers, arguments, origin)
    keep([{column: row.get(column, "") for column in COLUMNS} for row in rows], arguments.out)


if __name__ == "__main__":
    main()
