"""Real drystone processes on several hosts of one machine: network namespaces on bridges of their own.

    with Lab(program, hosts=3) as lab:
        first = lab.start(1)
        second = lab.start(2, "--join", first.cli("invite").strip())
        lab.wait_until(20, lambda: states(first) == {"node1": "alive", "node2": "alive"})

Needs root and iproute2; where namespaces cannot be made, need_lab() ends the test program with exit code 77, which
ctest counts as skipped. Nothing is left behind: hosts and processes go with the `with`. Of several networks the hosts
have eth0, eth1, ...; a host's address in network k is 10.(90 + k).0.HOST.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77


class Failed(Exception):
    """A command that should have worked did not."""


def run(*command, check=True, timeout=60):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr.strip()}")
    return done


def need_lab():
    """Skips the whole test program where hosts cannot be made."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        print("skipped: the lab needs root and iproute2 (network namespaces)")
        sys.exit(SKIPPED)
    probe = f"dsprobe{os.getpid()}"
    made = run("ip", "netns", "add", probe, check=False)
    link = run("ip", "link", "add", probe[:15], "type", "bridge", check=False)
    run("ip", "netns", "del", probe, check=False)
    run("ip", "link", "del", probe[:15], check=False)
    if made.returncode != 0 or link.returncode != 0:
        print("skipped: this machine lets nobody make network namespaces or bridges:", made.stderr, link.stderr)
        sys.exit(SKIPPED)


def wait_until(seconds, condition, what="the condition"):
    """Returns what `condition` gave once it is true; it is asked again and again. Returns it with the time it took."""
    started = time.monotonic()
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (Failed, OSError, subprocess.SubprocessError, ValueError) as error:
            last = error
        if time.monotonic() - started > seconds:
            raise AssertionError(f"{what} did not come within {seconds} s; last: {last!r}")
        time.sleep(0.05)


class Node:
    """One drystone process on a host, and what the command line says to it."""

    def __init__(self, lab, host, name, options):
        self.lab, self.host, self.name = lab, host, name
        self.state = lab.folder / name
        self.log = lab.folder / f"{name}.log"
        self.options = [str(option) for option in options]
        self.process = None

    def start(self, *more):
        self.lab.give_figures(self)
        command = [*self.lab.on(self.host), str(self.lab.program), "up", "--state", str(self.state), "--name", self.name,
                   *self.options, *map(str, more)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        return self

    def wait_up(self, seconds=30):
        def up():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.text()}")
            return self.try_cli("nodes")
        wait_until(seconds, up, f"{self.name}'s API")
        return self

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def run_cli(self, *args, timeout=60):
        return run(*self.lab.on(self.host), self.lab.program, *args, check=False, timeout=timeout)

    def cli(self, *args, timeout=60):
        done = self.run_cli(*args, timeout=timeout)
        if done.returncode != 0:
            raise Failed(f"{self.name}: drystone {' '.join(map(str, args))}: {done.stderr.strip()}")
        return done.stdout

    def try_cli(self, *args):
        return self.run_cli(*args).returncode == 0

    def json(self, *args, timeout=60):
        return json.loads(self.cli(*args, "--json", timeout=timeout))

    def states(self):
        """{name: state} as this node sees them."""
        return {node["name"]: node["state"] for node in self.json("nodes")}

    def id(self):
        return next(node["id"] for node in self.json("nodes") if node["self"])

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def stop(self, seconds=20):
        """In order; the exit code."""
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGTERM)
            self.process.wait(timeout=seconds)
        return self.process.returncode if self.process else None


class Lab:
    """Hosts 1..N on `networks` bridges. Processes run on processor (host - 1) mod count."""

    count = 0
    measured = None  # what a node of this program has measured of the machine; kept beside the program

    def __init__(self, program, hosts, networks=1, share_figures=True):
        self.share_figures = share_figures
        self.program = pathlib.Path(program).resolve()
        self.hosts, self.networks = hosts, networks
        Lab.count += 1  # a network of the one before may still be going
        self.tag = f"ds{os.getpid() % 10000}{chr(96 + Lab.count % 26)}"
        self.nodes, self.others = [], []
        self.folder = None

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="drystone-lab-")
        self.folder = pathlib.Path(self._folder.name)
        try:
            for network in range(self.networks):
                run("ip", "link", "add", self.bridge(network), "type", "bridge", "mcast_snooping", 0)
                run("ip", "link", "set", self.bridge(network), "up")
            for host in range(1, self.hosts + 1):
                run("ip", "netns", "add", self.namespace(host))
                run("ip", "-n", self.namespace(host), "link", "set", "lo", "up")
                for network in range(self.networks):
                    self._plug(host, network)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
                node.process.kill()
                node.process.wait()
        for process in self.others:
            if process.poll() is None:
                process.kill()
                process.wait()
        if kind is not None:
            for node in self.nodes:
                print(f"--- {node.name}\n{node.text()}", file=sys.stderr)
        for host in range(1, self.hosts + 1):
            run("ip", "netns", "del", self.namespace(host), check=False)
        for network in [*range(self.networks), "x"]:
            run("ip", "link", "del", self.bridge(network), check=False)
        self._folder.cleanup()

    def give_figures(self, node):
        """All hosts are one machine: who starts need not measure (6 s of a processor) what another has measured."""
        own, kept = node.state / "measured.json", self.program.parent / "lab-measured.json"
        if not self.share_figures or own.exists():
            return
        if Lab.measured is None and kept.exists() and kept.stat().st_mtime > self.program.stat().st_mtime:
            Lab.measured = kept.read_bytes()
        if Lab.measured is not None:
            node.state.mkdir(parents=True, exist_ok=True)
            own.write_bytes(Lab.measured)

    def take_figures(self, node):
        """Of the first node of all: the others would measure in turns, and loads wait for them."""
        own = node.state / "measured.json"
        if self.share_figures and Lab.measured is None:
            Lab.measured = wait_until(60, lambda: own.exists() and own.read_bytes(), f"{node.name} has measured itself")
            made = self.program.parent / f"lab-measured.{os.getpid()}"
            made.write_bytes(Lab.measured)
            made.rename(self.program.parent / "lab-measured.json")

    def bridge(self, network):
        return f"{self.tag}b{network}"

    def namespace(self, host):
        return f"{self.tag}h{host}"

    def cable(self, host, network=0):
        return f"{self.tag}v{host}n{network}"

    def _plug(self, host, network):
        inside = f"eth{network}"
        run("ip", "link", "add", self.cable(host, network), "type", "veth", "peer", "name", inside, "netns",
            self.namespace(host))
        run("ip", "link", "set", self.cable(host, network), "master", self.bridge(network), "up")
        run("ip", "-n", self.namespace(host), "addr", "add", f"{self.address(host, network)}/24", "dev", inside)
        run("ip", "-n", self.namespace(host), "link", "set", inside, "up")

    def address(self, host, network=0):
        return f"10.{90 + network}.0.{host}"

    def cut(self, host, network=0):
        run("ip", "link", "set", self.cable(host, network), "down")

    def mend(self, host, network=0):
        run("ip", "link", "set", self.cable(host, network), "up")

    def slow(self, host, network=0, rate="20mbit"):
        """What the host sends there is held to `rate`; its interface promises as much as before."""
        run("ip", "netns", "exec", self.namespace(host), "tc", "qdisc", "add", "dev", f"eth{network}", "root", "tbf", "rate", rate,
            "burst", "64kb", "latency", "200ms")

    def connections(self, host):
        """{(local, peer)} of the host's TCP connections, as "address:port"."""
        lines = self.run_on(host, "ss", "-Htn", "state", "established").stdout.splitlines()
        return {tuple(line.split()[-2:]) for line in lines if "10.9" in line}

    def cut_silently(self, host, network=0):
        """Packets get lost, and no interface says that it is down: a switch broke, not a plug."""
        run("ip", "link", "set", self.cable(host, network), "nomaster")

    def mend_silently(self, host, network=0):
        run("ip", "link", "set", self.cable(host, network), "master", self.bridge(network))

    def split(self, hosts):
        """Network 0 falls apart: these hosts onto a switch of their own, with nothing between it and the rest."""
        other = self.bridge("x")
        run("ip", "link", "add", other, "type", "bridge", "mcast_snooping", 0)
        run("ip", "link", "set", other, "up")
        for host in hosts:
            run("ip", "link", "set", self.cable(host), "master", other)

    def heal(self, hosts):
        for host in hosts:
            self.mend_silently(host)
        run("ip", "link", "del", self.bridge("x"))

    def on(self, host):
        """What stands before a command that runs on a host."""
        processor = (host - 1) % os.cpu_count()
        return ["ip", "netns", "exec", self.namespace(host), "taskset", "-c", str(processor)]

    def run_on(self, host, *command, check=True, timeout=60):
        return run(*self.on(host), *command, check=check, timeout=timeout)

    def popen_on(self, host, *command, **options):
        process = subprocess.Popen([*self.on(host), *map(str, command)], **options)
        self.others.append(process)
        return process

    def node(self, host, *options, name=None):
        made = Node(self, host, name or f"node{host}", options)
        self.nodes.append(made)
        return made

    def start(self, host, *options, name=None):
        """`drystone up` on a host, waited for."""
        return self.node(host, *options, name=name).start().wait_up()

    def cluster(self, *hosts, options=()):
        """Nodes that have joined the first one and are alive for each other."""
        first = self.start(hosts[0], *options)
        self.take_figures(first)
        code = first.cli("invite", "--uses", max(1, len(hosts) - 1)).strip()
        nodes = [first] + [self.start(host, "--join", code, *options) for host in hosts[1:]]
        self.wait_alive(nodes)
        return nodes

    def wait_alive(self, nodes, seconds=20):
        """Until each of them sees exactly these, alive."""
        wanted = {node.name: "alive" for node in nodes}
        for node in nodes:
            wait_until(seconds, lambda: node.states() == wanted, f"{node.name} sees all alive")

    wait_until = staticmethod(wait_until)
