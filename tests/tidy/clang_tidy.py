#!/usr/bin/env python3
"""clang_tidy.py CLANG_TIDY BUILD_FOLDER: the checks of .clang-tidy over every source of src/ that this build compiles,
but for tests. What it finds in headers of libraries is theirs. Prints `file:line: sentence` for each finding."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FINDING = re.compile(r"^(?P<file>/[^:]+):(?P<line>\d+):\d+: (warning|error): (?P<sentence>.*)$")


def sources(build):
    entries = json.loads((build / "compile_commands.json").read_text())
    files = {pathlib.Path(entry["file"]) for entry in entries}
    return sorted(path for path in files if path.is_relative_to(ROOT / "src") and not path.stem.endswith("_test"))


def findings(clang_tidy, build, source):
    run = subprocess.run(
        [clang_tidy, "-p", build, "--quiet", source], capture_output=True, text=True, check=False
    )
    found = [match for match in map(FINDING.match, run.stdout.splitlines())
             if match and pathlib.Path(match["file"]).is_relative_to(ROOT)]
    lines = [f"{os.path.relpath(match['file'], ROOT)}:{match['line']}: {match['sentence']}" for match in found]
    if run.returncode != 0 and not lines:
        lines = [f"{source.relative_to(ROOT)}:1: clang-tidy failed: {run.stderr.strip()[-500:]}"]
    return lines


def main(arguments):
    clang_tidy, build = arguments[0], pathlib.Path(arguments[1])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda source: findings(clang_tidy, build, source), sources(build))
        found = sorted({line for lines in results for line in lines})
    print("\n".join(found) if found else "no findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
