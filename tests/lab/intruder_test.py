"""A stranger in the network learns nothing and gets nothing, however it speaks."""

import subprocess
import sys
import time
import unittest

from lab import Lab, need_lab, run

PROGRAM = sys.argv[1]
PORT = 8399

# Speaks on the host of the intruder; says what came back. argv: kind, address, port, folder with a key.
STRANGER = r"""
import pathlib, socket, ssl, sys
kind, address, port, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
got = b""
def say(stream, data):
    global got
    try:
        stream.sendall(data)
        stream.settimeout(7)
        while True:
            piece = stream.recv(65536)
            if not piece: break
            got += piece
    except (OSError, ssl.SSLError) as error:
        print("error", type(error).__name__, error)
post = lambda path, body: (f"POST {path} HTTP/1.1\r\nHost: node\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()
raw = socket.create_connection((address, port), timeout=7)
if kind == "bytes":
    say(raw, bytes(range(256)) * 64)
elif kind == "http":
    say(raw, b"GET /cluster/v1/nodes HTTP/1.1\r\nHost: node\r\n\r\n")
elif kind == "silent":
    raw.settimeout(12)
    try: got += raw.recv(100)
    except OSError as error: print("error", error)
else:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if kind != "no-key":
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    if kind == "tls12":
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    if kind != "no-alpn":
        context.set_alpn_protocols(["drystone-data/1" if kind == "data" else "http/1.1"])
    try:
        stream = context.wrap_socket(raw)
        if kind == "data":
            say(stream, bytes(16))
        elif kind == "join":
            say(stream, post("/cluster/v1/join", '{"invitation":"0123456789abcdef","name":"x","proof":"' + "a" * 52 + '"}'))
        elif kind == "message":
            say(stream, post("/cluster/v1/messages", '{"v":1,"cluster":"' + "a" * 26 + '"}'))
        elif kind == "large":
            say(stream, b"POST /cluster/v1/messages HTTP/1.1\r\nHost: node\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 1000000)
        elif kind == "header":
            say(stream, b"POST /cluster/v1/join HTTP/1.1\r\n" + b"X: " + b"y" * 100000 + b"\r\n\r\n")
        else:
            say(stream, b"GET /cluster/v1/nodes HTTP/1.1\r\nHost: node\r\n\r\n")
    except (OSError, ssl.SSLError) as error:
        print("error", type(error).__name__, error)
print("got", got)
"""
KINDS = ("bytes", "http", "silent", "no-key", "tls12", "no-alpn", "data", "join", "message", "large", "header", "get")


class Intruder(unittest.TestCase):
    def setUp(self):
        self.lab = Lab(PROGRAM, hosts=4)
        self.lab.__enter__()
        self.addCleanup(lambda: self.lab.__exit__(None, None, None))
        self.nodes = self.lab.cluster(1, 2)
        self.script = self.lab.folder / "stranger.py"
        self.script.write_text(STRANGER)
        self.key = self.lab.folder / "key"
        self.key.mkdir()
        run("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", self.key / "key.pem", "-out",
            self.key / "cert.pem", "-subj", "/CN=node", "-days", "1000")

    def speak(self, kind):
        return self.lab.run_on(4, sys.executable, self.script, kind, self.lab.address(1), PORT, self.key).stdout

    def secrets(self):
        """What nobody outside may learn."""
        return [text for node in self.nodes for text in (node.name, node.id())]

    def check_nothing_was_told(self, kind, said):
        body = said.split("got ", 1)[1]
        for secret in self.secrets():
            self.assertNotIn(secret, said, kind)
        allowed = ("b''", "403 Forbidden", "429 Too Many")
        self.assertTrue(any(text in body for text in allowed), f"{kind}: {said}")

    def test_without_an_invitation_the_door_is_shut(self):
        # The one that was open is used up by now.
        for kind in KINDS:
            with self.subTest(kind):
                said = self.speak(kind)
                self.check_nothing_was_told(kind, said)
                self.assertNotIn("HTTP/1.1", said, kind)
        self.lab.wait_alive(self.nodes, 1)

    def test_while_an_invitation_is_open_only_its_holder_comes_in(self):
        code = self.nodes[0].cli("invite").strip()
        for kind in KINDS:
            with self.subTest(kind):
                self.check_nothing_was_told(kind, self.speak(kind))
        # A code of another cluster, with our address in it.
        other = self.lab.start(3)
        foreign = other.cli("invite", "--short").strip()
        refused = self.lab.start(4, "--peer", f"{self.lab.address(1)}:{PORT}", "--no-discovery", name="wrong")
        done = refused.run_cli("join", foreign)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such invitation", done.stderr)
        self.assertEqual(refused.states(), {"wrong": "alive"})
        self.lab.wait_alive(self.nodes, 1)
        other.cli("join", code)
        self.lab.wait_alive([*self.nodes, other])

    # Many at once, for a while: members do not notice.
    def test_a_crowd_keeps_nobody_out(self):
        self.nodes[0].cli("invite")
        crowd = [self.lab.popen_on(4, "sh", "-c", f"for i in 1 2 3 4 5 6; do {sys.executable} {self.script} {kind} "
                                   f"{self.lab.address(1)} {PORT} {self.key}; done", stdout=subprocess.DEVNULL)
                 for kind in ("get", "join", "message", "bytes", "data", "large", "silent") for _ in range(3)]
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline:
            for node in self.nodes:
                self.assertEqual(set(node.states().values()), {"alive"})
            time.sleep(0.3)
        for node in self.nodes:
            self.assertNotIn("is dead", node.text())
        for process in crowd:
            process.kill()

    # What goes through the air: no name, no id, no key of the cluster.
    def test_discovery_packets_say_nothing(self):
        listener = self.lab.folder / "listen.py"
        listener.write_text(r"""
import socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 8399))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.255.83.99") + socket.inet_aton(sys.argv[1]))
s.settimeout(1)
end, seen = time.time() + 8, []
while time.time() < end:
    try: seen.append(s.recv(2000).hex())
    except OSError: pass
print(" ".join(seen))
""")
        packets = self.lab.run_on(4, sys.executable, listener, self.lab.address(4)).stdout.split()
        self.assertGreater(len(packets), 1)
        self.assertEqual({len(packet) for packet in packets}, {208})
        # Magic, version and port are the same; what follows is never.
        tails = [packet[16:] for packet in packets]
        for start in range(0, len(tails[0]), 32):
            pieces = [tail[start:start + 32] for tail in tails]
            self.assertEqual(len(set(pieces)), len(set(tails)))


if __name__ == "__main__":
    need_lab()
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
