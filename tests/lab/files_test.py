"""A part of a model runs where its file is not: the node fetches what it needs from one that has it."""

import pathlib
import sys
import tempfile
import unittest

from lab import Lab, need_lab, run, wait_until

PROGRAM = sys.argv[1]
PROMPT = "What is a drystone wall?"
SIZE = ["--layers", 8, "--width", 512, "--ff", 1536, "--heads", 8, "--kv-heads", 4, "--vocab", 4096, "--type", "q8_0"]


class BlindLab(Lab):
    """Some hosts do not see `folder`, or have a small disk at their state folder."""

    def __init__(self, program, hosts, folder, blind, disk=None):
        super().__init__(program, hosts)
        self.hidden, self.blind, self.disk = folder, blind, disk

    def on(self, host):
        before = super().on(host)
        if host not in self.blind:
            return before
        mounts = f"mount -t tmpfs none '{self.hidden}'"
        if self.disk:
            state = self.folder / f"node{host}"
            state.mkdir(exist_ok=True)
            mounts += f" && mount -t tmpfs -o size={self.disk} none '{state}'"
        return [*before, "unshare", "-m", "sh", "-c", mounts + ' && exec "$@"', "blind"]


def bytes_below(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory(prefix="drystone-models-")
        cls.folder = pathlib.Path(cls.made.name)
        cls.model = cls.folder / "stone.gguf"
        run(PROGRAM, "synth", *SIZE, cls.model)
        cls.alone = run(PROGRAM, "run", cls.model, PROMPT, "--temperature", 0, "--max-tokens", 24).stdout

    @classmethod
    def tearDownClass(cls):
        cls.made.cleanup()

    def answer(self, node):
        return node.cli("run", "stone", PROMPT, "--temperature", "0", "--max-tokens", "24", timeout=120)

    # Only the tensors of the part go over the cable, and the text is that of one machine.
    def test_a_part_comes_from_a_peer(self):
        with BlindLab(PROGRAM, 2, self.folder, blind={2}) as lab:
            nodes = lab.cluster(1, 2)
            nodes[0].cli("load", self.model, "--stages", 2, "--head", "node1", timeout=120)
            for node in nodes:
                self.assertEqual(self.answer(node), self.alone)
            copied = bytes_below(nodes[1].state / "files")
            self.assertGreater(copied, self.model.stat().st_size // 10)
            self.assertLess(copied, self.model.stat().st_size * 7 // 10)
            self.assertFalse((nodes[0].state / "files").exists())

    # The node that was asked to load is gone: another one that has the file gives it.
    def test_any_node_that_has_the_file_gives_it(self):
        with BlindLab(PROGRAM, 3, self.folder, blind={3}) as lab:
            nodes = lab.cluster(1, 2, 3)
            nodes[1].cli("plan", self.model)  # from now on it knows the file
            nodes[0].cli("load", self.model, "--stages", 2, timeout=120)
            self.assertEqual(self.answer(nodes[2]), self.alone)
            nodes[0].kill()

            def on_the_others():
                for one in nodes[2].json("ps"):
                    names = {part["name"] for part in one["parts"]}
                    if one["model"] == "stone" and one["state"] == "ready" and names == {"node2", "node3"}:
                        return names
                return None
            wait_until(60, on_the_others, "an instance on those that are left")
            self.assertEqual(self.answer(nodes[2]), self.alone)

    # Said with figures, and nothing is left of the attempt.
    def test_a_full_disk_is_said(self):
        with BlindLab(PROGRAM, 2, self.folder, blind={2}, disk="6m") as lab:
            nodes = lab.cluster(1, 2)
            done = nodes[0].run_cli("load", self.model, "--nodes", "node2", timeout=120)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("is full", done.stderr)
            self.assertEqual(set(nodes[1].states().values()), {"alive"})


if __name__ == "__main__":
    need_lab()
    sys.argv = sys.argv[:1] + sys.argv[2:]
    unittest.main(verbosity=2)
