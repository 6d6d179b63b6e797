"""Loaded models as the tests see them: their placement, when they are ready, and answers that are read meanwhile."""

import time

from lab import wait_until

READY_WITHIN = 30
ANSWER_WITHIN = 120


def shape(node, model):
    """(state, epoch, names of the nodes with parts, the head first)."""
    for one in node.json("ps"):
        if one["model"] == model:
            return one["state"], one["epoch"], [part["name"] for part in one["parts"]]
    return None


def wait_ready(node, model, epoch_min=1):
    def ready():
        now = shape(node, model)
        return now if now and now[0] == "ready" and now[1] >= epoch_min else None
    return wait_until(READY_WITHIN, ready, f"{model} ready in epoch {epoch_min} at {node.name}")


class Answer:
    """`drystone run` on a node, in the background."""

    def __init__(self, lab, node, model, prompt, tokens):
        self.path = lab.folder / f"answer-{node.name}-{time.monotonic_ns()}"
        with self.path.open("wb") as out:
            self.process = lab.popen_on(node.host, lab.program, "--api", "http://127.0.0.1:8080", "run", model, prompt,
                                        "--temperature", 0, "--max-tokens", tokens, stdout=out, stderr=out)

    def text(self):
        return self.path.read_bytes()

    def wait_begun(self, size=60):
        wait_until(ANSWER_WITHIN, lambda: len(self.text()) >= size, "the beginning of the answer")
        if self.process.poll() is not None:
            raise AssertionError("the answer is over before the fault: make the model larger")

    def whole(self, seconds=ANSWER_WITHIN):
        self.process.wait(timeout=seconds)
        return self.text()
