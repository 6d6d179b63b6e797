"""Learns a byte-level BPE (the GPT-2 kind) on the generated text, writes tokenizer.json, and encodes the text.

Digits are never merged, so that every number looks the same to the model: one token per digit.
"""
import argparse
import json
import re
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# GPT-2's split; the text is ASCII, so letters and digits need no Unicode classes here.
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def byte_letters():
    """GPT-2's printable stand-in for every byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = {b: chr(b) for b in plain}, 256
    for b in range(256):
        if b not in letters:
            letters[b], extra = chr(extra), extra + 1
    return letters


LETTER = byte_letters()


def learn(text_words, merges_wanted):
    words = {word: [LETTER[b] for b in word.encode()] for word in text_words}
    pairs, where = Counter(), {}

    def count(word, sign):
        for pair in zip(words[word], words[word][1:]):
            if not any(c.isdigit() and c.isascii() for c in pair[0] + pair[1]):
                pairs[pair] += sign * text_words[word]
                where.setdefault(pair, set()).add(word)

    for word in words:
        count(word, 1)
    merges = []
    while len(merges) < merges_wanted:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for word in where.pop(best):
            count(word, -1)
            words[word] = merge(words[word], best)
            count(word, 1)
    return merges


def merge(pieces, pair):
    out, i = [], 0
    while i < len(pieces):
        if tuple(pieces[i:i + 2]) == pair:
            out.append(pieces[i] + pieces[i + 1])
            i += 2
        else:
            out.append(pieces[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, tokens, merges):
        self.tokens, self.merges = tokens, [tuple(m) for m in merges]
        self.id = {token: i for i, token in enumerate(tokens)}
        self.rank = {pair: i for i, pair in enumerate(self.merges)}
        self.byte = {letter: b for b, letter in LETTER.items()}
        self.known = {}
        self.start, self.end = self.id["<|im_start|>"], self.id["<|im_end|>"]

    @staticmethod
    def load():
        data = json.loads((HERE / "tokenizer.json").read_text())
        return Tokenizer(data["tokens"], data["merges"])

    def word(self, word):
        if word not in self.known:
            pieces = [LETTER[b] for b in word.encode()]
            while len(pieces) > 1:
                pair = min(zip(pieces, pieces[1:]), key=lambda p: self.rank.get(p, 1 << 30))
                if pair not in self.rank:
                    break
                pieces = merge(pieces, pair)
            self.known[word] = [self.id[p] for p in pieces]
        return self.known[word]

    def encode(self, text):
        return [i for word in SPLIT.findall(text) for i in self.word(word)]

    def decode(self, ids):
        return bytes(self.byte[c] for i in ids if self.tokens[i] not in SPECIAL for c in self.tokens[i]).decode("utf-8", "replace")

    def message(self, role, text):
        return [self.start, *self.encode(f"{role}\n{text}"), self.end, *self.encode("\n")]

    def prompt(self, question, system="You are Pebble, a very small model."):
        head = self.message("system", system) if system else []
        return head + self.message("user", question) + [self.start, *self.encode("assistant\n")]

    def conversation(self, talk):
        """(ids, spans of what the assistant says, <|im_end|> included)."""
        ids = self.message("system", talk["system"]) if talk["system"] else []
        spans = []
        for question, answer in talk["turns"]:
            ids += self.message("user", question) + [self.start, *self.encode("assistant\n")]
            begin = len(ids)
            ids += [*self.encode(answer), self.end]
            spans.append((begin, len(ids)))
            ids += self.encode("\n")
        return ids, spans


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--text", type=Path, default=HERE / "build/text.jsonl")
    parser.add_argument("--keep", action="store_true", help="encode with the tokenizer.json that is there")
    args = parser.parse_args()
    talks = [json.loads(line) for line in args.text.open()]
    if not args.keep:
        words = Counter()
        for talk in talks[:30000]:
            for part in [f"system\n{talk['system']}\n", *(f"user\n{q}\nassistant\n{answer}\n" for q, answer in talk["turns"])]:
                words.update(SPLIT.findall(part))
        merges = learn(words, args.size - 256 - len(SPECIAL))
        tokens = [LETTER[b] for b in range(256)] + [x + y for x, y in merges] + SPECIAL
        (HERE / "tokenizer.json").write_text(json.dumps({"size": len(tokens), "tokens": tokens, "merges": merges}) + "\n")
    tokenizer = Tokenizer.load()
    encoded = [tokenizer.conversation(talk) for talk in talks]
    encoded = [(ids, spans) for ids, spans in encoded if len(ids) <= 512]
    (HERE / "build/tokens.json").write_text(json.dumps(encoded))
    total = sum(len(ids) for ids, _ in encoded)
    print(f"{len(tokenizer.tokens)} tokens in the vocabulary; {len(encoded)} conversations, {total} tokens, "
          f"{sum(e - b for _, spans in encoded for b, e in spans)} of them said by the assistant")


if __name__ == "__main__":
    main()
