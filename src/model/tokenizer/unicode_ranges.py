#!/usr/bin/env python3
"""Writes unicode_ranges.inc: where the class of a code point changes, from Python's own Unicode tables.

    python3 unicode_ranges.py > unicode_ranges.inc
"""
import sys
import unicodedata

SPACES = {0x9, 0xA, 0xB, 0xC, 0xD, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F,
          0x3000}
LETTERS = {"Lu": "kUpper", "Lt": "kUpper", "Ll": "kLower", "Lm": "kCaseless", "Lo": "kCaseless"}
OTHERS = {"M": "kMark", "N": "kNumber", "P": "kPunctuation", "S": "kSymbol"}


def class_of(code):
    if code in SPACES:
        return "kSpace"
    category = unicodedata.category(chr(code))
    return LETTERS.get(category) or OTHERS.get(category[0], "kOther")


entries, last = [], None
for code in range(0x110000):
    now = class_of(code)
    if now != last:
        entries.append("{0x%04X, %s}," % (code, now))
        last = now

print("// Written by unicode_ranges.py from Unicode %s: do not edit." % unicodedata.unidata_version)
line = ""
for entry in entries:
    if len(line) + len(entry) + 1 > 118:
        print(line)
        line = ""
    line += (" " if line else "") + entry
print(line)
