"""The drystone program as a test sees it: run a command, look at what came out."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

PROGRAM = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared"
STORIES = SHARED / "data/models/stories260K.gguf"
DEMO = pathlib.Path(__file__).resolve().parents[2] / "models/pebble/pebble.gguf"


def needs(path):
    return unittest.skipUnless(path.exists(), f"needs {path.name}, which is not here")


def ask(url, path, body):
    """(status, answer) of an API."""
    request = urllib.request.Request(url + path, json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class ProgramTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def start(self, *args, stdin="", exit_code=0, env=None):
        done = subprocess.run([PROGRAM, *map(str, args)], input=stdin.encode(), capture_output=True, timeout=120, env=env)
        self.assertEqual(done.returncode, exit_code, done.stderr.decode())
        return done

    def output(self, *args, **kwargs):
        return self.start(*args, **kwargs).stdout.decode()

    def error(self, *args, exit_code=1, **kwargs):
        done = self.start(*args, exit_code=exit_code, **kwargs)
        self.assertEqual(done.stdout, b"")
        return done.stderr.decode()


def main():
    unittest.main(argv=[sys.argv[0]])
