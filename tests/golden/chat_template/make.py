#!/usr/bin/env python3
"""Writes snippets.json: template snippets and what Jinja2 renders for them.

Needs Debian's python3-jinja2. The environment is the one that Hugging Face Transformers sets up for chat templates,
except that lists may be changed (templates in use do). Run it from anywhere; the result is stored beside it.
"""
import json
import pathlib

import jinja2
import jinja2.ext
from jinja2.sandbox import SandboxedEnvironment

VARIABLES = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Grüße, 世界! 🪨"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"function": {"name": "f", "arguments": {"a": 1, "b": [True, None, 2.5]}}}]},
    ],
    "n": 7, "m": -3, "x": 2.5, "t": True, "f": False, "nothing": None, "empty": "",
    "s": "  Hello, World  ", "u": "Žluťoučký kůň", "q": "it's", "dq": 'say "hi"', "lines": "one\ntwo\n\nfour\n",
    "l": [3, 1, 2], "words": ["b", "A", "c", "a"], "d": {"b": 1, "a": {"c": [1, 2]}, "items": "key"},
    "users": [{"name": "Ann", "age": 30, "team": "x"}, {"name": "bob", "age": 25, "team": "y"},
              {"name": "Cy", "age": 41, "team": "x"}],
}

EXPRESSIONS = r"""
1 + 2 * 3
(1 + 2) * 3
7 // 2
-7 // 2
7 // -2
-7 % 3
7 % -3
7 / 2
6 / 2
2 ** 10
2 ** -1
-2 ** 2
2 ** 3 ** 2
7.5 // 2
-7.5 % 2
1.5 + 1
0.1 + 0.2
1e16
1e15
1e-5
0.0001
123456789.123456789
1.0
-0.0
1e300 * 1e10
1_000
0x1f
0b101
0o17
true
none
[1, 2.0, 'a', "b'c", 'd"e', 'f\'g"h', none, true, [], {}, (), (1,), (1, 2)]
{'a': 1, 2: 'b', none: [1]}
'tab\there'
['tab\there', 'nl\n', 'bs\\', '\x01', 'é', '\u200b', '\u00a0']
'a' 'b'
'\x41\u00e9\U0001F600'
'\q\101'
"quote \" inside"
'a' ~ 1 ~ none ~ 2.5 ~ true ~ [1]
'ab' * 3
3 * 'ab'
'ab' * -1
[1, 2] * 2
[1] + [2]
(1, 2) + (3,)
'a' + 'b'
1 < 2 < 3
1 < 3 < 2
1 == 1.0 == true
'a' < 'b'
[1, 2] < [1, 3]
1 in [1, 2]
'a' in 'abc'
'x' not in 'abc'
'b' in d
'items' in d
not 1
not not 1
not 1 == 2
1 and 0 or 5
0 or ''
'' and 1
1 if true else 2
1 if false
(1 if false) is undefined
1 if false else 2 if false else 3
n if n > 5 else 'small'
'a' if 'b' in 'abc' and n == 7 else 'c'
undefined_thing
undefined_thing is defined
undefined_thing | default('x')
undefined_thing == undefined_other
undefined_thing ~ 'x'
undefined_thing.attribute
undefined_thing['key']
undefined_thing + 1
undefined_thing()
[undefined_thing]
undefined_thing | length
undefined_thing | list
undefined_thing | upper
undefined_thing | join(',')
'x' in undefined_thing
d.missing
d.missing is defined
d.missing.deeper
d['missing'] is defined
d.a.c[1]
d['a']['c'][-1]
d.a.c.0
d.a.c[5] is defined
d.items
d['items']
d.items()
d.items() | list
d.keys() | list
d.values() | list
d.keys()
d.get('b')
d.get('zz')
d.get('zz', 4)
d['get'] is callable
messages[0].role
messages[-1]['role']
messages[1].content
messages[1].content | length
messages[1].content[0:3]
messages[1].content[::-1]
messages[1].content[-1]
messages[1].content[7]
messages[1].content[100] is defined
messages[2].content is none
messages[2].tool_calls[0].function.arguments | tojson
messages | tojson
messages[1:] | length
l[1:]
l[:-1]
l[::-1]
l[::2]
l[-2:]
l[10:]
l[2:1]
l[-100:100]
l[1:0:-1]
l[:0:-1]
'hello'[1:3]
'hello'[::-2]
'hello'[-3:]
(1, 2, 3)[1:]
range(5) | list
range(2, 5) | list
range(5, 0, -2) | list
range(3)
range(0)
range(3)[1]
range(5)[1:3] | list
2 in range(3)
range(3) | length
s.strip()
s | trim
s.lstrip() ~ '|'
s.rstrip() ~ '|'
'xxhixx'.strip('x')
'xyhiyx'.strip('xy')
'xxhixx'.lstrip('x')
'xxhixx'.rstrip('x')
'žžaž'.strip('ž')
'\u00a0\u3000a\u2003'.strip()
'xxhixx' | trim('x')
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
'a,b,,c'.split(',', maxsplit=2)
'  a  b c '.split()
'  a  b c '.split(none, 1)
'a b  c '.split(' ')
'a--b--c'.rsplit('--', 1)
'abc'.split('')
''.split()
''.split(',')
lines.splitlines()
lines.splitlines(true)
lines.split('\n')
'abc'.startswith('ab')
'abc'.endswith(('x', 'bc'))
'abc'.startswith('')
'aXbX'.replace('X', '--')
'aXbX'.replace('X', '', 1)
'abc'.replace('', '-')
'abc' | replace('b', 'z')
'Hello'.upper()
u.upper()
u.lower()
u | upper
'straße'.upper()
'hello wORLD-foo bar'.title()
'hello wORLD-foo (bar)' | title
"it's" | title
"it's".title()
'hELLO wORLD'.capitalize()
'hELLO' | capitalize
'abcabc'.find('c')
'abc'.find('z')
'žluť'.find('u')
'abcabc'.count('bc')
'abc'.index('z')
'-'.join(['a', 'b'])
'-'.join([1, 2])
'prefix-x'.removeprefix('prefix-')
'x.txt'.removesuffix('.txt')
'{} and {}'.format(1, 'b')
'{0}{1}{0}'.format('a', 'b')
'{x}'.format(x=[1])
'{{}}'.format()
'%s is %d' % ('a', 3)
'%s' % 5
'%5d|%-5d|%05d' % (42, 42, 42)
'%.2f' % 3.14159
'%r' % 'a'
'%(a)s' % {'a': 1}
'100%%' % ()
'%s' | format('x')
'abc'.isdigit()
'123'.isdigit()
'abc'.isalpha()
'a1'.isalnum()
'  '.isspace()
'ABC'.isupper()
'abc'.islower()
'abc'.nonexistent is defined
'abc'.nonexistent()
l | length
'žluť' | length
d | length
n | length
l | first
l | last
[] | first
[] | first is defined
l | join
l | join(', ')
users | join(', ', attribute='name')
[1, none, 'a', 2.0] | join('-')
l | sort
l | sort(reverse=true)
words | sort
words | sort(case_sensitive=true)
users | sort(attribute='age') | map(attribute='name') | list
users | sort(attribute='team,age') | map(attribute='name') | list
users | sort(attribute='team,name', reverse=true) | map(attribute='name') | list
[1, 'a'] | sort
l | reverse | list
'abc' | reverse
l | sum
users | sum(attribute='age')
[] | sum
l | min
l | max
words | min
[] | max is defined
words | unique | list
['a', 'A', 'b'] | unique | list
['a', 'A', 'b'] | unique(case_sensitive=true) | list
words | map('upper') | list
words | map('upper') | join
users | map(attribute='name') | list
users | map(attribute='zz', default='-') | list
users | map(attribute='zz') | list | length
[' a ', 'b '] | map('trim') | list
[[1, 2], [3]] | map('join', '+') | list
users | selectattr('team', 'equalto', 'x') | map(attribute='name') | list
users | selectattr('team', '==', 'x') | list | length
users | rejectattr('team', 'eq', 'x') | map(attribute='name') | list
users | selectattr('age', 'gt', 26) | map(attribute='name') | join(',')
users | selectattr('zz') | list
users | selectattr('zz', 'defined') | list
users | selectattr('name', 'in', ['Ann', 'Cy']) | list | length
[0, 1, '', 'a', none] | select | list
[0, 1, '', 'a', none] | reject | list
[1, 2, 3, 4] | select('even') | list
[1, 2, 3, 4] | reject('odd') | list
[1, 'a', 2] | select('string') | list
[1, 2, 3] | select('gt', 1) | list
users | groupby('team') | map('first') | list
users | groupby('team') | map('last') | map('length') | list
l | batch(2) | list
l | batch(2, 0) | list
d | dictsort
{'b': 2, 'A': 1} | dictsort
{'b': 1, 'a': 2} | dictsort(by='value')
{'b': 1, 'a': 2} | dictsort(reverse=true)
{'b': 1, 'a': 2} | items | list
{'b': 1, 'a': 2} | list
messages | map(attribute='role') | unique | list
messages | selectattr('role', 'equalto', 'user') | list | length
messages | selectattr('role', 'equalto', 'nobody') | first is defined
(messages | selectattr('role', 'equalto', 'nobody')) is iterable
nothing | default('x')
nothing | default('x', true)
empty | d('x', boolean=true)
'12' | int
'12.7' | int
'abc' | int
'abc' | int(5)
' 12 ' | int
'-3' | int
12.9 | int
-12.9 | int
true | int
none | int
'ff' | int(base=16)
'1.5' | float
'abc' | float
3 | float
'1e3' | float
-3 | abs
m | abs
-3.5 | abs
2.5 | round
3.5 | round
2.567 | round(2)
2.567 | round(1, 'floor')
2.1 | round(0, 'ceil')
7 | round
1234.5 | round(-2)
42 | string
42 | string | length
none | string
[1, 'a'] | string
'<a href="x">&\'</a>' | escape
'<a>' | e
'<a>' | safe
lines | indent
lines | indent(2)
lines | indent(2, true)
lines | indent(2, blank=true)
'a\nb' | indent('> ')
'one two  three' | wordcount
{'a': [1, 2, {'b': none}], 'c': 'ž"\\\n'} | tojson
{'a': [1, 2, {'b': none}], 'e': [], 'o': {}} | tojson(indent=2)
{'a': [1, 2]} | tojson(indent=4)
{'a': [1, 2]} | tojson(separators=(',', ':'))
{'b': 1, 'a': 2} | tojson(sort_keys=true)
{'ž': '🪨'} | tojson(ensure_ascii=true)
{'ž': '🪨'} | tojson(ensure_ascii=false)
{1: 2, true: 3, none: 4, 1.5: 5} | tojson
'\x01\x7f\u2028</script>' | tojson
1.0 | tojson
1e20 | tojson
[1, 2] | tojson
(1, 2) | tojson
true | tojson
undefined_thing | tojson
'a' is string
1 is string
1 is number
1.5 is float
1 is integer
true is integer
true is number
true is boolean
none is none
d is mapping
l is mapping
l is sequence
'a' is sequence
d is sequence
1 is iterable
'a' is iterable
d is iterable
undefined_thing is iterable
undefined_thing is sequence
undefined_thing is none
true is true
1 is true
false is false
3 is odd
4 is even
9 is divisibleby 3
9 is divisibleby(2)
1 is in [1, 2]
1 is eq 1
1 is equalto(1)
1 is ne 2
2 is gt 1
2 is ge 2
1 is lt 2
1 is le 1
range is callable
'a' is callable
'ABC' is upper
'abc' is lower
1 is sameas 1
1 is sameas true
'upper' is filter
'nonsense' is filter
'odd' is test
1 is not string
n is defined and n is number
not n is string
x is string or x is float
1 is nonsense
1 | nonsense
dict(a=1, b=2)
dict({'a': 1}, b=2)
dict([('a', 1)])
namespace(a=1).a
namespace({'a': 1}).a
[1, 2].append(3)
l.index(1)
l.count(1)
l.copy()
'a'.join('xyz')
n.foo
n.foo.bar
5()
d()
'a' - 'b'
'a' + 1
1 + none
[] + ()
1 < 'a'
none < 1
'1' == 1
[1, 2] == [1, 2]
[1] == (1,)
{'a': 1} == {'a': 1.0}
1 == true
1 / 0
1 // 0
1 % 0
n.__class__
''.__class__.__mro__ is defined
-n
+n
-'a'
- 5 | abs
(-5) | abs
-5.5 | round
n|string~'a'
l|length > 2
l|length - 1
not l
l and 1
{} or 'e'
'%' % 1
'%d' % 'a'
l[0], l[1]
()
(1)
[1, 2,]
{'a': 1,}
d['a', 'b'] is defined
''['a'] is defined
l['a'] is defined
l[none] is defined
l[1.5] is defined
l[true]
caller
loop
loop.index
'a'
"it's" ~ 'q'
q | tojson
dq | tojson
[q, dq]
"\n"
1.e5
1 if
1 +
) 1
[1
{'a' 1}
'unclosed
1 ! 2
a b
x is
x |
x | 5
x.
f(1, a=2, 3)
f(a=1, a=2)
"""

TEMPLATES = [
    "a\n", "a\n\n", "\n", "", "a\r\nb\rc", "{{ 'a\r\nb' }}",
    "  {% if t %}\n  yes\n  {% endif %}\n", "  {%- if t %}\n  yes\n  {%- endif %}\n", "a {%- if t -%} b {%- endif -%} c",
    "a\n  {%+ if t %}b{% endif %}\nc", "a\n  {% if t +%}\n  b{% endif %}\nc", "a\n  {{ n }}\n  b", "a\n  {{- n -}}\n  b",
    "x {# comment #}\ny", "x\n  {# comment #}\ny", "x {#- comment -#} y", "x {# {{ n }} {% if %} #} y", "x\n {#+ c +#}\n y", "{# a\nb #}{{ n }}", "{#-#}a", "{##}a",
    "{% raw %}{{ n }} {% if %}{% endraw %}", "{% raw -%}  a  {%- endraw %} b", "a\n  {% raw %}\n b\n  {% endraw %}\nc", "{%- raw %} x {% endraw -%}  y",
    "{{ '}}' }}", "{{ {'a': {'b': 1}} }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{% set x = {'a': 1} %}{{ x.a }}", "{{ '%}' }}{% if '%}' %}a{% endif %}",
    "{ {n} }", "{{n}}{{n}}", "{{- n }} {{ n -}} x", "{{+n}}", "a{", "a{{", "{% if", "{% endif %}", "{% if t %}", "{% if t %}{% endfor %}", "}}", "%}", "#}",
    "{% if f %}a{% elif t %}b{% else %}c{% endif %}", "{% if f %}a{% elif f %}b{% else %}c{% endif %}", "{% if f %}a{% endif %}|", "{% if t: %}a{% endif %}", "{% if %}a{% endif %}",
    "{% for i in l %}{{ i }}{% endfor %}", "{% for i in l %}{{ loop.index }}:{{ loop.index0 }}:{{ loop.revindex }}:{{ loop.revindex0 }}:{{ loop.first }}:{{ loop.last }}:{{ loop.length }}:{{ loop.depth }} {% endfor %}",
    "{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}", "{% for i in l %}{{ loop.previtem is defined }} {% endfor %}", "{% for i in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for i in [1, 1, 2] %}{{ loop.changed(i) }} {% endfor %}",
    "{% for i in [] %}a{% else %}none{% endfor %}", "{% for i in l if i > 1 %}{{ i }}{{ loop.index }}{{ loop.last }} {% endfor %}", "{% for i in l if i > 5 %}a{% else %}none{% endfor %}", "{% for i in undefined_thing %}a{% else %}none{% endfor %}", "{% for i in n %}{% endfor %}", "{% for i in none %}{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d | items %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for c in 'žab' %}{{ c }},{% endfor %}", "{% for a in 1, 2, 3 %}{{ a }}{% endfor %}", "{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}",
    "{% for i in range(10) %}{% if i == 3 %}{% continue %}{% endif %}{% if i == 6 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% break %}", "{% for i in l %}{% for j in l %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}", "{% for i in l %}{% for j in l %}{{ loop.depth }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for i in [[1, [2, 3]], 4] recursive %}{% if i is iterable %}({{ loop(i) }}){% else %}{{ i }}@{{ loop.depth }} {% endif %}{% endfor %}", "{% for i in l %}{{ loop(l) }}{% endfor %}",
    "{% set a = 1 %}{% for i in l %}{% set a = a + i %}{{ a }} {% endfor %}{{ a }}", "{% set ns = namespace(a=0) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}", "{% for i in l %}{% if loop.first %}{% set z = i %}{% endif %}{{ z }}|{% endfor %}", "{% if t %}{% set a = 5 %}{% endif %}{{ a }}", "{% set n = n + 1 %}{{ n }}", "{% for n in l %}{{ n }}{% endfor %}{{ n }}", "{% for i in l %}{% endfor %}{{ i }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = [1, 2, 3] %}", "{% set (a, b) = (1, 2) %}{{ a + b }}", "{% set a = 1, %}{{ a }}", "{% set a %}x{{ n }}y{% endset %}{{ a }}{{ a is string }}", "{% set a | upper %}x{{ n }}y{% endset %}{{ a }}", "{% set a | upper | replace('X', 'z') %}x{% endset %}{{ a }}", "{% set a %}{% set b = 3 %}{{ b }}{% endset %}{{ a }}{{ b }}", "{% set d.x = 1 %}", "{% set true = 1 %}", "{% set ns = namespace() %}{% set ns.x = 1 %}{% set ns.x = ns.x + 1 %}{{ ns.x }}", "{% set ns = namespace() %}{{ ns.x }}|{{ ns.x is defined }}", "{% set x.y = 1 %}", "{% set undefined_thing.y = 1 %}",
    "{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c=5) }} {{ m(b=3, a=4) }}", "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m() }}{{ m(1) | upper }}{{ m(1) ~ 'x' }}{{ m(1) is string }}", "{% macro m() %}{{ n }}{{ z }}{% endmacro %}{% set z = 1 %}{{ m() }}", "{% macro m() %}{% set n = 5 %}{{ n }}{% endmacro %}{{ m() }}{{ n }}", "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m() %}{{ loop is defined }}{% endmacro %}{% for i in [1] %}{{ m() }}{% endfor %}", "{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, z=4) }}", "{% macro f(n) %}{{ n if n < 2 else (f(n - 1) | int) + (f(n - 2) | int) }}{% endmacro %}{{ f(10) }}", "{% macro m() %}{{ m.name }}{% endmacro %}{{ m() }}", "{{ m() }}{% macro m() %}x{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m() %}\n  a\n{% endmacro %}\n[{{ m() }}]", "{% macro m(a, a2=[]) %}{% set _ = a2.append(a) %}{{ a2 }}{% endmacro %}{{ m(1) }}{{ m(2) }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}body {{ n }}{% endcall %}", "{% macro m() %}<{{ caller(1, 2) }}>{% endmacro %}{% call(a, b) m() %}{{ a }}-{{ b }}{% endcall %}", "{% macro m(x) %}{{ x }}{{ caller() if caller else 'no' }}{% endmacro %}{% call m(1) %}b{% endcall %}", "{% call n %}{% endcall %}",
    "{% filter upper %}a{{ q }}b{% endfilter %}", "{% filter replace('a', 'b') | upper %}aXa{% endfilter %}", "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}", "{% with a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{% endwith %}", "{% print 1 %}",
    "{% set l2 = [] %}{% for i in l %}{% set _ = l2.append(i * 2) %}{% endfor %}{{ l2 }}", "{% set l2 = [1, 2, 3] %}{{ l2.pop() }}{{ l2.pop(0) }}{{ l2 }}", "{% set l2 = [1] %}{% set _ = l2.extend([2, 3]) %}{% set _ = l2.insert(0, 0) %}{{ l2 }}{% set _ = l2.reverse() %}{{ l2 }}", "{% set e = {'a': 1} %}{% set _ = e.update({'b': 2}) %}{{ e }}{{ e.pop('a') }}{{ e }}{{ e.setdefault('z', 9) }}{{ e }}", "{% set a = [1] %}{% set b = a %}{% set _ = b.append(2) %}{{ a }}", "{% set a = [1] %}{% set b = a + [2] %}{{ a }}{{ b }}", "{% set a = [] %}{% set _ = a.append(a) %}{{ a | length }}",
    "{% set g = l | map('string') %}{{ g | list }}{{ g | list }}", "{% set g = users | selectattr('zz') %}{{ 'truthy' if g else 'falsy' }}", "{{ users | selectattr('team') | length }}", "{{ (l | map('string'))[0] }}", "{% for i in l | reverse %}{{ i }}{% endfor %}", "{% for u in users | sort(attribute='name') %}{{ u.name }} {% endfor %}", "{% for team, us in users | groupby('team') %}{{ team }}:{{ us | map(attribute='name') | join('+') }} {% endfor %}", "{% for row in l | batch(2) %}{{ row | join('.') }};{% endfor %}",
    "{% set j = joiner() %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}", "{% set j = joiner('|') %}{{ j() }}a{{ j() }}b", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}", "{{ dict(a=1).a }}{{ dict(**{'k': 2}).k }}", "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{'a': 3, 'b': 4}) }}", "{{ raise_exception('x') }}", "{{ strftime_now('%Y') | length }}", "{% include 'x' %}", "{% autoescape false %}a{% endautoescape %}",
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}{{ m.content if m.content else '' }}{% if m.tool_calls %}{% for c in m.tool_calls %}{{ c.function | tojson }}{% endfor %}{% endif %}{% endfor %}", "{{ messages[0]['content'] | default('') | trim }}", "{% if messages[0].role == 'system' %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{{ rest | length }}", "{%- for m in messages %}\n    {%- if m.role == 'user' %}\n        {{- m.content }}\n    {%- endif %}\n{%- endfor %}\n", "{% for m in messages %}\n{% if m.content %}\n{{ m.content }}\n{% endif %}\n{% endfor %}\nend\n", "    {% for i in l %}\n    {{ i }}\n    {% endfor %}\n    end", "\t{% if t %}\tx\t{% endif %}\t\ny", "{% if t %}\n\n\nx{% endif %}", "{% if t -%}\n\n\nx{%- endif %}", "a{% if t %} {% endif %}b", "  {% set a = 1 %}  {% set b = 2 %}  \nx", "x  {# c #}  y", "{{ n }}\n", "{{ n }}\n\n", "{{ n -}}\n\n x", "{% set a = 1 -%}\n\n x", "{{\n n\n}}", "{% if\nt\n%}a{% endif %}",
]


def main():
    environment = SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])

    def raise_exception(message):
        raise jinja2.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda fmt: "2026" if fmt == "%Y" else "?"
    snippets = []
    lines = [line for line in EXPRESSIONS.split("\n") if line.strip()]
    for source in ["{{ %s }}" % line for line in lines] + TEMPLATES:
        entry = {"source": source}
        try:
            entry["text"] = environment.from_string(source).render(**json.loads(json.dumps(VARIABLES)))
        except Exception:  # The wording of errors is not compared.
            entry["error"] = True
        if "0x" in entry.get("text", "") and " at 0x" in entry["text"]:
            continue  # an address
        snippets.append(entry)
    out = pathlib.Path(__file__).with_name("snippets.json")
    out.write_text(json.dumps({"variables": VARIABLES, "snippets": snippets}, ensure_ascii=False, indent=0) + "\n")
    print(len(snippets), "snippets")


if __name__ == "__main__":
    main()
