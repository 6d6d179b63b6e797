"""Nodes on this machine, by their addresses: the state folder, the commands, the local API."""

import http.client
import http.server
import json
import shutil
import signal
import subprocess
import threading
import time
import unittest
import urllib.request
from pathlib import Path

from program import PROGRAM, ProgramTest, ask, main


class NodeTest(ProgramTest):
    measured = None  # what the first node that ended has measured of this machine

    def up(self, name, *more, called=None):
        """A node on free ports; its process has `api`, the URL."""
        log = self.folder / f"{name}.log"
        out = log.open("ab")
        self.addCleanup(out.close)
        named = name if called is None else called
        state = self.folder / name
        if self.measured and not state.exists():  # measuring again would take seconds of a processor
            state.mkdir(mode=0o700)
            (state / "measured.json").write_bytes(self.measured)
        process = subprocess.Popen([PROGRAM, "up", "--state", state, *(["--name", named] if named else []), "--api", "127.0.0.1:0",
                                    "--peer-port", "0", "--no-discovery", "--log-level", "off", *map(str, more)],
                                   stdout=out, stderr=out)
        process.state = state
        self.addCleanup(self.end, process)
        before = len(log.read_text())
        deadline = time.monotonic() + 30
        while "is up: API " not in log.read_text()[before:]:
            self.assertIsNone(process.poll(), log.read_text())
            self.assertLess(time.monotonic(), deadline, log.read_text())
            time.sleep(0.05)
        process.api = log.read_text()[before:].split("is up: API ", 1)[1].split(",", 1)[0]
        return process

    def code(self, process):
        return self.output("--api", process.api, "invite").strip()

    def cannot_start(self, name):
        """What `up` says, which ends at once."""
        return self.error("up", "--state", self.folder / name, "--api", "127.0.0.1:0", "--peer-port", 0)

    def end(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)
        figures = process.state / "measured.json"
        if NodeTest.measured is None and figures.exists():
            NodeTest.measured = figures.read_bytes()
        return process.returncode

    def nodes(self, process):
        """{name: state}; empty while the node restarts."""
        done = subprocess.run([PROGRAM, "--api", process.api, "nodes", "--json"], capture_output=True, timeout=60)
        return {node["name"]: node["state"] for node in json.loads(done.stdout or "[]")}

    def wait_for(self, process, wanted, seconds=15):
        deadline = time.monotonic() + seconds
        while self.nodes(process) != wanted:
            self.assertLess(time.monotonic(), deadline, self.nodes(process))
            time.sleep(0.1)

    def look_at_links(self, process):
        """The link between the two nodes, as soon as it is measured; what is not known is absent."""
        deadline = time.monotonic() + 60
        while True:
            nodes = json.loads(self.output("--api", process.api, "nodes", "--json"))
            self.assertNotIn('""', json.dumps([node.get("figures", {}).get("machine") for node in nodes]))
            links = [node.get("links", []) for node in nodes]
            if all(links):
                break
            self.assertLess(time.monotonic(), deadline, nodes)
            time.sleep(0.5)
        for node, other in (nodes, nodes[::-1]):
            used = [link for link in node["links"] if link["used"]]
            self.assertEqual([link["to_name"] for link in used], [other["name"]])
            self.assertGreater(used[0]["bandwidth_bytes_per_s"], 1e6)
            self.assertGreater(used[0]["latency_us"], 0)
        self.assertRegex(self.output("nodes", "--api", process.api), r"\d [MG]B/s, [\d.]+ [um]s")

    def test_two_nodes_join_by_a_code_and_part(self):
        atlas = self.up("atlas")
        code = self.code(atlas)
        nova = self.up("nova", "--join", code)
        both = {"atlas": "alive", "nova": "alive"}
        self.wait_for(atlas, both)
        self.wait_for(nova, both)
        self.assertIn("NAME", self.output("nodes", "--api", atlas.api))
        self.look_at_links(atlas)
        self.assertEqual(self.end(nova), 0)
        self.wait_for(atlas, {"atlas": "alive", "nova": "dead"})
        nova = self.up("nova")
        self.wait_for(atlas, both)
        self.assertIn("no node nobody", self.error("--api", atlas.api, "remove", "nobody"))
        self.output("--api", atlas.api, "remove", "nova")
        self.wait_for(atlas, {"atlas": "alive"})
        self.wait_for(nova, {"nova": "alive"})
        self.assertIn("alone", self.error("--api", nova.api, "leave"))
        self.assertIn("was used up", self.error("--api", nova.api, "join", code))
        self.output("--api", nova.api, "join", self.code(atlas))
        self.assertEqual(set(self.nodes(nova)), {"atlas", "nova"})  # at once
        self.wait_for(nova, both)
        self.output("--api", nova.api, "leave", "--json")
        self.assertEqual(self.nodes(nova), {"nova": "alive"})
        self.wait_for(atlas, {"atlas": "alive"})

    # Three nodes on one machine, for a try: nothing of them is to be had from the network.
    def test_nodes_of_one_machine_alone(self):
        here = ("--peer-address", "127.0.0.1")
        atlas = self.up("atlas", *here)
        nova, oak = (self.up(name, "--join", self.code(atlas), *here) for name in ("nova", "oak"))
        all_three = {"atlas": "alive", "nova": "alive", "oak": "alive"}
        for node in (atlas, nova, oak):
            self.wait_for(node, all_three)
        for name in all_three:
            port = int((self.folder / f"{name}.log").read_text().rsplit("peer port ", 1)[1].split(",")[0])
            sockets = [line.split() for file in ("tcp", "tcp6")
                       for line in Path("/proc/net", file).read_text().splitlines()[1:]]
            listening = [socket[1] for socket in sockets if socket[3] == "0A" and socket[1].endswith(f":{port:04X}")]
            self.assertEqual(listening, [f"0100007F:{port:04X}"])
        self.assertIn("expected an IP address", self.error("up", "--state", self.folder / "b", "--peer-address", "here"))

    def test_a_folder_serves_one_node(self):
        self.up("atlas")
        said = self.cannot_start("atlas")
        self.assertIn("one node runs there", said)

    # Nothing is thrown away that a person could still mend.
    def test_a_damaged_state_is_named_and_left(self):
        self.end(self.up("atlas"))
        file = self.folder / "atlas" / "cluster.json"
        whole = file.read_bytes()
        for damaged in (b"", whole[:-10], b"\xff" * 100, whole.replace(b"drystone-cluster/1", b"drystone-cluster/9")):
            file.write_bytes(damaged)
            said = self.cannot_start("atlas")
            self.assertIn(str(file), said)
            self.assertIn("[corrupt]", said)
            self.assertEqual(file.read_bytes(), damaged)
        file.write_bytes(whole)
        self.up("atlas")

    def test_what_makes_no_sense_is_refused(self):
        for flags, said in ((("--join", "abcd"), "invitation code"), (("--peer", "somewhere"), "--peer"),
                            (("--name", "x" * 65), "name"), (("--api", "127.0.0.1:x"), "--api")):
            error = self.error("up", "--state", self.folder / "new", "--peer-port", 0, "--no-discovery", *flags)
            self.assertIn(said, error)
        for flag in ("--state", "--name", "--join"):
            self.assertIn("it is empty", self.error("up", flag, "", exit_code=2))
        self.assertIn("drystone up", self.error("--api", "http://127.0.0.1:1", "nodes"))
        self.assertIn("--api-ca", self.error("nodes", "--api", "http://127.0.0.1:1", "--api-ca", self.folder / "no.crt"))
        self.assertIn("no.crt", self.error("nodes", "--api", "https://127.0.0.1:1", "--api-ca", self.folder / "no.crt"))

    # Keys and prompts may go through a network that others read: commands check whom they speak to.
    @unittest.skipUnless(shutil.which("openssl"), "needs openssl to make a certificate")
    def test_commands_speak_https(self):
        def identity(name, where):
            files = self.folder / f"{name}.crt", self.folder / f"{name}.key"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                            "-subj", f"/CN={name}", "-addext", f"subjectAltName={where}", "-keyout", files[1], "-out", files[0]],
                           check=True, capture_output=True)
            return files

        own, other, elsewhere = identity("own", "IP:127.0.0.1"), identity("other", "IP:127.0.0.1"), identity("away", "DNS:away.example")
        atlas = self.up("atlas", "--tls-cert", own[0], "--tls-key", own[1])
        self.assertTrue(atlas.api.startswith("https://"), atlas.api)
        self.assertIn("atlas", self.output("--api", atlas.api, "--api-ca", own[0], "nodes"))
        self.assertIn("atlas", self.output("nodes", "--api", atlas.api, "--api-ca", own[0], "--json"))
        self.output("load", "pebble", "--context", "512", "--api", atlas.api, "--api-ca", own[0])
        said = self.output("run", "pebble", "Hello", "--tokens", 4, "--temperature", 0, "--api", atlas.api, "--api-ca", own[0])
        self.assertTrue(said.strip())
        asked = ["--tokens", 2, "--api", atlas.api, "--api-ca", own[0]]
        told = self.start("run", "pebble", "Hello", "--context", 128, *asked).stderr.decode()
        self.assertIn("--context is not used", told)
        # The file would be run here, not there.
        self.assertIn("is a file", self.error("run", self.file("x.gguf", b""), "Hello", *asked))
        for flags in ((), ("--api-ca", other[0])):
            self.assertIn("--api-ca FILE", self.error("nodes", "--api", atlas.api, *flags))
        plain = self.up("plain")
        self.error("nodes", "--api", plain.api.replace("http:", "https:"), "--api-ca", own[0])
        nova = self.up("nova", "--tls-cert", elsewhere[0], "--tls-key", elsewhere[1])
        self.assertIn("not for 127.0.0.1", self.error("nodes", "--api", nova.api, "--api-ca", elsewhere[0]))

    # A machine that was set up as "localhost" is not stuck with it.
    def test_a_node_is_renamed(self):
        atlas = self.up("atlas")
        nova = self.up("nova", "--join", self.code(atlas))
        self.wait_for(atlas, {"atlas": "alive", "nova": "alive"})
        self.end(nova)
        nova = self.up("nova", called="oak")
        self.wait_for(atlas, {"atlas": "alive", "oak": "alive"})
        self.assertIn("node oak (", (self.folder / "nova.log").read_text())
        self.end(nova)
        nova = self.up("nova", called="")
        self.wait_for(atlas, {"atlas": "alive", "oak": "alive"})
        self.output("--api", atlas.api, "remove", "oak")
        self.wait_for(atlas, {"atlas": "alive"})

    # All APIs work wherever the model is, and whichever node is asked.
    # Who quantizes a model anew keeps its file's name.
    def test_a_name_is_free_when_its_model_is_gone(self):
        node = self.up("atlas")
        model = self.folder / "same.gguf"
        self.output("synth", "--preset", "tiny-qwen3", "--seed", 1, model)
        self.output("--api", node.api, "load", model, "--context", 512)
        self.output("synth", "--preset", "tiny-qwen3", "--seed", 2, model)
        told = self.error("--api", node.api, "load", model, "--context", 512)
        self.assertIn("another model is loaded as same", told)
        self.assertIn("drystone unload same", told)
        self.output("--api", node.api, "unload", "same")
        self.output("--api", node.api, "load", model, "--context", 512)
        self.output("--api", node.api, "run", "same", "Once", "--temperature", 0, "-n", 4)

    def test_ranking_and_embeddings_are_those_of_one_machine(self):
        atlas = self.up("atlas")
        nova = self.up("nova", "--join", self.code(atlas))
        self.wait_for(nova, {"atlas": "alive", "nova": "alive"})
        questions = {"rank": ("/v1/rerank", {"query": "what holds a wall", "documents": ["stones", "the sea is deep"]}),
                     "mean": ("/v1/embeddings", {"input": "what holds a wall"})}
        for pooling, (path, body) in questions.items():
            model = self.folder / f"{pooling}.gguf"
            self.output("synth", "--preset", "tiny-qwen3", "--type", "q8_0", "--pooling", pooling, model)
            said = []
            for flags in (("--stages", 1), ("--stages", 2)):
                self.output("--api", atlas.api, "load", model, "--context", 512, *flags)
                for node in (atlas, nova):
                    status, answer = ask(node.api, path, {"model": pooling, **body})
                    self.assertEqual(status, 200, answer)
                    said.append(answer.get("results") or answer["data"])
            self.assertEqual(said, said[:1] * 4)
        status, refused = ask(nova.api, "/v1/rerank", {"model": "mean", "query": "a", "documents": ["b"]})
        self.assertEqual(status, 400)
        self.assertIn("not made for ranking", refused["error"]["message"])
        head = next(one["head"] for one in json.loads(self.output("--api", nova.api, "ps", "--json")) if one["model"] == "rank")
        ids = {one["name"]: one["id"] for one in json.loads(self.output("--api", nova.api, "nodes", "--json"))}
        for name, node in (("atlas", atlas), ("nova", nova)):
            with urllib.request.urlopen(node.api + "/metrics", timeout=60) as reply:
                told = reply.read().decode()
            self.assertIn('drystone_model_state{model_name="rank",instance="rank",state="ready"', told)
            self.assertEqual('vllm:num_requests_running{model_name="rank"} 0' in told, ids[name] == head)
            self.assertIn('vllm:prompt_tokens_total{model_name="rank"}', told)

    # A page that a browser has open must not invite its author.
    def test_the_cluster_is_not_administered_from_web_pages(self):
        atlas = self.up("atlas", "--cors", "*")
        connection = http.client.HTTPConnection(atlas.api.removeprefix("http://"))
        self.addCleanup(connection.close)

        def post(path, body, **headers):
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

        self.assertEqual(post("/cluster/v1/invitations", {})[0], 200)
        status, answer = post("/cluster/v1/invitations", {}, Origin="https://evil.example")
        self.assertEqual((status, answer["error"]["code"]), (403, "origin_not_allowed"))
        for body in ({"uses": 0}, {"uses": 2000}, {"expires_s": -1}, {"more": 1}, [], {"uses": "1"}):
            self.refused(post("/cluster/v1/invitations", body), 400, "invalid_argument")
        for path in ("nodes/remove", "invitations/withdraw", "join", "unload", "load", "plan"):
            for body in ({}, [], {"more": 1}, {"node": 1}):
                self.refused(post("/cluster/v1/" + path, body), 400, "invalid_argument")
        self.refused(post("/cluster/v1/unload", {"model": "pebble", "replicas": 1}), 400, "invalid_argument")
        self.refused(post("/cluster/v1/unload", {"model": "pebble"}), 404, "not_found")
        self.refused(post("/cluster/v1/nodes/remove", {"node": "x"}), 404, "not_found")
        self.refused(post("/cluster/v1/load", {"model": "pebble", "nodes": ["atlas", "atlas"]}), 400, "invalid_argument")

    # The code is for programs: docs/formats/cluster-api.md.
    def refused(self, answered, status, code):
        self.assertEqual((answered[0], answered[1]["error"]["code"]), (status, code), answered)

    # What is open can be looked at and ended; the code itself is shown once, to whoever asked for it.
    def test_invitations_are_listed_and_withdrawn(self):
        atlas = self.up("atlas")
        self.assertIn("no invitation is open", self.output("--api", atlas.api, "invite", "--list"))
        made = json.loads(self.output("--api", atlas.api, "invite", "--uses", 3, "--json"))
        listed = self.output("--api", atlas.api, "invite", "--list")
        self.assertIn(made["id"], listed)
        self.assertIn("lets in 3 more of 3, for 60 min", listed)
        secret = made["code"].split("@")[0]
        self.assertNotIn(secret[:14], listed + self.output("--api", atlas.api, "invite", "--list", "--json"))
        nova = self.up("nova")
        self.output("--api", nova.api, "join", made["code"])
        self.wait_for(atlas, {"atlas": "alive", "nova": "alive"})
        self.assertEqual(json.loads(self.output("--api", nova.api, "invite", "--list", "--json")),
                         [{"id": made["id"], "expires_unix_s": made["expires_unix_s"], "uses": 3, "used": 1}])
        self.assertIn("invite --list", self.error("--api", nova.api, "invite", "--withdraw", "0" * 16))
        self.assertIn(made["id"], self.output("--api", nova.api, "invite", "--withdraw", made["id"][:6]))
        self.assertIn("no invitation is open", self.output("--api", nova.api, "invite", "--list"))
        pine = self.up("pine")
        self.assertIn("ask for a new code", self.error("--api", pine.api, "join", made["code"]))
        self.error("invite", "--withdraw", "", exit_code=2)

    # The cluster has the key already: the way on is the same command, and it costs no further use.
    def test_a_full_disk_while_joining_is_mended_by_joining_again(self):
        atlas, nova = self.up("atlas"), self.up("nova")
        code = self.code(atlas)  # for one
        blocked = self.folder / "nova" / "cluster.json.part"
        blocked.mkdir()
        said = self.error("--api", nova.api, "join", code)
        self.assertIn("has let this node in, but it cannot keep that", said)
        self.assertIn("run the same command again", said)
        self.assertEqual(self.nodes(nova), {"nova": "alive"})
        blocked.rmdir()
        self.output("--api", nova.api, "join", code)
        self.wait_for(nova, {"atlas": "alive", "nova": "alive"})

    # Nobody has to find out later that a model is not served any more.
    def test_joining_tells_which_models_are_given_up(self):
        atlas, nova = self.up("atlas"), self.up("nova")
        self.output("--api", nova.api, "load", "pebble", "--context", 512)
        said = self.output("--api", nova.api, "join", self.code(atlas))
        self.assertIn("this node ran pebble until now and does not any more", said)
        self.assertIn("another cluster: pebble.", (self.folder / "nova.log").read_text())
        self.assertEqual(json.loads(self.output("--api", nova.api, "ps", "--json")), [])
        bare = self.up("bare")
        self.assertEqual(json.loads(self.output("--api", bare.api, "join", self.code(atlas), "--json"))["dropped"], [])

    # What was mistyped is said where it was typed, with what may stand there.
    def test_choices_are_checked_before_anything_is_sent(self):
        for command in ("load", "plan"):
            for flag, value, known in (("--kv", "q3", "f16, f32 or q8_0"), ("--rows", "f8", "f32, f16 or q8"),
                                       ("--for", "all", "one_stream, many_streams or prompt")):
                said = self.start(command, "pebble", flag, value, exit_code=2).stderr.decode()
                self.assertIn(f"{flag}: {value}: expected {known}", said)

    # A folder may be mounted later; a file never becomes one.
    def test_model_folders_that_are_none(self):
        atlas = self.up("atlas", "--models", self.folder / "later")
        self.assertIn("there is no such folder", (self.folder / "atlas.log").read_text())
        self.assertIn("is a folder", self.error("--api", atlas.api, "load", "/etc"))
        said = self.error("up", "--state", self.folder / "b", "--api", "127.0.0.1:0", "--peer-port", 0, "--no-discovery",
                          "--models", self.file("model.gguf", b""))
        self.assertIn("it is no folder", said)


class FakeNode(http.server.BaseHTTPRequestHandler):
    """A node where another load comes in between."""

    ours = {"model": "mid", "context": 1024, "streams": 1, "replicas": 1, "kv_format": "f16", "stages": 3, "asked": 1}
    theirs = {**ours, "context": 2048, "stages": 2, "asked": 2}

    def log_message(self, *_):
        pass

    def answer(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"model": "mid", "advice": "", "waited": "", "wish": self.ours})

    def do_GET(self):
        if self.path == "/cluster/v1/unloaded":
            return self.answer([{"model": "tiny", "node": "x", "name": "n1"}, {"model": "mid", "node": "y", "name": "n2"}])
        if self.server.stands is None or "instance" in self.server.stands:
            return self.answer([self.server.stands] if self.server.stands else [])
        self.answer([{"instance": "mid", "model": "mid", "state": "ready", "current": True, "served": True, "progress": 1.0,
                      "wish": self.server.stands, "head": "y", "parts": [{"name": "n4", "node": "x"}, {"name": "n2", "node": "y"}]}])


class ReplacedLoadTest(ProgramTest):
    def fake(self, stands):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeNode)
        server.stands = stands
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    # Of two loads at once the one that lost must not say that all is as it asked for.
    def test_a_load_that_was_replaced_fails(self):
        said = self.error("--api", self.fake(FakeNode.theirs), "load", "mid", "--stages", 3, "--context", 1024)
        self.assertIn("replaced by another load of mid (2 stages, context 2048)", said)
        self.assertIn("mid is ready on n4, n2 (head)", self.output("--api", self.fake(FakeNode.ours), "load", "mid", "--stages", 3))
        again = {**FakeNode.ours, "asked": 7}  # somebody wants the very same
        self.assertIn("mid is ready", self.output("--api", self.fake(again), "load", "mid", "--stages", 3))

    # Whoever reads that it failed must know that it may load in the night.
    def test_a_load_that_is_refused_later_stays_asked_for(self):
        full = {"instance": "mid", "model": "mid", "state": "refused", "current": True, "wish": FakeNode.ours, "parts": [],
                "message": "cannot place mid: needs 3 GiB, free 2 GiB. Running models are unaffected. Add a node"}
        said = self.error("--api", self.fake(full), "load", "mid", "--stages", 3)
        self.assertIn("cannot place mid: needs 3 GiB, free 2 GiB", said)
        self.assertIn("Add a node. It stays asked for, and is placed when there is room; `drystone unload mid` ends that", said)

    # Nobody waits for what will not come.
    def test_a_load_ends_when_somebody_unloads(self):
        begun = time.monotonic()
        said = self.error("--api", self.fake(None), "load", "mid")
        self.assertIn("somebody asked on n2 for `drystone unload mid` meanwhile", said)
        self.assertIn("`drystone load mid` begins anew", said)
        held = {"instance": "mid", "model": "mid", "state": "waiting", "message": "is being unloaded", "parts": []}
        said = self.error("--api", self.fake(held), "load", "mid")
        self.assertIn("somebody asked on n2", said)
        self.assertLess(time.monotonic() - begun, 5)


if __name__ == "__main__":
    main()
