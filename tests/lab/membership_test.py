"""Who belongs, and who is alive: joining, removing, losing nodes and whole networks, between real processes."""

import sys
import time
import unittest

from lab import Lab, need_lab, wait_until

PROGRAM = sys.argv[1]
DEAD_WITHIN = 3.0
REMOVED_WITHIN = 10.0


def note_deaths(watchers, name, seconds=6):
    """How long it takes from now until each of `watchers` knows that `name` is dead."""
    started = time.monotonic()
    times = {}
    while len(times) < len(watchers):
        for node in watchers:
            if node.name not in times and node.states().get(name) == "dead":
                times[node.name] = time.monotonic() - started
        if time.monotonic() - started > seconds:
            raise AssertionError(f"{name} is not dead for all after {seconds} s: {times}")
    return times


class Joining(unittest.TestCase):
    # The promise of the first page: two machines, no configuration, one code.
    def test_a_code_without_addresses_finds_its_cluster(self):
        with Lab(PROGRAM, hosts=2) as lab:
            first = lab.start(1)
            code = first.cli("invite", "--short").strip()
            second = lab.start(2, "--join", code)
            lab.wait_alive([first, second])
            self.assertEqual(second.json("nodes")[0]["name"], "node2")  # itself first
            # Again, as people do: the same command line goes on in the same cluster.
            self.assertEqual(second.stop(), 0)
            wait_until(DEAD_WITHIN, lambda: first.states()["node2"] == "dead")
            second.start().wait_up()
            lab.wait_alive([first, second])

    def test_a_running_node_joins_and_leaves(self):
        with Lab(PROGRAM, hosts=3) as lab:
            first, second = lab.start(1), lab.start(2)
            self.assertEqual(len(first.json("nodes")), 1)  # they do not fall together by themselves
            second.cli("join", first.cli("invite").strip())
            lab.wait_alive([first, second])
            third = lab.start(3)
            refused = second.run_cli("join", third.cli("invite").strip())
            self.assertEqual(refused.returncode, 1)
            self.assertIn("drystone leave", refused.stderr)
            second.cli("leave")
            lab.wait_alive([first])
            lab.wait_alive([second])
            second.cli("join", third.cli("invite").strip())
            lab.wait_alive([second, third])

    def test_a_code_is_good_for_what_it_says(self):
        with Lab(PROGRAM, hosts=3) as lab:
            first, second, third = lab.start(1), lab.start(2), lab.start(3)
            code = first.cli("invite").strip()
            second.cli("join", code)
            refused = third.run_cli("join", code)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("cannot join", refused.stderr)
            typo = third.run_cli("join", "a" + code[1:] if code[0] != "a" else "b" + code[1:])
            self.assertIn("typo", typo.stderr)
            self.assertEqual(set(first.states()), {"node1", "node2"})

    # Fixed peers alone: VPNs and routed networks carry no multicast.
    def test_without_multicast_peers_are_named(self):
        with Lab(PROGRAM, hosts=3) as lab:
            peers = ["--no-discovery", "--peer", f"{lab.address(1)}:8399"]
            nodes = lab.cluster(1, 2, 3, options=peers)
            for node in nodes:
                self.assertEqual(node.stop(), 0)
            for node in nodes:  # a power cut of all: they find each other again
                node.start()
            lab.wait_alive(nodes)


class TwoClusters(unittest.TestCase):
    def test_they_do_not_see_each_other(self):
        with Lab(PROGRAM, hosts=4) as lab:
            ours, theirs = lab.cluster(1, 2), lab.cluster(3, 4)
            time.sleep(3)
            lab.wait_alive(ours)
            lab.wait_alive(theirs)
            for node in ours + theirs:
                self.assertNotIn("refuse", node.text())


class Removing(unittest.TestCase):
    def test_a_removed_node_is_out_everywhere_within_10_seconds(self):
        with Lab(PROGRAM, hosts=4) as lab:
            nodes = lab.cluster(1, 2, 3, 4)
            started = time.monotonic()
            nodes[1].cli("remove", "node4")
            for node in nodes[:3]:
                wait_until(REMOVED_WITHIN, lambda: "node4" not in node.states())
            self.assertLess(time.monotonic() - started, REMOVED_WITHIN)
            wait_until(REMOVED_WITHIN, lambda: nodes[3].states() == {"node4": "alive"})
            self.assertIn("no member of its cluster any more", nodes[3].text())
            # It comes back with a code, as anybody.
            nodes[3].cli("join", nodes[0].cli("invite").strip())
            lab.wait_alive(nodes)

    # It was switched off, and everybody has restarted since: nobody's memory has it but the list.
    def test_one_that_was_away_learns_it_when_it_comes(self):
        with Lab(PROGRAM, hosts=3) as lab:
            nodes = lab.cluster(1, 2, 3)
            nodes[2].kill()
            nodes[0].cli("remove", "node3")
            wait_until(REMOVED_WITHIN, lambda: "node3" not in nodes[1].states())
            for node in nodes[:2]:
                node.stop()
                node.start().wait_up()
            lab.wait_alive(nodes[:2])
            nodes[2].start()
            wait_until(REMOVED_WITHIN + 10, lambda: nodes[2].states() == {"node3": "alive"})
            self.assertEqual(set(nodes[0].states()), {"node1", "node2"})


class Losing(unittest.TestCase):
    def check_death(self, what, harm, mend):
        with Lab(PROGRAM, hosts=4) as lab:
            nodes = lab.cluster(1, 2, 3, 4)
            time.sleep(1)
            harm(lab, nodes[3])
            times = note_deaths(nodes[:3], "node4")
            print(f"{what}: known dead after " + ", ".join(f"{t:.2f} s" for t in times.values()))
            self.assertLess(max(times.values()), DEAD_WITHIN)
            mend(lab, nodes[3])
            lab.wait_alive(nodes)

    def test_killed(self):
        self.check_death("kill -9", lambda lab, node: node.kill(), lambda lab, node: node.start().wait_up())

    def test_frozen(self):
        self.check_death("SIGSTOP", lambda lab, node: node.freeze(), lambda lab, node: node.thaw())

    def test_unplugged(self):
        self.check_death("unplugged", lambda lab, node: lab.cut(4), lambda lab, node: lab.mend(4))

    def test_cut_behind_the_plug(self):
        self.check_death("silent cut", lambda lab, node: lab.cut_silently(4), lambda lab, node: lab.mend_silently(4))

    def test_both_sides_of_a_partition_go_on_and_heal(self):
        with Lab(PROGRAM, hosts=4) as lab:
            nodes = lab.cluster(1, 2, 3, 4)
            # Hosts 3 and 4 onto a switch of their own.
            lab.split([3, 4])
            for near, far in ((nodes[:2], nodes[2:]), (nodes[2:], nodes[:2])):
                for node in near:
                    wanted = {n.name: "alive" for n in near} | {n.name: "dead" for n in far}
                    wait_until(10, lambda: node.states() == wanted)
            # Each side may take somebody in meanwhile.
            nodes[2].cli("invite")
            lab.heal([3, 4])
            lab.wait_alive(nodes)


class TwoNetworks(unittest.TestCase):
    # Two cables: one is cut, and nothing is lost.
    def test_a_cut_cable_of_two_loses_nobody(self):
        with Lab(PROGRAM, hosts=3, networks=2) as lab:
            nodes = lab.cluster(1, 2, 3)
            for network in (0, 1):
                for cut, mend in ((lab.cut, lab.mend), (lab.cut_silently, lab.mend_silently)):
                    before = [node.text().count("is dead") for node in nodes]
                    cut(2, network)
                    time.sleep(5)
                    lab.wait_alive(nodes, 1)
                    self.assertEqual([node.text().count("is dead") for node in nodes], before)
                    mend(2, network)
                    time.sleep(3)

    # Only one of its networks is shared with each of the others.
    def test_a_node_between_two_networks(self):
        with Lab(PROGRAM, hosts=3, networks=2) as lab:
            lab.cut(1, 1)
            lab.cut(3, 0)
            middle = lab.start(2)
            code = middle.cli("invite", "--uses", 2).strip()
            left, right = lab.start(1, "--join", code), lab.start(3, "--join", code)
            wait_until(20, lambda: middle.states() == {"node1": "alive", "node2": "alive", "node3": "alive"})
            # The outer ones hear of each other only through the middle, which vouches.
            for node in (left, right):
                wait_until(20, lambda: node.states()["node2"] == "alive")


if __name__ == "__main__":
    need_lab()
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
