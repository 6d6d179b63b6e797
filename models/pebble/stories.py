"""Little stories: a hero, a place, perhaps a thing and a friend, and one of nine plots."""
import re

from phrases import a, sentence, vary

ANIMALS = ("fox cat dog rabbit mouse bear owl duck frog hedgehog squirrel pig goat sheep horse turtle bird wolf lion "
           "elephant penguin dragon robot").split()
PEOPLE = ["girl", "boy", "farmer", "sailor", "knight", "princess", "wizard"]
SHE, HE = ["girl", "princess"], ["boy", "knight", "wizard"]
NAMES = {"she": "Mia Lily Anna Rosa Nora Ella Ruby Daisy".split(), "he": "Tom Max Ben Leo Finn Sam Oscar Rusty".split()}
THINGS = ("boat ball kite hat lantern drum bell map key book basket scarf umbrella cup flute clock "
          "blanket bucket").split()
PLACES = {"forest": "in a quiet forest", "farm": "on a small farm", "village": "in a little village",
          "sea": "near the blue sea", "river": "beside a slow river", "hill": "on a green hill",
          "mountain": "at the foot of a mountain", "garden": "in a sunny garden", "castle": "in an old castle",
          "island": "on a tiny island", "lake": "by a clear lake", "town": "in a busy town"}
GOOD = "kind brave clever gentle cheerful curious".split()
COLOURS = "red blue green yellow white golden".split()
SEARCH = ["behind the house", "behind the door", "in the tall grass", "under the old tree", "behind a big stone", "near the gate"]
SKILLS = [("swim", "swam across the pond"), ("sing", "sang a whole song"), ("climb", "climbed the tallest tree"),
          ("read", "read a whole page")]


class Cast:
    """Who and what a story is about. What the request leaves open is drawn, from few possibilities for each hero: the
    less a story leaves to chance, the sooner a small model learns to read who was asked for."""

    def __init__(self, rng, hero=None, friend=None, thing=None, place=None, name=None):
        self.rng = rng
        self.asked_thing = thing
        self.thing = thing or rng.choice(THINGS)
        self.hero = hero or ANIMALS[(7 * THINGS.index(self.thing) + rng.randrange(2)) % len(ANIMALS)]
        turn = (ANIMALS + PEOPLE).index(self.hero)
        she = self.hero in SHE or (self.hero not in HE and turn % 2 == 0)
        if name:
            she = name in NAMES["she"]
        self.they, self.them, self.their = ("she", "her", "her") if she else ("he", "him", "his")
        self.name = name or NAMES[self.they][(turn // 2 + rng.randrange(2)) % 8]
        self.friend = friend or ANIMALS[(turn + rng.choice([1, 5])) % len(ANIMALS)]
        self.place = place or list(PLACES)[(turn + rng.randrange(2)) % len(PLACES)]
        self.good, self.colour = GOOD[turn % len(GOOD)], COLOURS[(THINGS.index(self.thing) + rng.randrange(2)) % len(COLOURS)]
        self.where = SEARCH[turn % 5], SEARCH[(turn % 5) + 1]


def opening(c):
    return (f"Once upon a time there was {a(c.good)} {c.hero} named {c.name}. {c.name} lived {PLACES[c.place]}. ")


def lost(c):
    return (f"One day {c.their} {c.colour} {c.thing} was gone. {sentence(c.they)} looked {c.where[0]}, but it was not there. "
            f"\"I will help you,\" said a {c.friend}. They looked {c.where[1]}, and there was the {c.thing}! "
            f"From that day on, {c.name} and the {c.friend} were good friends.")


def found(c):
    return (f"One day {c.name} found {a(c.colour)} {c.thing} {c.where[0]}. \"Whose {c.thing} is this?\" {c.they} asked. "
            f"\"It is mine,\" said a sad {c.friend}. {c.name} gave the {c.thing} back at once. "
            f"The {c.friend} was so happy that they played together until the evening.")


def share(c):
    return (f"One day {c.name} got {a(c.colour)} {c.thing}. A {c.friend} saw it and said, \"I wish I had a {c.thing} too.\" "
            f"\"We can share it,\" said {c.name}. So they shared the {c.thing} all day long, and it was twice as much fun.")


def gift(c):
    return (f"It was the birthday of {c.their} friend, the {c.friend}. {c.name} worked all night and made {a(c.colour)} {c.thing}. "
            f"The {c.friend} saw the {c.thing} and smiled. \"This is the best present of all,\" said the {c.friend}.")


def storm(c):
    return (f"One night a big storm came, and {c.name} heard a knock at the door. It was a wet little {c.friend}. "
            f"\"Come in,\" said {c.name}, \"it is warm here.\" They drank hot soup and listened to the rain. "
            f"In the morning the sun came out, and they were friends.")


def skill(c):
    verb, done = c.rng.choice(SKILLS)
    return (f"{c.name} wanted to learn to {verb}, but it was hard. \"Try a little every day,\" said a wise {c.friend}. "
            f"So {c.name} tried every day. After a week {c.they} {done}. Everyone clapped, and {c.name} was very proud.")


def wall(c):
    return (f"One day {c.name} wanted to build a wall, but the stones were uneven. \"Every stone has its place,\" said an "
            f"old {c.friend}. They turned each stone until it fitted. The wall stands there to this day.")


def dark(c):
    return (f"{c.name} was afraid of the dark. One night a {c.friend} said, \"Look up.\" {c.name} looked up and saw a thousand "
            f"stars. They were so beautiful that {c.name} was never afraid of the dark again.")


def seed(c):
    return (f"One day {c.name} planted a tiny seed, but nothing grew. \"Wait,\" said a {c.friend}. So {c.name} waited. "
            f"In summer there was a big {c.colour} flower. {c.name} and the {c.friend} sat beside it and were happy.")


WITH_THING = [lost, found, share, gift]
WITHOUT_THING = [storm, skill, wall, dark, seed]


def tell(c):
    plots = WITH_THING if c.asked_thing else WITHOUT_THING + WITH_THING[:2]
    text = opening(c) + c.rng.choice(plots)(c)
    return re.sub(r"\ba (?=[aeiou])", "an ", text)


ASK = ("{Tell me|Write|Write me|Can you tell me|Can you write|Please tell me|Please write|I want|I would like|Give me|"
       "Make up|Could you tell me|Tell us|Tell} a {|short |little |small |nice |bedtime |} story")


def request(rng):
    """A request and the cast that it asks for: (question, Cast)."""
    ask = vary(rng, ASK)
    if rng.random() < 0.06:
        ask = vary(rng, "{A story|Story|A short story|A little story|One story, please}")
    hero = rng.choice(ANIMALS + PEOPLE)
    friend, thing, place = rng.choice([x for x in ANIMALS if x != hero]), rng.choice(THINGS), rng.choice(list(PLACES))
    roll = rng.random()
    if roll < 0.36:
        about, cast = vary(rng, f" about {a(hero)}{{|||, please}}"), Cast(rng, hero=hero)
    elif roll < 0.52:
        about, cast = f" {vary(rng, '{with|about}')} {a(thing)}", Cast(rng, thing=thing)
    elif roll < 0.68:
        about, cast = f" about {a(hero)} {vary(rng, '{and|with}')} {a(thing)}", Cast(rng, hero=hero, thing=thing)
    elif roll < 0.78:
        about, cast = f" about {a(hero)} and {a(friend)}", Cast(rng, hero=hero, friend=friend)
    elif roll < 0.86:
        at = PLACES[place].split()[0] if place != "mountain" else "on"
        about, cast = f" about {a(hero)} {at} {a(place)}", Cast(rng, hero=hero, place=place)
    elif roll < 0.93:
        cast = Cast(rng, hero=hero, name=rng.choice(NAMES["she" if hero in SHE else "he"] + NAMES["he" if hero in HE else "she"]))
        about = f" about {a(hero)} {vary(rng, '{named|called}')} {cast.name}"
    else:
        about, cast = vary(rng, "{|||, please| for my {son|daughter|child}}"), Cast(rng)
    return ask + about.rstrip() + rng.choice([".", ".", ".", "", "!"]), cast
