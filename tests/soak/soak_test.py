#!/usr/bin/env python3
"""soak_test.py DRYSTONE SERVE_BENCH SECONDS [--any-memory]: a mixed load of requests that are cancelled, wrong, too long
or not read. Every request must end as it should, the memory stay flat after a warm-up, the engine be idle at the end and
the server stop when asked."""
import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.request

CONTEXT = 512
WARM_UP = 0.3  # of the time
GROWTH_BYTES_MAX = 24 << 20
IDLE_SECONDS_MAX = 20
STOP_SECONDS_MAX = 10


def start(program):
    server = subprocess.Popen([program, "serve", "pebble", "--context", str(CONTEXT), "--listen", "127.0.0.1:0",
                               "--log-level", "error"], stdout=subprocess.PIPE, text=True)
    for line in server.stdout:
        address = re.search(r"http://[0-9.:]+", line)
        if address:
            return server, address[0]
    sys.exit(f"soak: the server ended with {server.wait()} before it was ready")


def load(arguments, url, seconds, seed):
    done = subprocess.run([arguments.serve_bench, "--url", url, "--workload", "soak", "--clients", "12", "--duration",
                           str(seconds), "--input", "60", "--output", "24", "--prompts", "text", "--stalled-seconds", "1",
                           "--timeout", "120", "--warm-up", "0", "--seed", str(seed), "--json"],
                          stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"soak: serve_bench failed with {done.returncode}")
    run = json.loads(done.stdout)["runs"][0]
    print(f"soak: {run['requests']} requests in {run['wall_s']:.0f} s: {run['behaviours']}, errors {run['errors']}", flush=True)
    return run


def resident_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def metric(url, name):
    with urllib.request.urlopen(url + "/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return float(re.search(rf"^{re.escape(name)}(?:{{.*}})? (\S+)$", text, re.MULTILINE)[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("drystone")
    parser.add_argument("serve_bench")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--any-memory", action="store_true")
    arguments = parser.parse_args()
    if not os.path.exists("/proc/self/status"):
        print("skipped: there is no /proc here to read a program's memory from")
        sys.exit(77)

    server, url = start(arguments.drystone)
    wrong = []
    try:
        runs = [load(arguments, url, arguments.seconds * WARM_UP, 1)]
        warm = resident_bytes(server.pid)
        runs.append(load(arguments, url, arguments.seconds * (1 - WARM_UP), 2))
        growth = resident_bytes(server.pid) - warm
        print(f"soak: {warm / 1e6:.1f} MB after the warm-up, {growth / 1e6:+.1f} MB since")
        if growth > GROWTH_BYTES_MAX and not arguments.any_memory:
            wrong.append(f"the memory grew by {growth / 1e6:.1f} MB")
        for run in runs:
            if run["failures"]:
                wrong.append(f"{run['failures']} requests ended as they should not: {run['errors']}")
            if run["completion_tokens"] == 0:
                wrong.append("no request was answered, so nothing was tested")
        deadline = time.monotonic() + IDLE_SECONDS_MAX
        names = ("vllm:num_requests_running", "vllm:num_requests_waiting")
        while any(metric(url, name) for name in names):
            if time.monotonic() > deadline:
                wrong.append(f"{[metric(url, name) for name in names]} requests still run and wait")
                break
            time.sleep(0.1)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            code = server.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            server.kill()
            code = "no end in time"
    if code != 0:
        wrong.append(f"the server ended with {code}")
    for sentence in wrong:
        print(f"soak: {sentence}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
