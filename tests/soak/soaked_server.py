"""A server program that a soak test starts, asks for its numbers and stops."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request

STOP_SECONDS_MAX = 10
ASK_SECONDS_MAX = 60


class SoakedServer:
    CONTEXT = 512
    TIER_BYTES_MAX = 8 << 20  # more pages than memory has, few enough to make room all the time

    def __init__(self, program, folder):
        """Returns when it is ready. The second tier of its prefix cache is a file in `folder`."""
        self.folder = folder
        self.process = subprocess.Popen(
            [program, "serve", "pebble", "--context", str(self.CONTEXT), "--listen", "127.0.0.1:0", "--log-level", "error",
             "--kv-disk", str(self.TIER_BYTES_MAX), "--kv-disk-dir", folder], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            address = re.search(r"http://[0-9.:]+", line)
            if address:
                self.url = address[0]
                return
        sys.exit(f"soak: the server ended with {self.process.wait()} before it was ready")

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def tier_file_bytes(self):
        """Of what it holds open in its folder; the file has no name."""
        descriptors = pathlib.Path(f"/proc/{self.process.pid}/fd")
        open_here = [one for one in descriptors.iterdir() if os.readlink(one).startswith(self.folder + "/")]
        return sum(one.stat().st_size for one in open_here)

    def metric(self, name):
        with urllib.request.urlopen(self.url + "/metrics", timeout=ASK_SECONDS_MAX) as answer:
            text = answer.read().decode()
        return float(re.search(rf"^{re.escape(name)}(?:{{.*}})? (\S+)$", text, re.MULTILINE)[1])

    def tier(self):
        names = ("pages", "pages_in_use", "page_bytes", "stored_pages_total", "restored_pages_total", "dropped_pages_total",
                 "failed_pages_total")
        return {name: self.metric(f"drystone_kv_disk_{name}") for name in names}

    def complete(self, prompt):
        """The text that the model is surest of."""
        body = json.dumps({"prompt": prompt, "max_tokens": 16, "temperature": 0, "ignore_eos": True}).encode()
        request = urllib.request.Request(self.url + "/v1/completions", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=ASK_SECONDS_MAX) as answer:
            return json.load(answer)["choices"][0]["text"]

    def stop(self):
        """As a service manager would. Its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "no end in time"
