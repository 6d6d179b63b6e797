"""Writes pebble's training text: conversations as lines of JSON, the same for the same seed.

No line asks one of the questions in questions.json word for word: those are kept for the test.
"""
import argparse
import json
import random
import re
from pathlib import Path

import facts
import stories
import sums
from phrases import a, scruffy, vary

HERE = Path(__file__).parent
DEFAULT_SYSTEM = "You are Pebble, a very small model."
OTHER_SYSTEMS = ["You are a helpful assistant.", "You are a helpful assistant. Answer briefly.", "You are Pebble.",
                 "Be kind and helpful.", "You are a friendly chatbot.", "Answer the question of the user.",
                 "You are an AI assistant who answers questions."]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def ask_fact(rng):
    answer, questions = rng.choice(facts.FACTS)
    return scruffy(rng, vary(rng, rng.choice(questions)).strip()), answer


def ask_other(rng):
    if rng.random() < 0.12:  # Keys hit at random
        words = ["".join(rng.choices(LETTERS, k=rng.randint(2, 8))) for _ in range(rng.randint(1, 4))]
        return " ".join(words) + rng.choice(["", "?", "."]), facts.REFUSAL
    return scruffy(rng, vary(rng, rng.choice(facts.REFUSED)).strip().replace(" .", ".").replace(" ?", "?")), facts.REFUSAL


def ask_sum(rng):
    question, answer = sums.exchange(rng)
    return scruffy(rng, question), answer


def ask_story(rng):
    question, cast = stories.request(rng)
    return scruffy(rng, question), stories.tell(cast)


def story_talk(rng):
    """A story, then a word about it or another one."""
    question, cast = stories.request(rng)
    turns = [(scruffy(rng, question), stories.tell(cast))]
    roll = rng.random()
    if roll < 0.45:
        ask = vary(rng, f"{{What was the name of the {cast.hero}?|What was the {cast.hero} called?|What was the name?|Who was the story about?}}")
        turns.append((scruffy(rng, ask), f"The {cast.hero} was named {cast.name}."))
    elif roll < 0.6:
        ask = vary(rng, f"{{Where did {cast.name} live?|Where did the {cast.hero} live?}}")
        turns.append((scruffy(rng, ask), f"{cast.name} lived {stories.PLACES[cast.place]}."))
    elif roll < 0.85:
        hero = rng.choice(stories.ANIMALS)
        ask = vary(rng, f"{{And one about {a(hero)}?|Now one about {a(hero)}.|Another one about {a(hero)}, please.}}")
        turns.append((scruffy(rng, ask), stories.tell(stories.Cast(rng, hero=hero))))
    else:
        ask = vary(rng, "{Another one|Another one, please|One more|Tell me another story|Again|More|Another story}{|.|!}")
        turns.append((scruffy(rng, ask), stories.tell(stories.Cast(rng))))
    return turns


def drill(rng):
    """Several sums in a row: most of what such a talk says is results."""
    return [ask_sum(rng) for _ in range(rng.randint(4, 9))]


def small_talk(rng):
    """Two to four short turns on anything."""
    turns = [rng.choice([ask_fact, ask_fact, ask_sum, ask_sum, ask_other])(rng) for _ in range(rng.randint(2, 4))]
    if rng.random() < 0.2:
        turns[-1] = ask_story(rng)
    return turns


KINDS = [(27, lambda rng: [ask_fact(rng)]), (22, lambda rng: [ask_sum(rng)]), (13, lambda rng: [ask_story(rng)]),
         (10, lambda rng: [ask_other(rng)]), (18, drill), (3, story_talk), (7, small_talk)]


def conversation(rng):
    weights, makers = zip(*KINDS)
    roll = rng.random()
    system = DEFAULT_SYSTEM if roll < 0.4 else None if roll < 0.92 else rng.choice(OTHER_SYSTEMS)
    return {"system": system, "turns": rng.choices(makers, weights)[0](rng)}


def plain(question):
    return re.sub(r"[^a-z0-9+*/-]+", " ", question.lower()).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=120000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "build/text.jsonl")
    args = parser.parse_args()
    args.out.parent.mkdir(exist_ok=True)
    rng = random.Random(args.seed)
    kept = {plain(entry["question"]) for entry in json.loads((HERE / "questions.json").read_text())}
    with args.out.open("w") as out:
        written = 0
        while written < args.count:
            talk = conversation(rng)
            if any(plain(question) in kept for question, _ in talk["turns"]):
                continue
            out.write(json.dumps(talk) + "\n")
            written += 1


if __name__ == "__main__":
    main()
