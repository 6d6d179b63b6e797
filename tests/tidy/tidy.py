#!/usr/bin/env python3
"""tidy.py [ROOT]: the rules of the house that a reader of one file cannot see. Prints `file:line: sentence` for each
breach; exit status 1 if there is any."""

import pathlib
import re
import subprocess
import sys

# Which room of src/ may include which; a folder below a room belongs to it. docs/architecture.md says why.
ROOMS = ["base", "compute", "net", "model", "store", "cluster", "engine", "serve", "app"]
MAY_INCLUDE = {
    "base": [],
    "compute": ["base"],
    "net": ["base"],
    "store": ["base"],
    "cluster": ["base"],
    "model": ["base", "compute"],
    "engine": ["base", "compute", "model"],
    "serve": [room for room in ROOMS if room != "app"],
    "app": ROOMS,
}

# The folders of src/app/node, of which each may include those before it. What ties them together lies beside them.
NODE_FOLDERS = ["wire", "state", "measure", "models", "peers", "members", "figures", "instances", "api"]

FILE_BYTES_MAX = 1 << 20
MAY_BE_LARGE = re.compile(r"models/pebble/[^/]*\.gguf")

CODE = (".h", ".cpp", ".cc", ".inc")
INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')
WALL_CLOCK = re.compile(
    r"\b(system_clock|utc_clock|tai_clock|file_clock)\s*::\s*now\b"
    r"|\bgettimeofday\s*\(|\bCLOCK_REALTIME\b|\b(std::)?time\s*\(\s*(nullptr|NULL|0|&\w+)\s*\)"
)
LEFT_OVER = re.compile(r"\bFIX" + r"ME\b")
MACHINE_PATH = re.compile(r"(?<![\w.}])/(work|root)/")


def is_test(path):
    return path.stem.endswith("_test") or path.stem.startswith("test_")


def check_include(path, target):
    """A sentence on what is wrong with `#include "target"` in src/..., or None."""
    room, folder = path.parts[1], target.split("/")[0]
    if folder not in ROOMS:
        return f'write the include of "{target}" from src/, beginning with its room'
    if folder != room and folder not in MAY_INCLUDE.get(room, []):
        allowed = ", ".join(MAY_INCLUDE.get(room, [])) or "nothing"
        return f'{room} must not include "{target}": it may use {allowed} besides itself'
    if path.parts[1:3] == ("serve", "http") and target.startswith("serve/api/") and not is_test(path):
        return f'serve/http knows no dialect, so it must not include "{target}"'
    if path.parts[1:3] == ("app", "node") and len(path.parts) > 4 and target.startswith("app/node/"):
        folder, included = path.parts[3], target.split("/")[2]
        allowed = NODE_FOLDERS[: NODE_FOLDERS.index(folder) + 1] if folder in NODE_FOLDERS else []
        if included not in allowed:
            return f'app/node/{folder} must not include "{target}": only what stands before it in NODE_FOLDERS'
    return None


def check_line(path, line):
    """Sentences on one line of a text file."""
    if LEFT_OVER.search(line):
        yield "this says that something is to be fixed: fix it or open an issue"
    if MACHINE_PATH.search(line):
        yield "this names a path of one machine: make it relative or an option"
    if path.suffix not in CODE or path.parts[0] != "src" or len(path.parts) < 3:
        return
    include = INCLUDE.match(line)
    if include:
        sentence = check_include(path, include[1])
        if sentence:
            yield sentence
    if path.parts[1] != "base" and WALL_CLOCK.search(line.split("//")[0]):
        yield "only src/base reads the wall clock: take a Clock (base/clock.h) instead"


def check_file(root, path):
    """(line number, sentence) for each breach in one file."""
    data = (root / path).read_bytes()
    if len(data) > FILE_BYTES_MAX and not MAY_BE_LARGE.fullmatch(path.as_posix()):
        yield 1, f"this file has {len(data)} bytes: at most {FILE_BYTES_MAX} may be kept in the repository"
    if b"\0" in data[:8192]:
        return
    text = data.decode("utf-8", errors="replace")
    if path.suffix == ".h" and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield 1, "a header needs `#pragma once`"
    for number, line in enumerate(text.splitlines(), 1):
        for sentence in check_line(path, line):
            yield number, sentence


def project_files(root):
    """What is or would be committed; without git, everything but build folders."""
    git = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if git.returncode == 0 and git.stdout:
        paths = [pathlib.Path(name) for name in git.stdout.split("\0") if name]
    else:
        paths = [path.relative_to(root) for path in root.rglob("*")]
    outside = {"build", "node_modules", ".git"}
    return sorted(path for path in paths if (root / path).is_file() and not outside & set(path.parts))


def breaches(root):
    for path in project_files(root):
        for number, sentence in check_file(root, path):
            yield f"{path}:{number}: {sentence}"


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else ".").resolve()
    if not project_files(root):
        print(f"{root}:1: there are no files to check here")
        return 1
    found = list(breaches(root))
    print("\n".join(found) if found else "tidy")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
