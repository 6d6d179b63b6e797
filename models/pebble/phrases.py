"""Small helpers for text written by rule: braces list alternatives, {a|b|} means a, b or nothing."""
import re

INNERMOST = re.compile(r"\{([^{}]*)\}")


def vary(rng, text):
    """Replaces every {a|b|c} by one of its alternatives, innermost first."""
    while True:
        found = INNERMOST.search(text)
        if not found:
            return re.sub(r"  +", " ", text)
        text = text[:found.start()] + rng.choice(found.group(1).split("|")) + text[found.end():]


def a(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def sentence(text):
    return text[0].upper() + text[1:]


def listing(items):
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def scruffy(rng, question):
    """As people type: sometimes without capitals or the question mark, sometimes with a greeting or a please."""
    roll = rng.random()
    if roll < 0.08:
        question = rng.choice(["Hi, ", "Hello, ", "Hello! ", "Hi! ", "Hey, ", "Please: "]) + question
    elif roll < 0.12:
        question = "Please " + question[0].lower() + question[1:] if question[0] not in "I0123456789" else question
    if rng.random() < 0.15:
        question = question.rstrip("?.!")
    if rng.random() < 0.18:
        question = question.lower()
    return question
