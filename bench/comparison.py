"""What the comparisons with llama.cpp share: programs, models, and the files of their results."""
import csv
import datetime
import os
import pathlib
import platform
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
DRYSTONE = BUILD / "drystone"


def run(command, env=None, accepted=(0,)):
    """What a program prints; its messages go where ours go. Ends with a sentence when it fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}, check=False)
    except FileNotFoundError:
        sys.exit(f"{sys.argv[0]}: there is no program {command[0]}; the head of the .sh file says how to name another")
    if done.returncode not in accepted:
        sys.exit(f"{sys.argv[0]}: {shlex.join(map(str, command))} failed with {done.returncode}")
    return done.stdout


def require(*programs):
    for program in programs:
        if not program.exists():
            sys.exit(f"{sys.argv[0]}: {program} is missing; build it: cmake --preset release && "
                     f"cmake --build --preset release --target {program.name}")


def model(preset, kind):
    """The path of a synthetic model, which is made when it is missing."""
    folder = pathlib.Path(os.environ.get("MODELS", pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / "drystone-bench"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{preset}-{kind}.gguf"
    if not path.exists():
        run([DRYSTONE, "synth", "--preset", preset, "--type", kind, "--context", "16384", "--seed", "1", path])
    return path


def machine():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def provenance(threads):
    """The first columns of a row: what was measured when, and on what."""
    commit = run(["git", "-C", ROOT, "describe", "--always", "--dirty"]).strip()
    return {"date": datetime.date.today().isoformat(), "commit": commit, "machine": machine(), "threads": threads}


def keep(rows, path):
    """Appends rows to a file of results."""
    if not path or not rows:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists()
    if not fresh and path.open().readline().strip() != ",".join(rows[0]):
        sys.exit(f"{sys.argv[0]}: {path} has other columns than these rows; choose another file")
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        if fresh:
            writer.writeheader()
        writer.writerows(rows)
