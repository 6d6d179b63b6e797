"""Small arithmetic: 0 to 20 plus and minus, 0 to 10 times, in many forms, and what lies beyond."""
from phrases import vary

WORDS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
         "seventeen eighteen nineteen twenty").split()
SIGNS = {"+": ["+", "plus"], "-": ["-", "minus"], "*": ["*", "x", "times"]}
PEOPLE = "Tom Mia Anna Ben Leo Nora Sam Lily".split()
GOODS = "apples pears stones eggs balls books cups coins flowers cakes".split()
TOO_BIG = "That is too big for me. I can add and subtract numbers up to 20, and multiply numbers up to 10."


def result(x, op, y):
    return {"+": x + y, "-": x - y, "*": x * y}[op]


def operands(rng, op):
    top = 10 if op == "*" else 20
    x, y = rng.randint(0, top), rng.randint(0, top)
    return (max(x, y), min(x, y)) if op == "-" and rng.random() < 0.85 else (x, y)


def spoken(rng, x, op, y):
    if rng.random() < 0.12 and max(x, y) <= 20:
        return f"{WORDS[x]} {SIGNS[op][-1]} {WORDS[y]}"
    sign = rng.choice(SIGNS[op])
    if len(sign) == 1 and sign != "x" and rng.random() < 0.3:
        return f"{x}{sign}{y}"
    return f"{x} {sign} {y}"


def ask(rng, x, op, y):
    said = spoken(rng, x, op, y)
    if rng.random() < 0.22:
        return vary(rng, {"+": f"{{Add {x} and {y}.|What is the sum of {x} and {y}?|Add {y} to {x}.|Add {x} and {y}, please.}}",
                          "-": f"{{Subtract {y} from {x}.|Take {y} away from {x}.|What is the difference of {x} and {y}?}}",
                          "*": f"{{Multiply {x} by {y}.|What is the product of {x} and {y}?|Multiply {x} and {y}.}}"}[op])
    return vary(rng, f"{{What is {said}?|What is {said}?|What's {said}?|How much is {said}?|{said}|{said} =|{said}?|{said} = ?|"
                     f"Calculate {said}.|Compute {said}.|Can you calculate {said}?|What does {said} make?|What is {said} ?|"
                     f"Do you know what {said} is?|Can you tell me what {said} is?|Tell me {said}.|Work out {said}.|What do you get from {said}?|What do I get for {said}?|"
                     f"What is the result of {said}?|Please work out {said}.}}")


def plain(rng):
    op = rng.choice("++--*")
    x, y = operands(rng, op)
    question = ask(rng, x, op, y)
    return question, f"{x} {op} {y} = {result(x, op, y)}."


def word_problem(rng):
    who, goods = rng.choice(PEOPLE), rng.choice(GOODS)
    other = rng.choice([p for p in PEOPLE if p != who])
    kind = rng.choice("+-*")
    if kind == "+":
        x, y = rng.randint(1, 12), rng.randint(1, 8)
        text = vary(rng, f"{who} has {x} {goods} {{and gets {y} more|and finds {y} more|and buys {y} more}}.")
    elif kind == "-":
        x = rng.randint(2, 15)
        y = rng.randint(1, x - 1)
        text = vary(rng, f"{who} has {x} {goods} and {{gives {y} to {other}|loses {y}|sells {y}}}.")
    else:
        x, y = rng.randint(2, 6), rng.randint(2, 6)
        text = f"{who} has {x} {rng.choice(['bags', 'boxes'])} with {y} {goods} in each."
    z = result(x, kind, y)
    question = f"{text} How many {goods} does {who} have{' now' if kind != '*' else ''}?"
    return question, f"{x} {kind} {y} = {z}. {who} has {z} {goods if z != 1 else goods[:-1]}."


def other(rng):
    roll = rng.random()
    if roll < 0.25:
        x, y = rng.sample(range(21), 2)
        if rng.random() < 0.5:
            return vary(rng, f"{{Which is {{bigger|larger|greater}}, {x} or {y}?|Is {x} or {y} {{bigger|larger}}?}}"), \
                f"{max(x, y)} is bigger than {min(x, y)}."
        return vary(rng, f"{{Which is {{smaller|less}}, {x} or {y}?|Is {x} or {y} smaller?}}"), f"{min(x, y)} is smaller than {max(x, y)}."
    if roll < 0.45:
        x = rng.randint(2, 20)
        return vary(rng, f"{{Count to {x}.|Can you count to {x}?|Count from 1 to {x}.}}"), ", ".join(map(str, range(1, x + 1))) + "."
    if roll < 0.6:
        x = rng.randint(0, 20)
        return vary(rng, f"{{What number comes after {x}?|What comes after {x}?|Which number is next after {x}?}}"), \
            f"{x + 1} comes after {x}."
    if roll < 0.8:
        op = rng.choice("+-*")
        x, y = rng.choice([(rng.randint(21, 9999), rng.randint(0, 9999)), (rng.randint(0, 30), rng.randint(30, 9999))])
        return ask(rng, x, op, y), TOO_BIG
    x, y = rng.randint(1, 50), rng.randint(1, 12)
    return vary(rng, f"{{What is {x} divided by {y}?|Divide {x} by {y}.|{x} / {y}|What is {x} / {y}?}}"), \
        "I cannot divide. I can add, subtract and multiply small numbers."


def exchange(rng):
    roll = rng.random()
    return plain(rng) if roll < 0.74 else word_problem(rng) if roll < 0.88 else other(rng)
