#!/usr/bin/env python3
"""soak_test.py DRYSTONE SERVE_BENCH SECONDS [--any-memory]: a mixed load of requests that are cancelled, wrong, too long
or not read, on a server whose prefix cache goes on in a small file. Every request must end as it should, the memory stay
flat after a warm-up, pages of memory and of the file be what they should at the end and the server stop when asked."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from soaked_server import SoakedServer

WARM_UP = 0.3  # of the time
PIECE_SECONDS_MAX = 300  # the memory is looked at after each
GROWTH_BYTES_MAX = 24 << 20
IDLE_SECONDS_MAX = 20


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


def wrong_with_run(run):
    if run["failures"]:
        yield f"{run['failures']} requests ended as they should not: {run['errors']}"
    if run["completion_tokens"] == 0:
        yield "no request was answered, so nothing was tested"


def soak(arguments, server):
    """All loads, one after the other. Sentences on what went wrong."""
    seed = 1
    yield from wrong_with_run(load(arguments, server.url, arguments.seconds * WARM_UP, seed))
    warm = most = server.resident_bytes()
    print(f"soak: {warm / 1e6:.1f} MB after the warm-up", flush=True)
    left = arguments.seconds * (1 - WARM_UP)
    pieces = max(1, round(left / PIECE_SECONDS_MAX))
    for _ in range(pieces):
        seed += 1
        yield from wrong_with_run(load(arguments, server.url, left / pieces, seed))
        now = server.resident_bytes()
        most = max(most, now)
        print(f"soak: {now / 1e6:.1f} MB, {(now - warm) / 1e6:+.1f} MB since the warm-up", flush=True)
    if most - warm > GROWTH_BYTES_MAX and not arguments.any_memory:
        yield f"the memory grew by {(most - warm) / 1e6:.1f} MB"


def wrong_at_rest(server):
    """What must hold when no request is left."""
    names = ("vllm:num_requests_running", "vllm:num_requests_waiting", "drystone_kv_pages_in_use")
    deadline = time.monotonic() + IDLE_SECONDS_MAX
    while any(server.metric(name) for name in names):
        if time.monotonic() > deadline:
            yield f"{[server.metric(name) for name in names]} requests still run and wait, and pages are in use"
            return
        time.sleep(0.1)


def wrong_with_tier(server):
    """Whether the pages of the file are what was written there: the same questions before and after others have pushed
    them out of memory must have the same answers, read from the file."""
    before = server.tier()
    # Three pages each: the others are more than memory holds, and all together less than the file.
    familiar = [f"Story {number}. " + "The fox went over the hill to see the sea. " * 14 for number in range(4)]
    others = [f"Letter {number}. " + "Dear friend, the ship came home with salt and tea. " * 14 for number in range(14)]
    first = [server.complete(prompt) for prompt in familiar]
    for prompt in others:
        server.complete(prompt)
    again = [server.complete(prompt) for prompt in familiar]
    after = server.tier()
    print(f"soak: the file holds {after['pages_in_use']:.0f} of {after['pages']:.0f} pages of {after['page_bytes']:.0f} bytes; "
          f"{after['stored_pages_total']:.0f} stored, {after['restored_pages_total']:.0f} restored, "
          f"{after['dropped_pages_total']:.0f} dropped, {after['failed_pages_total']:.0f} failed", flush=True)
    if first != again:
        yield "pages that came back from the file changed an answer"
    if after["restored_pages_total"] <= before["restored_pages_total"]:
        yield "no page came back from the file, so its pages were not tested"
    if after["failed_pages_total"]:
        yield f"{after['failed_pages_total']:.0f} pages of the file could not be written, or not be read as written"
    if not min(after["stored_pages_total"], after["pages"]) <= after["pages_in_use"] <= after["pages"]:
        yield f"{after['pages_in_use']:.0f} pages of the file are in use, of {after['pages']:.0f}"
    size = server.tier_file_bytes()
    if not 0 < size <= server.TIER_BYTES_MAX:
        yield f"the file of the pages has {size} bytes, at most {server.TIER_BYTES_MAX} are meant for it"


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

    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        server = SoakedServer(arguments.drystone, folder)
        try:
            wrong += soak(arguments, server)
            wrong += wrong_at_rest(server)
            wrong += wrong_with_tier(server)
            wrong += wrong_at_rest(server)
        finally:
            code = server.stop()
        if code != 0:
            wrong.append(f"the server ended with {code}")
        if left := os.listdir(folder):
            wrong.append(f"the server left {left} behind")
    for sentence in wrong:
        print(f"soak: {sentence}")
    print("soak: " + ("failed" if wrong else "all is as it should be"))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
