#!/usr/bin/env python3
"""headers_alone.py COMPILE_COMMANDS: each header of src/ compiles as the first line of a file, with the options of
the code beside it. Prints `file:line: sentence` for each that does not."""

import concurrent.futures
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARM_COMPILER = "aarch64-linux-gnu-g++"
KEPT_OPTIONS = ("-I", "-isystem", "-D", "-std=", "-m")


def options_by_folder(compile_commands):
    """{folder of src/: compiler options that decide whether a header is valid there}."""
    found = {}
    for entry in json.loads(pathlib.Path(compile_commands).read_text()):
        words = shlex.split(entry["command"])
        options = []
        for word, following in zip(words, words[1:] + [""]):
            if word == "-isystem":
                options += [word, following]
            elif word.startswith(KEPT_OPTIONS):
                options.append(word)
        folder = pathlib.Path(entry["file"]).parent
        found[folder] = list(dict.fromkeys(found.get(folder, []) + options)) if "-isystem" not in options else options
    return found


def options_for(header, found):
    folder = header.parent
    while folder not in found and folder != ROOT:
        folder = folder.parent
    return found.get(folder, ["-std=c++20", f"-I{ROOT}/src"])


def compile_alone(header, options):
    """The first error, or None."""
    compiler = "g++"
    if "neon" in header.as_posix():
        compiler, options = ARM_COMPILER, ["-std=c++20", "-DFMT_HEADER_ONLY", f"-I{ROOT}/src"]
        if not shutil.which(compiler):
            return None
    command = [compiler, *options, "-w", "-fsyntax-only", "-x", "c++", "-"]
    text = f'#include "{header.relative_to(ROOT / "src")}"\n'
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return None
    errors = [line for line in run.stderr.splitlines() if "error:" in line]
    return (errors or ["the compiler failed"])[0]


def main(arguments):
    found = options_by_folder(arguments[0])
    headers = sorted((ROOT / "src").rglob("*.h"))
    if not headers:
        print("src:1: there are no headers here")
        return 1
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda header: compile_alone(header, options_for(header, found)), headers))
    failed = [(header, error) for header, error in zip(headers, results) if error]
    for header, error in failed:
        print(f"{header.relative_to(ROOT)}:1: this header does not compile alone: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
