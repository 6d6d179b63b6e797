"""Models in use: the story goes on as it should, and the instruments agree with each other."""

import array
import json
import os
import pty
import select
import signal
import struct
import time

from program import DEMO, PROGRAM, SHARED, STORIES, ProgramTest, main, needs

STORY = ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball."


class Stories(ProgramTest):
    @needs(STORIES)
    def test_the_story_goes_on(self):
        told = self.output("run", STORIES, "Once upon a time", "--temperature", "0", "-n", "60")
        self.assertTrue(told.startswith(STORY), told)

    @needs(STORIES)
    def test_generated_ids_do_not_depend_on_threads(self):
        ids = self.file("ids.txt", self.output("tokenize", STORIES, "Once upon a time", "--special"))
        told = [self.output("generate", STORIES, "--tokens", ids, "-n", "40", "--threads", n) for n in (1, 2, 5)]
        self.assertEqual(len(told[0].split()), 40)
        self.assertEqual(len(set(told)), 1)

    @needs(STORIES)
    def test_logits_are_rows_whose_greatest_is_what_greedy_decoding_takes(self):
        ids = self.file("ids.txt", self.output("tokenize", STORIES, "Once upon a time", "--special"))
        count = len(ids.read_text().split())
        self.output("logits", STORIES, "--tokens", ids, "--out", self.folder / "rows.f32", "--kv", "f32")
        rows = array.array("f", (self.folder / "rows.f32").read_bytes())
        self.assertEqual(len(rows), count * 512)
        last = rows[-512:]
        first = self.output("generate", STORIES, "--tokens", ids, "-n", "1", "--kv", "f32")
        self.assertEqual(int(first), max(range(512), key=lambda i: last[i]))

    @needs(STORIES)
    def test_stdin_is_the_prompt_or_is_appended(self):
        flags = ["--temperature", "0", "-n", "20"]
        piped = self.output("run", STORIES, *flags, stdin="Once upon a time")
        self.assertEqual(piped, self.output("run", STORIES, "Once upon a time", *flags))
        both = self.output("run", STORIES, "Once upon", *flags, stdin="a time")
        self.assertEqual(both, self.output("run", STORIES, "Once upon\n\na time", *flags))
        self.assertIn("nothing to answer", self.error("run", STORIES, stdin=" \n"))

    @needs(STORIES)
    def test_a_seed_makes_an_answer_repeatable(self):
        told = {self.output("run", STORIES, "Once", "-n", "30", "--temperature", "1.5", "--seed", s) for s in (7, 7, 8)}
        self.assertEqual(len(told), 2)

    @needs(STORIES)
    def test_stop_text_ends_the_answer(self):
        told = self.output("run", STORIES, "Once upon a time", "--temperature", "0", "--stop", " Lily")
        self.assertEqual(told, ", there was a little girl named\n")

    @needs(STORIES)
    def test_bench_measures(self):
        shown = json.loads(self.output("bench", STORIES, "--prompt", "64", "--generate", "16", "--threads", "2",
                                       "--repeat", "3", "--json"))
        for figure in ("prefill_tok_s", "decode_tok_s", "load_s", "peak_rss_bytes", "read_bandwidth_gb_s"):
            self.assertGreater(shown[figure], 0, figure)
        self.assertEqual(len(shown["prefill_runs_tok_s"]), 3)
        self.assertEqual(shown["threads"], 2)

    @needs(DEMO)
    def test_bench_fits_the_model(self):
        """The defaults are longer than the demo model's context of 512."""
        shown = json.loads(self.output("bench", "pebble", "--repeat", "1", "--json"))
        self.assertEqual((shown["prompt"], shown["generate"]), (511, 64))
        for flag, most in (("--prompt", 511), ("--generate", 510)):
            text = self.error("bench", "pebble", flag, str(most + 1))
            for part in (flag, "512", str(most)):
                self.assertIn(part, text)

    @needs(STORIES)
    def test_what_does_not_fit_the_context_is_refused(self):
        ids = self.file("ids.txt", "1 2 3")
        text = self.error("generate", STORIES, "--tokens", ids, "-n", "100", "--context", "10")
        self.assertIn("3 tokens of the prompt and 100 to generate are more than the context of 10", text)
        self.assertEqual(len(self.output("generate", STORIES, "--tokens", ids, "-n", "7", "--context", "10").split()), 7)


class Tokenize(ProgramTest):
    @needs(STORIES)
    def test_texts_of_a_file_are_split_at_the_separator(self):
        texts = self.file("texts", "Once\n--\n\n--\nupon\n--\n")
        lines = self.output("tokenize", STORIES, "--file", texts, "--separator", "--").split("\n")
        self.assertEqual(lines, [self.output("tokenize", STORIES, text).strip() for text in ("Once", "", "upon")] + [""])

    @needs(STORIES)
    def test_separators_first_and_in_a_row_enclose_empty_texts(self):
        texts = self.file("texts", "--\nOnce\n--\n--\nupon\n--\n--\n")
        lines = self.output("tokenize", STORIES, "--file", texts, "--separator", "--").split("\n")
        self.assertEqual(lines, [self.output("tokenize", STORIES, text).strip() for text in ("", "Once", "", "upon", "")] + [""])

    def test_real_vocabularies(self):
        vocab = SHARED / "data/vocab"
        if not vocab.exists():
            self.skipTest("needs ../shared/data/vocab")
        pairs = [(vocab / "llama3-merges.gguf", vocab / "texts.inp", vocab / "llama3-merges.llama-bpe.out")]
        pairs += [(model, f"{model}.inp", f"{model}.out") for model in sorted(vocab.glob("ggml-vocab-*.gguf"))]
        for model, texts, out in pairs:
            told = self.output("tokenize", model, "--file", texts, "--separator", "__ggml_vocab_test__")
            with open(out, encoding="utf-8") as expected:
                self.assertEqual([line.split() for line in told.splitlines()], [line.split() for line in expected], model)


class Template(ProgramTest):
    def test_conversations_render_and_refusals_are_passed_on(self):
        chat = self.file("c.json", json.dumps({"messages": [{"role": "user", "content": "Hi"}], "bos_token": "<s>",
                                               "now": "2026-11-20T12:00:00"}))
        ok = self.file("ok.jinja", "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %} {{ strftime_now('%d %b %Y') }}")
        self.assertEqual(self.output("template", ok, "--input", chat), "<s>Hi 20 Nov 2026")
        no = self.file("no.jinja", "{{ raise_exception('only system messages here') }}")
        self.assertIn("only system messages here", self.error("template", no, "--input", chat))
        self.assertIn("is not JSON", self.error("template", ok, "--input", self.file("bad.json", "{")))

    def test_real_templates(self):
        folder = SHARED / "data/chat-templates"
        if not folder.exists():
            self.skipTest("needs ../shared/data/chat-templates")
        golden = json.loads((folder / "golden.json").read_text())
        for name, rendered in golden["rendered"].items():
            for conversation, expected in rendered.items():
                chat = self.file("c.json", json.dumps({**golden["conversations"][conversation], "now": golden["now"],
                                                       "bos_token": "<BOS>", "eos_token": "<EOS>"}))
                with self.subTest(name, conversation=conversation):
                    if isinstance(expected, dict):
                        self.assertIn(expected["error"], self.error("template", folder / f"{name}.jinja", "--input", chat))
                    else:
                        self.assertEqual(self.output("template", folder / f"{name}.jinja", "--input", chat), expected)


class Terminal:
    """A person at a terminal."""

    def __init__(self, *args, home):
        self.seen = ""
        env = {**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home), "TERM": "dumb"}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [str(PROGRAM), *map(str, args)], env)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def wait_for(self, text, seconds=60):
        """What came until `text`, which is consumed too."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"waited for {text!r}, got {self.seen!r}")
            try:
                self.seen += os.read(self.terminal, 4096).decode(errors="replace")
            except OSError:
                raise AssertionError(f"ended while waiting for {text!r}, got {self.seen!r}") from None
        before, self.seen = self.seen.split(text, 1)
        return before

    def wait_for_more_than(self, characters, seconds=60):
        end = time.monotonic() + seconds
        while len(self.seen) <= characters:
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"waited for {characters} characters, got {self.seen!r}")
            self.seen += os.read(self.terminal, 4096).decode(errors="replace")
        self.seen = ""

    def exit_code(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Chat(ProgramTest):
    @needs(DEMO)
    def test_a_chat_remembers_lines_and_leaves(self):
        terminal = Terminal("run", "pebble", "--temperature", "0", "-n", "40", home=self.folder)
        terminal.wait_for(">>> ")
        terminal.type("/help\r")
        terminal.wait_for("/clear  forget")
        terminal.wait_for(">>> ")
        terminal.type("What is 2 + 3?\r")
        terminal.wait_for("\n")
        self.assertTrue(terminal.wait_for(">>> ").strip())
        terminal.type("/clear\r")
        terminal.wait_for(">>> ")
        terminal.type("/bye\r")
        self.assertEqual(terminal.exit_code(), 0)
        history = self.folder / "drystone/history"
        self.assertIn("2", history.read_text())
        self.assertEqual(history.stat().st_mode & 0o077, 0)

    def test_ctrl_c_stops_the_answer_and_at_the_prompt_the_program(self):
        # Random weights hardly ever end a text, the likeliest tokens of these never: the answer is still going on.
        model = self.folder / "babble.gguf"
        self.output("synth", "--layers", "8", "--width", "512", "--ff", "1024", "--heads", "8", "--kv-heads", "8",
                    "--vocab", "512", "--context", "8192", "--type", "q8_0", model)
        terminal = Terminal("run", model, "--temperature", "0", home=self.folder)
        terminal.wait_for(">>> ")
        terminal.type("Once upon a time\r")
        terminal.wait_for_more_than(200)  # the answer has begun: the line itself may have been echoed twice
        terminal.type("\x03")
        terminal.wait_for(">>> ")
        terminal.type("\x03")
        self.assertIn(terminal.exit_code(), (-signal.SIGINT, 130))


class PipedAnswer(ProgramTest):
    @needs(DEMO)
    def test_one_question_one_answer(self):
        told = self.start("run", "pebble", "What is 2 + 3?", "--temperature", "0", "-n", "60")
        self.assertTrue(told.stdout.strip())
        self.assertEqual(told.stderr, b"")


def gguf(keys, tensor):
    """A file with u16 metadata and one F32 tensor of 32 ones."""
    string = lambda text: struct.pack("<Q", len(text)) + text.encode()
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(keys))
    head += b"".join(string(key) + struct.pack("<IH", 2, value) for key, value in keys.items())
    head += string(tensor) + struct.pack("<IQIQ", 1, 32, 0, 0)
    return head + b"\0" * (-len(head) % 32) + struct.pack("<32f", *[1] * 32)


class Quantize(ProgramTest):
    def test_no_part_of_a_split_input_is_written_over(self):
        """All parts are mapped and read while OUT is written: taking one of them destroys the model."""
        parts = [self.file(f"m-0000{i + 1}-of-00002.gguf",
                           gguf({"split.no": i, "split.count": 2}, f"t{i}.weight")) for i in range(2)]
        before = [part.read_bytes() for part in parts]
        link = self.folder / "link.gguf"
        link.symlink_to(parts[1])
        for out in (*parts, link):
            text = self.error("quantize", parts[0], out, "q8_0")
            self.assertIn("is both IN and OUT", text)
            self.assertEqual([part.read_bytes() for part in parts], before)
        self.output("quantize", parts[0], self.folder / "out.gguf", "q8_0")


main()
