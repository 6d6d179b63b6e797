"""Little stories: a hero, a place, perhaps a thing and a friend, and one of a dozen plots."""
import re

from phrases import a, sentence, vary

ANIMALS = ("fox cat dog rabbit mouse bear owl duck frog hedgehog squirrel pig goat sheep horse turtle bird wolf lion "
           "elephant penguin dragon robot").split()
PEOPLE = ["girl", "boy", "farmer", "sailor", "knight", "princess", "wizard"]
SHE, HE = ["girl", "princess"], ["boy", "knight", "wizard"]
NAMES = {"she": "Mia Lily Anna Rosa Nora Ella Ruby Daisy".split(), "he": "Tom Max Ben Leo Finn Sam Oscar Rusty".split()}
THINGS = ("boat ball kite hat lantern drum bell map key book basket scarf umbrella cup flute clock "
          "blanket bucket").split()
SOFT = "ball hat map book scarf blanket".split()  # These do not break.
PLACES = {"forest": "in a quiet forest", "farm": "on a small farm", "village": "in a little village",
          "sea": "near the blue sea", "river": "beside a slow river", "hill": "on a green hill",
          "mountain": "at the foot of a mountain", "garden": "in a sunny garden", "castle": "in an old castle",
          "island": "on a tiny island", "lake": "by a clear lake", "town": "in a busy town"}
GOOD = "kind brave clever gentle cheerful curious".split()
COLOURS = "red blue green yellow white golden".split()
SEARCH = ["behind the house", "behind the door", "in the tall grass", "under the old tree", "behind a big stone", "near the gate"]
SKILLS = [("swim", "swam across the pond"), ("sing", "sang a whole song"), ("dance", "danced in the square"),
          ("climb", "climbed to the top of the tree"), ("read", "read a whole page"), ("whistle", "whistled a tune"),
          ("skate", "skated over the ice")]


class Cast:
    """Who and what a story is about. What the request leaves open is drawn."""

    def __init__(self, rng, hero=None, friend=None, thing=None, place=None, name=None):
        self.rng = rng
        self.hero = hero or rng.choice(ANIMALS + PEOPLE[:2])
        she = self.hero in SHE or (self.hero not in HE and rng.random() < 0.5)
        if name:
            she = name in NAMES["she"]
        self.they, self.them, self.their = ("she", "her", "her") if she else ("he", "him", "his")
        self.name = name or rng.choice(NAMES[self.they])
        self.friend = friend or rng.choice([x for x in ANIMALS if x != self.hero])
        self.asked_thing = thing
        self.thing = thing or rng.choice(THINGS)
        self.place = place or rng.choice(list(PLACES))
        self.good, self.colour = rng.choice(GOOD), rng.choice(COLOURS)
        self.where = rng.sample(SEARCH, 2)


def opening(c):
    return vary(c.rng, f"{{Once upon a time there was|There once was}} {a(c.good)} {c.hero} named {c.name}. "
                       f"{c.name} lived {PLACES[c.place]}. ")


def lost(c):
    return (f"{c.name} had {a(c.colour)} {c.thing} and loved it very much. One day the {c.thing} was gone. "
            f"{sentence(c.they)} looked {c.where[0]}, but it was not there. Then a {c.friend} came and said, "
            f"\"I will help you.\" Together they looked {c.where[1]}, and there was the {c.thing}! "
            f"\"Thank you,\" said {c.name}. {{From that day on, they were good friends.|They laughed and went home happy.}}")


def found(c):
    return (f"One morning {c.name} found {a(c.colour)} {c.thing} {c.where[0]}. \"Whose {c.thing} is this?\" {c.they} asked. "
            f"{sentence(c.they)} asked everyone who came by. At last a sad {c.friend} said, \"It is mine. I lost it.\" "
            f"{c.name} gave the {c.thing} back at once. The {c.friend} was so happy that they played together until the evening.")


def share(c):
    return (f"One day {c.name} got a new {c.thing}. It was {c.colour} and very pretty. A {c.friend} looked at it and sighed, "
            f"\"I wish I had a {c.thing} too.\" {c.name} thought for a moment. \"We can share it,\" {c.they} said. "
            f"So they shared the {c.thing} all day long, and it was twice as much fun.")


def gift(c):
    return (f"Tomorrow was the birthday of {c.their} friend, the {c.friend}. {c.name} wanted to give something special. "
            f"{sentence(c.they)} worked all night and made {a(c.colour)} {c.thing}. In the morning the {c.friend} saw the "
            f"{c.thing} and smiled. \"This is the best present of all,\" said the {c.friend}. And {c.name} was happy too.")


def broken(c):
    return (f"{c.name} had an old {c.thing}. One day it fell down and broke. {c.name} began to cry. \"Do not cry,\" said "
            f"a {c.friend}. \"We can mend it.\" They worked slowly and carefully. In the evening the {c.thing} was as good as new. "
            f"{c.name} learned that many things can be mended with patience.")


def storm(c):
    return (f"One night a big storm came. The wind was loud and the rain was cold. {c.name} heard a knock at the door. "
            f"It was a wet little {c.friend}. \"Come in,\" said {c.name}, \"it is warm here.\" They drank hot soup and listened "
            f"to the rain. In the morning the sun came out, and they were friends.")


def skill(c):
    verb, done = c.rng.choice(SKILLS)
    return (f"{c.name} wanted to learn to {verb}, but it was hard. {sentence(c.they)} tried once and failed. "
            f"\"Try a little every day,\" said a wise {c.friend}. So {c.name} tried every day. After a week {c.they} {done}. "
            f"Everyone clapped, and {c.name} was very proud.")


def wall(c):
    return (f"One day {c.name} wanted to build a wall, but all the stones were uneven. \"No stone fits,\" {c.they} said. "
            f"An old {c.friend} smiled and said, \"Every stone has its place. You must only find it.\" They turned each stone "
            f"until it fitted. In the evening the wall stood strong, and it stands there to this day.")


def race(c):
    return (f"One day a {c.friend} said, \"I am faster than you.\" So they ran a race. The {c.friend} ran very fast and fell "
            f"over a stone. {c.name} stopped and helped the {c.friend} up. They walked to the end together. \"You did not win,\" "
            f"said the {c.friend}. \"I won a friend,\" said {c.name}.")


def dark(c):
    return (f"{c.name} was afraid of the dark. One night {c.they} saw a small light outside. It was a {c.friend} with a lantern. "
            f"\"Look up,\" said the {c.friend}. {c.name} looked up and saw a thousand stars. They were so beautiful that "
            f"{c.name} was never afraid of the dark again.")


def seed(c):
    return (f"One spring {c.name} planted a tiny seed. Every day {c.they} gave it water, but nothing grew. \"Wait,\" said "
            f"a {c.friend}. So {c.name} waited. One morning there was a green leaf, and in summer there was a big {c.colour} "
            f"flower. {c.name} and the {c.friend} sat beside it and were happy.")


def journey(c):
    return (f"One day {c.name} wanted to see the end of the world. {sentence(c.they)} walked over a bridge and through a "
            f"valley. On the way {c.they} met a {c.friend}, and they walked together. In the evening they saw their own home far "
            f"below. \"Home is the best place of all,\" said {c.name}, and they went back.")


WITH_THING = [lost, found, share, gift, broken]
WITHOUT_THING = [storm, skill, wall, race, dark, seed, journey]


def tell(c):
    plots = WITH_THING[:4] if c.thing in SOFT else WITH_THING
    if not c.asked_thing:
        plots = WITHOUT_THING + plots[:3]
    text = opening(c) + vary(c.rng, c.rng.choice(plots)(c))
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
        cast = Cast(rng, hero=hero)
        about = f" about {a(hero)} {vary(rng, '{named|called}')} {cast.name}"
    else:
        about, cast = vary(rng, "{|||, please| for my {son|daughter|child}}"), Cast(rng)
    return ask + about.rstrip() + rng.choice([".", ".", ".", "", "!"]), cast
