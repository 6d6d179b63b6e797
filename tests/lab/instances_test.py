"""Models split over real processes: every node answers alike, and goes on answering when one of them is lost."""

import shutil
import sys
import time
import unittest

from lab import Lab, need_lab, run, wait_until
from serving import Answer, shape, wait_ready

PROGRAM = sys.argv[1]
PROMPT = "What is a drystone wall?"
TOKENS = 160


class Pebble(unittest.TestCase):
    # Whoever asks cannot tell a split model from a whole one, nor one node from another.
    def test_every_node_answers_as_one_would(self):
        alone = run(PROGRAM, "run", "pebble", PROMPT, "--temperature", 0).stdout
        with Lab(PROGRAM, hosts=3) as lab:
            nodes = lab.cluster(1, 2, 3)
            for wish, parts in ((["--stages", 3], 3), (["--stages", 2], 2), (["--shards", 2], 2),
                                (["--nodes", "node2"], 1)):
                with self.subTest(wish=wish):
                    nodes[1].cli("load", "pebble", *wish)
                    self.assertEqual(len(shape(nodes[0], "pebble")[2]), parts)
                    for node in nodes:
                        wait_ready(node, "pebble")
                        self.assertEqual(node.cli("run", "pebble", PROMPT, "--temperature", 0), alone)
            nodes[2].cli("unload", "pebble")
            for node in nodes:
                wait_until(10, lambda: not node.json("ps"), "nothing is held")
            again = nodes[0].run_cli("unload", "pebble")
            self.assertEqual(again.returncode, 1)
            self.assertIn("not loaded", again.stderr)

    def test_what_can_never_fit_is_refused_at_once(self):
        with Lab(PROGRAM, hosts=1) as lab:
            node = lab.start(1, "--memory", "0.001")
            refused = node.run_cli("load", "pebble")
            self.assertEqual(refused.returncode, 1)
            self.assertIn("needs", refused.stderr)
            self.assertEqual(node.json("ps"), [])
            planned = node.run_cli("plan", "pebble")
            self.assertEqual(planned.returncode, 1)
            self.assertIn("What cannot be", planned.stdout)


class Networks(unittest.TestCase):
    # An interface promises a speed; which one is better only measuring tells, and then plans and streams must agree.
    def test_streams_take_the_network_that_was_measured_faster(self):
        with Lab(PROGRAM, hosts=2, networks=2) as lab:
            for host in (1, 2):
                lab.slow(host, network=0)
            nodes = lab.cluster(1, 2)
            for node in nodes:
                wait_until(60, lambda: [link["from_interface"] for link in node.json("nodes")[0].get("links", []) if link["used"]] == ["eth1"],
                           "the second network is the better one")
            for head in ("node1", "node2"):
                before = [lab.connections(host) for host in (1, 2)]
                nodes[0].cli("load", "pebble", "--stages", 2, "--head", head, "--context", 512)
                new = [lab.connections(host) - known for host, known in zip((1, 2), before)]
                for each in new:
                    self.assertTrue(each)
                    self.assertEqual({peer.rsplit(".", 2)[0] for _, peer in each}, {"10.91"}, new)
                nodes[0].cli("unload", "pebble")
                wait_until(10, lambda: not nodes[1].json("ps"), "nothing is held")


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = "walls"
        cls.lab = Lab(PROGRAM, hosts=3)
        cls.lab.__enter__()
        cls.file = cls.lab.folder / f"{cls.model}.gguf"
        run(PROGRAM, "synth", "--type", "q8_0", "--layers", 12, "--width", 1024, "--ff", 4096, "--heads", 16, "--kv-heads",
            8, "--vocab", 8000, "--context", 1024, cls.file)
        cls.expected = run(PROGRAM, "run", cls.file, PROMPT, "--temperature", 0, "--max-tokens", TOKENS,
                           timeout=300).stdout.encode()

    @classmethod
    def tearDownClass(cls):
        cls.lab.__exit__(None, None, None)

    def cluster(self):
        nodes = self.lab.cluster(1, 2, 3, options=("--threads", 1))
        self.addCleanup(self.forget, nodes)
        return nodes

    def forget(self, nodes):
        for node in nodes:
            if node.process.poll() is None:
                node.thaw()
                node.kill()
            shutil.rmtree(node.state, ignore_errors=True)
            self.lab.nodes.remove(node)

    def struck(self, nodes, victim, epoch, strike):
        """The other nodes, which are ready again; their answers, which the fault met in the midst; what had come of them."""
        others = [node for node in nodes if node is not victim]
        for node in others:
            wait_ready(node, self.model)
        answers = [Answer(self.lab, node, self.model, PROMPT, TOKENS) for node in others]
        for answer in answers:
            answer.wait_begun()
        begun = [answer.text() for answer in answers]
        struck = time.monotonic()
        strike(victim)
        wait_ready(others[0], self.model, epoch + 1)
        print(f"{victim.name} was struck: ready again after {time.monotonic() - struck:.1f} s")
        return others, answers, begun

    def fault(self, part, strike, heal):
        """One of the parts' nodes is struck in the midst of an answer that a client of another node reads."""
        nodes = self.cluster()
        nodes[0].cli("load", str(self.file), "--stages", 2, "--context", 512)
        _, epoch, names = wait_ready(nodes[0], self.model)
        victim = next(node for node in nodes if node.name == names[part])
        _, answers, _ = self.struck(nodes, victim, epoch, strike)
        for answer in answers:
            self.assertEqual(answer.whole(), self.expected)
        # It comes back, and the cluster is as before.
        heal(victim)
        self.lab.wait_alive(nodes)
        wait_ready(victim, self.model, epoch + 1)
        self.assertEqual(Answer(self.lab, victim, self.model, PROMPT, TOKENS).whole(), self.expected)

    def test_a_worker_is_killed(self):
        self.fault(1, lambda node: node.kill(), lambda node: node.start().wait_up())

    def test_the_head_is_killed(self):
        self.fault(0, lambda node: node.kill(), lambda node: node.start().wait_up())

    def test_a_worker_freezes(self):
        self.fault(1, lambda node: node.freeze(), lambda node: node.thaw())

    def test_the_head_freezes(self):
        self.fault(0, lambda node: node.freeze(), lambda node: node.thaw())

    def rank_fault(self, strike, heal):
        """A rank of two shards is struck in the midst of answers. Where the new cut is the old one, so is the text."""
        nodes = self.cluster()
        nodes[0].cli("load", str(self.file), "--shards", 2, "--context", 512)
        _, epoch, names = wait_ready(nodes[0], self.model)
        cut = self.cut(nodes[0])
        before = Answer(self.lab, nodes[0], self.model, PROMPT, TOKENS).whole()
        victim = next(node for node in nodes if node.name == names[1])
        others, answers, begun = self.struck(nodes, victim, epoch, strike)
        for answer, start in zip(answers, begun):
            whole = answer.whole()
            self.assertEqual(answer.process.returncode, 0, whole)
            self.assertTrue(whole.startswith(start), (start, whole))
            if self.cut(others[0]) == cut:
                self.assertEqual(whole, before)
            else:
                print("the new cut is another one:", cut, self.cut(others[0]))
        heal(victim)
        self.lab.wait_alive(nodes)

    def cut(self, node):
        """What each rank has of the heads."""
        return [part["kv_heads"] for one in node.json("ps") if one["model"] == self.model for part in one["parts"]]

    def test_a_rank_is_killed(self):
        self.rank_fault(lambda node: node.kill(), lambda node: node.start().wait_up())

    # The others wait for its sums, and cannot go on without.
    def test_a_rank_freezes(self):
        self.rank_fault(lambda node: node.freeze(), lambda node: node.thaw())

    # Fewer replicas are wanted while answers run: each goes on where the model still is.
    def test_fewer_replicas_end_no_answer(self):
        nodes = self.cluster()
        wish = ("--nodes", "node2,node3", "--context", 512)
        nodes[0].cli("load", str(self.file), "--replicas", 2, *wish)
        answers = [Answer(self.lab, nodes[0], self.model, PROMPT, TOKENS) for _ in range(2)]
        for answer in answers:
            answer.wait_begun()
        nodes[0].cli("load", self.model, "--replicas", 1, *wish)
        for answer in answers:
            self.assertEqual(answer.whole(), self.expected)

    def test_after_a_power_cut_of_all_it_serves_what_it_served(self):
        nodes = self.cluster()
        nodes[1].cli("load", str(self.file), "--stages", 2, "--context", 512)
        wait_ready(nodes[2], self.model)
        for node in nodes:
            node.kill()
        for node in nodes:
            node.start()
        for node in nodes:
            node.wait_up()
        for node in nodes:
            self.assertEqual(Answer(self.lab, node, self.model, PROMPT, TOKENS).whole(), self.expected)
            wait_ready(node, self.model)


if __name__ == "__main__":
    need_lab()
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
