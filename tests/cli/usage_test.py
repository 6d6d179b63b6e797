"""Help that fits a screen, and mistakes that are named."""

import json
import subprocess

from program import DEMO, PROGRAM, STORIES, ProgramTest, main, needs

COMMANDS = "run serve inspect bench tokenize template logits generate synth quantize".split()


class Help(ProgramTest):
    def test_every_help_fits_a_screen_and_shows_an_example(self):
        for command in COMMANDS:
            text = self.output(command, "--help")
            self.assertIn("Example", text, command)
            self.assertLessEqual(text.count("\n"), 40, command)
            self.assertEqual([line for line in text.splitlines() if len(line) > 100], [], command)
        text = self.output("--help")
        self.assertLessEqual(text.count("\n"), 40)
        self.assertEqual([line for line in text.splitlines() if len(line) > 100], [])
        for command in COMMANDS:
            self.assertIn(f"  {command} ", text)

    def test_help_that_nobody_gets_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            for args in (["--help"], ["--version"], ["run", "--help"]):
                self.assertEqual(subprocess.run([PROGRAM, *args], stdout=full, stderr=subprocess.DEVNULL).returncode, 1)

    def test_version(self):
        self.assertRegex(self.output("--version"), r"^drystone \d+\.\d+\.\d+\n$")


class Mistakes(ProgramTest):
    def test_wrong_flags_end_with_2_and_say_which(self):
        self.assertIn("--nonsense", self.error("inspect", "x.gguf", "--nonsense", exit_code=2))
        self.assertIn("MODEL is required", self.error("inspect", exit_code=2))
        self.assertIn("subcommand", self.error(exit_code=2))
        self.assertIn("--threads", self.error("generate", "x.gguf", "--threads", "0", exit_code=2))
        self.assertIn("--seed", self.error("synth", "--seed", "-1", self.folder / "x.gguf", exit_code=2))
        self.assertIn("--kv", self.error("logits", "x.gguf", "--kv", "q3", exit_code=2))
        self.assertIn("TEXT or --file", self.error("tokenize", "x.gguf", exit_code=2))

    # Who says where a node is to listen must not learn later that it listens elsewhere.
    def test_a_node_to_ask_before_a_command_that_asks_none(self):
        url = ("--api", "http://127.0.0.1:1")
        self.assertIn("`drystone up --api ADDRESS:PORT`", self.error(*url, "up", "--state", self.folder / "a", exit_code=2))
        self.assertIn("`drystone serve --listen ADDRESS:PORT`", self.error(*url, "serve", "no.gguf", exit_code=2))
        self.assertIn("--api: it has no effect before `inspect`", self.error(*url, "inspect", "no.gguf", exit_code=2))
        self.assertIn("--api-ca: it has no effect before `up`", self.error("--api-ca", "x.crt", "up", "--state", self.folder / "a", exit_code=2))
        self.assertFalse((self.folder / "a").exists())
        self.assertIn("no node answers at http://127.0.0.1:1", self.error(*url, "nodes"))

    def test_every_command_names_a_missing_model(self):
        ids = self.file("ids.txt", "1 2 3")
        for args in (["inspect", "no.gguf"], ["tokenize", "no.gguf", "text"], ["bench", "no.gguf"],
                     ["run", "no.gguf", "hello"], ["generate", "no.gguf", "--tokens", ids, "-n", "1"],
                     ["logits", "no.gguf", "--tokens", ids, "--out", self.folder / "rows"]):
            self.assertRegex(self.error(*args), rf"^drystone {args[0]}: no\.gguf: cannot open: .*\[not_found\]\n$")

    def test_what_is_no_model_is_said(self):
        self.assertIn("is a directory", self.error("inspect", self.folder))
        self.assertIn("this is not a GGUF file", self.error("inspect", self.file("x.gguf", "hello, world")))
        self.assertIn("the magic takes 4 bytes", self.error("inspect", self.file("empty.gguf", "")))

    @needs(STORIES)
    def test_a_truncated_model_is_refused_wherever_it_ends(self):
        whole = STORIES.read_bytes()
        for size in (10, 1000, 20000, len(whole) - 1):
            text = self.error("run", self.file("cut.gguf", whole[:size]), "hello")
            self.assertIn("cut.gguf", text)
            self.assertIn("[corrupt]", text)

    @needs(STORIES)
    def test_bad_ids_are_named(self):
        for content, expected in (("1 2\n3 x4", ":2: 'x4' is not a token id"), ("", "holds no token ids"),
                                  ("1 -5", "'-5' is not a token id")):
            ids = self.file("ids.txt", content)
            self.assertIn(expected, self.error("generate", STORIES, "--tokens", ids, "-n", "1"))
        ids = self.file("ids.txt", "1 512")
        self.assertIn("512", self.error("generate", STORIES, "--tokens", ids, "-n", "1"))

    @needs(STORIES)
    def test_an_unknown_instruction_set_is_refused(self):
        ids = self.file("ids.txt", "1")
        text = self.error("generate", STORIES, "--tokens", ids, "-n", "1", env={"DRYSTONE_ISA": "mmx"})
        self.assertIn("mmx", text)


class Inspect(ProgramTest):
    @needs(STORIES)
    def test_a_real_model(self):
        shown = json.loads(self.output("inspect", STORIES, "--json", "--context", "128,512,513"))
        self.assertEqual(shown["architecture"], "llama")
        self.assertEqual((shown["layers"], shown["width"], shown["context"]), (5, 64, 512))
        self.assertEqual((shown["heads"], shown["kv_heads"], shown["head_dim"]), (8, 4, 8))
        self.assertEqual(shown["tokens"], 512)
        self.assertFalse(shown["chat_template"])
        self.assertEqual(shown["types"]["f32"]["bytes"], 4 * shown["parameters"])
        small, large, beyond = shown["memory"]
        self.assertEqual((small["context"], large["context"], beyond["context"]), (128, 512, 513))
        self.assertEqual([row["beyond_model"] for row in shown["memory"]], [False, False, True])
        # 5 layers x (k + v) x 4 heads x 8 values x f16
        self.assertGreaterEqual(large["kv_bytes"], 512 * 5 * 2 * 4 * 8 * 2)
        self.assertLess(small["kv_bytes"], large["kv_bytes"])
        self.assertEqual(self.output("inspect", STORIES, "--context", "512,513").count("cannot run"), 1)
        text = self.output("inspect", STORIES)
        self.assertIn("llama, 5 layers", text)
        self.assertIn("memory at context", text)

    @needs(DEMO)
    def test_the_model_inside_the_program(self):
        shown = json.loads(self.output("inspect", "pebble", "--json"))
        self.assertTrue(shown["runnable"])
        self.assertTrue(shown["chat_template"])


main()
