"""Cut cables, partitions, a full disk, and models that fit nowhere any more: what still can answers, the rest says why not."""

import contextlib
import pathlib
import sys
import tempfile
import time
import unittest

from lab import Lab, need_lab, run, wait_until
from serving import READY_WITHIN, Answer, shape, wait_ready

PROGRAM = sys.argv[1]
PROMPT = "What is a drystone wall?"
MODEL = "walls"
TOKENS = 160  # long enough to be struck meanwhile
BRIEF = 24
NOTICED_WITHIN = 3
REFUSED_WITHIN = 15
HEALED_WITHIN = 30


def setUpModule():
    global folder, model_file, expected, expected_brief
    folder = tempfile.TemporaryDirectory(prefix="drystone-faults-")
    model_file = pathlib.Path(folder.name) / f"{MODEL}.gguf"
    run(PROGRAM, "synth", "--type", "q8_0", "--layers", 12, "--width", 1024, "--ff", 4096, "--heads", 16, "--kv-heads", 8,
        "--vocab", 8000, "--context", 1024, model_file)
    expected, expected_brief = (run(PROGRAM, "run", model_file, PROMPT, "--temperature", 0, "--max-tokens", tokens,
                                    timeout=300).stdout.encode() for tokens in (TOKENS, BRIEF))


def tearDownModule():
    folder.cleanup()


class FaultCase(unittest.TestCase):
    @contextlib.contextmanager
    def cluster(self, hosts, networks=1, options=()):
        with Lab(PROGRAM, hosts=hosts, networks=networks) as self.lab:
            yield self.lab.cluster(*range(1, hosts + 1), options=("--threads", 1, *options))

    def load(self, node, *wish):
        """The nodes that have parts, the head first, and the epoch."""
        node.cli("load", str(model_file), "--context", 512, *wish)
        _, epoch, names = wait_ready(node, MODEL)
        by_name = {one.name: one for one in self.lab.nodes}
        return [by_name[name] for name in names], epoch

    def answer(self, node, tokens=TOKENS):
        return Answer(self.lab, node, MODEL, PROMPT, tokens)

    def same_text(self, *nodes):
        for node in nodes:
            self.assertEqual(self.answer(node, BRIEF).whole(), expected_brief, node.name)

    def one_epoch(self, nodes, epoch_min):
        """All see the same placement, ready."""
        def agreed():
            seen = {str(shape(node, MODEL)) for node in nodes}
            now = shape(nodes[0], MODEL)
            return now if len(seen) == 1 and now and now[0] == "ready" and now[1] >= epoch_min else None
        return wait_until(HEALED_WITHIN, agreed, "one epoch everywhere")

    def noticed(self, struck, nodes, lost):
        """All of `nodes` see the lost ones as dead, soon after they were struck."""
        for node in nodes:
            wait_until(NOTICED_WITHIN + 2, lambda: all(node.states()[one.name] == "dead" for one in lost),
                       f"{node.name} sees {', '.join(one.name for one in lost)} dead")
        took = time.monotonic() - struck
        print(f"noticed after {took:.1f} s")
        self.assertLess(took, NOTICED_WITHIN + 0.5)  # the command that asks takes its time


class Cables(FaultCase):
    def test_a_worker_is_cut_off_silently(self):
        with self.cluster(3) as nodes:
            (_, victim), epoch = self.load(nodes[0], "--stages", 2)
            others = [node for node in nodes if node is not victim]
            for node in others:
                wait_ready(node, MODEL)
            answers = [self.answer(node) for node in others]
            for answer in answers:
                answer.wait_begun()
            struck = time.monotonic()
            self.lab.cut_silently(victim.host)
            self.noticed(struck, others, [victim])
            wait_ready(others[0], MODEL, epoch + 1)
            print(f"ready again after {time.monotonic() - struck:.1f} s")
            for answer in answers:
                self.assertEqual(answer.whole(), expected)
            self.lab.mend_silently(victim.host)
            self.lab.wait_alive(nodes)
            self.one_epoch(nodes, epoch + 1)
            self.same_text(victim)

    # One of two cables is lost in the midst of an answer: it goes on, and nobody is dead.
    def test_one_of_two_networks_is_lost(self):
        with self.cluster(2, networks=2) as nodes:
            (head, worker), _ = self.load(nodes[0], "--stages", 2)
            for lost in (0, 1):
                for cut, mend in ((Lab.cut, Lab.mend), (Lab.cut_silently, Lab.mend_silently)):
                    with self.subTest(network=lost, how=cut.__name__):
                        answer = self.answer(head)
                        answer.wait_begun()
                        cut(self.lab, worker.host, lost)
                        self.assertEqual(answer.whole(), expected)
                        for node in nodes:
                            self.assertNotIn("is dead", node.text())
                        mend(self.lab, worker.host, lost)
                        self.lab.wait_alive(nodes)
                        self.same_text(*nodes)


class Partitions(FaultCase):
    def fall_apart(self, hosts, lost_from):
        """Splits so that the parts `lost_from` gives are on the other side; both answer; then it heals."""
        with self.cluster(hosts) as nodes:
            parts, epoch = self.load(nodes[0], "--stages", 2)
            for node in nodes:
                wait_ready(node, MODEL)
            spare = [node for node in nodes if node not in parts]
            away = lost_from(parts, spare)
            stay = [node for node in nodes if node not in away]
            answer = self.answer(stay[0])
            answer.wait_begun()
            struck = time.monotonic()
            self.lab.split([node.host for node in away])
            self.noticed(struck, stay, away)
            for side in (stay, away):
                untouched = all(part in side for part in parts)
                wait_ready(side[0], MODEL, epoch if untouched else epoch + 1)
            print(f"both sides are ready after {time.monotonic() - struck:.1f} s")
            self.assertEqual(answer.whole(), expected)
            self.same_text(*nodes)
            late = [self.answer(side[0]) for side in (stay, away)]  # over the healing
            for one in late:
                one.wait_begun()
            self.lab.heal([node.host for node in away])
            self.lab.wait_alive(nodes)
            print("after healing:", self.one_epoch(nodes, epoch))
            for one in late:
                self.assertEqual(one.whole(), expected)
            self.same_text(*nodes)

    def test_two_and_two_with_a_part_on_each_side(self):
        self.fall_apart(4, lambda parts, spare: [parts[1], spare[0]])

    def test_two_and_two_with_both_parts_on_one_side(self):
        self.fall_apart(4, lambda parts, spare: spare)

    def test_the_head_alone_on_its_side(self):
        self.fall_apart(3, lambda parts, spare: [parts[0]])


class FullDisk(FaultCase):
    @contextlib.contextmanager
    def small_disk(self, node):
        """The node's state is on a disk of its own, of 2 MiB."""
        node.state.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", node.state)
        try:
            yield
        finally:
            if node.process and node.process.poll() is None:
                node.kill()
            run("umount", node.state)

    # What it serves is in memory: only what changes meanwhile would be lost with a restart.
    def test_a_worker_with_a_full_disk_goes_on_serving(self):
        with Lab(PROGRAM, hosts=3) as self.lab:
            first = self.lab.start(1, "--threads", 1)
            victim = self.lab.node(2, "--threads", 1, "--join", first.cli("invite").strip())
            with self.small_disk(victim):
                self.serve_from_a_full_disk(first, victim)

    def serve_from_a_full_disk(self, first, victim):
        victim.start().wait_up()
        self.lab.wait_alive([first, victim])
        self.load(first, "--nodes", "node1,node2", "--stages", 2)
        wait_ready(victim, MODEL)
        answer = self.answer(victim)
        answer.wait_begun()
        ballast = victim.state / "ballast"
        filled = run("dd", "if=/dev/zero", f"of={ballast}", "bs=4k", check=False)
        self.assertIn("No space left", filled.stderr)
        third = self.lab.start(3, "--threads", 1, "--join", first.cli("invite").strip())
        nodes = [first, victim, third]
        wait_until(10, lambda: "No space left on device" in victim.text(), "word of the full disk")
        self.assertEqual(answer.whole(), expected)
        self.lab.wait_alive(nodes)
        third.cli("load", "pebble", "--nodes", "node2,node3", "--stages", 2)
        for node in nodes:
            wait_ready(node, "pebble")
            self.assertTrue(node.cli("run", "pebble", PROMPT, "--temperature", 0))
        self.same_text(*nodes)
        ballast.unlink()
        wait_until(20, lambda: "on the disk again" in victim.text(), "word of the disk's room")
        victim.kill()
        victim.start().wait_up()
        self.lab.wait_alive(nodes)
        for node in nodes:
            wait_ready(node, MODEL)
        self.same_text(victim)


class NothingFits(FaultCase):
    def test_requests_end_and_the_rest_serves_on(self):
        with self.cluster(3, options=("--memory", 0.115)) as nodes:
            parts, epoch = self.load(nodes[0], "--stages", 3)
            self.assertEqual(len(parts), 3)
            nodes[1].cli("load", "pebble")
            victim = parts[2]
            others = [node for node in nodes if node is not victim]
            for node in others:
                wait_ready(node, MODEL)
            answers = [self.answer(node) for node in others]
            for answer in answers:
                answer.wait_begun()
            struck = time.monotonic()
            victim.kill()
            for node, answer in zip(others, answers):
                text = answer.whole(REFUSED_WITHIN)
                print(f"ended after {time.monotonic() - struck:.1f} s: {text[-300:]!r}")
                self.assertNotEqual(answer.process.returncode, 0)
                self.assertRegex(text.decode(errors="replace"), "cannot place walls")
            for node in others:
                refused = self.answer(node)
                text = refused.whole(REFUSED_WITHIN).decode(errors="replace")
                self.assertNotEqual(refused.process.returncode, 0)
                self.assertRegex(text, "cannot place walls")
                self.assertEqual(shape(node, MODEL)[0], "refused")
                wait_ready(node, "pebble")
                self.assertTrue(node.cli("run", "pebble", PROMPT, "--temperature", 0))
            victim.start().wait_up()
            self.lab.wait_alive(nodes)
            self.one_epoch(nodes, epoch)
            self.same_text(*nodes)


class Freezes(FaultCase):
    """The keeper of the placements stands still and goes on: what serves meanwhile is left alone."""

    def keeper(self, nodes):
        keeper = min(nodes, key=lambda node: node.id())
        return keeper, [node for node in nodes if node is not keeper]

    def stays(self, seconds, node, what):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertEqual(shape(node, MODEL), what)
            time.sleep(0.1)

    def test_a_whole_model_does_not_notice(self):
        with self.cluster(2) as nodes:
            keeper, (other,) = self.keeper(nodes)
            self.load(other, "--nodes", other.name)
            placed = shape(other, MODEL)
            keeper.freeze()
            wait_until(NOTICED_WITHIN + 2, lambda: other.states()[keeper.name] == "dead", "the keeper is dead")
            keeper.thaw()
            self.lab.wait_alive(nodes)
            self.stays(14, other, placed)
            self.assertEqual(other.text().count("this node's part is"), 1)
            self.same_text(*nodes)

    def test_a_substitute_serves_until_the_keeper_has_been_back_for_a_while(self):
        with self.cluster(2) as nodes:
            keeper, (other,) = self.keeper(nodes)
            _, epoch = self.load(other, "--stages", 2)
            keeper.freeze()
            wait_ready(other, MODEL, epoch + 1)
            substitute = shape(other, MODEL)
            self.assertEqual(substitute[2], [other.name])
            keeper.thaw()
            self.stays(8, other, substitute)
            wait_until(15, lambda: shape(other, MODEL)[:2] == ("ready", substitute[1] + 1), "both stages again")
            self.same_text(*nodes)


class Clients(FaultCase):
    def test_a_client_of_a_dead_node_asks_any_other(self):
        with self.cluster(3) as nodes:
            (head, _), epoch = self.load(nodes[0], "--stages", 2)
            for node in nodes:
                wait_ready(node, MODEL)
            answer = self.answer(head)
            answer.wait_begun()
            head.kill()
            answer.whole()
            self.assertNotEqual(answer.process.returncode, 0)
            others = [node for node in nodes if node is not head]
            self.same_text(*others)
            for node in others:
                self.assertGreater(wait_ready(node, MODEL)[1], epoch)


if __name__ == "__main__":
    need_lab()
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
