# ruff: noqa: E501 - templates read better in one line

from __future__ import annotations

import tracemalloc

import pytest

from inference.chat.template import ChatTemplate, TemplateLimitError
from inference.errors import ChatTemplateError

MESSAGES = [{"role": "user", "content": "hello"}]

ENDLESS = [
    "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{% set a = ['a' * 100000] * 9 %}{% for i in range(100000) %}{% for j in range(100000) %}{{ '' if a == a + [] }}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(99) }}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=1) %}{% for i in range(60) %}{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}{{ ns.x | tojson }}",
    "{% set ns = namespace(x=1) %}{% for i in range(60) %}{% set ns.x = namespace(a=ns.x, b=ns.x) %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=1) %}{% set ns.x = ns %}{{ ns }}",
]

ENORMOUS = [
    "{% set ns = namespace(x='aa') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x='aa') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%s%s' % ('a' * 6000000, 'b') }}",
    "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
    "{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}",
    "{{ ('a' * 1000000).replace('', 'b' * 1000000) }}",
    "{{ ('b' * 1000000).join(('a,' * 100000).split(',')) }}",
    "{{ ('a,' * 100000).split(',') | join('b' * 1000000) }}",
    "{{ ('\\n' * 100000) | indent(100000) }}",
    "{{ ('{0}' * 1000).format('a' * 100000) }}",
    "{{ " + " ~ ".join(["('b' * 1000000)"] * 500) + " }}",
    "{{ range(1000000000) | list }}",
    "{{ range(100000) | join(d='" + "b" * 100000 + "') }}",
    "{{ 'aaaaaaaa' | join(['" + "b" * 500000 + "']) }}",
    "{{ '" + "a" * 50000 + "' | replace(new='" + "b" * 100000 + "', old='a') }}",
    "{{ '" + "1" * 50000 + "' | replace(1, '" + "b" * 100000 + "') }}",
    "{{ range(50000) | list | replace(',', '" + "b" * 100000 + "') }}",
    "{{ range(20000) | list | tojson(separators=('" + "b" * 100000 + "', ':')) }}",
    "{% set x = range(50000) | list %}" + "{% set y = x[:] %}" * 100,
    "{% set x = range(20000) | list %}{{ x | select('in', range(30000, 50000) | list) | list }}",
    "{{ '" + "f" * 50000 + "' | int(0, 16) is divisibleby 3 }}",
]

REFUSED = [
    "{{ ''.__class__.__mro__ }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'role': 'x'}) }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ 'x' | attr('__class__') }}",
    "{{ lipsum() }}",
    "{{ 'x' | center(1000000000) }}",
    "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
    "{{ namespace(__class__=1) }}",
    "{{ strftime_now('%1000000000Y') }}",
    "{% include 'x' %}",
    "{% import 'os' as os %}",
    "{{ undefined.attribute }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ (" + "(" * 5000 + "1" + ")" * 5000 + ") }}",
    "{{ raise_exception('no') }}",
    "{{ 1 / 0 }}",
    "{{ messages | tojson(indent='x') }}",
    "{{ (0).to_bytes(100, 'big') }}",
    "{{ range(1000) | batch(1) | sum(start=[]) }}",
]


@pytest.mark.parametrize("source", ENDLESS, ids=range(len(ENDLESS)))
def test_what_would_not_end_is_ended(source: str) -> None:
    with pytest.raises(TemplateLimitError):
        ChatTemplate(source).render({"messages": MESSAGES})


@pytest.mark.parametrize("source", ENORMOUS, ids=range(len(ENORMOUS)))
def test_what_would_fill_the_memory_is_not_begun(source: str) -> None:
    template = ChatTemplate(source)
    tracemalloc.start()
    try:
        with pytest.raises(TemplateLimitError):
            template.render({"messages": MESSAGES})
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("source", REFUSED, ids=range(len(REFUSED)))
def test_what_a_template_has_no_business_with(source: str) -> None:
    with pytest.raises(ChatTemplateError):
        ChatTemplate(source).render({"messages": MESSAGES})


def test_nothing_of_python_is_seen() -> None:
    for source in ("{{ messages.__class__ }}", "{{ self.__init__ }}", "{{ namespace.__init__ }}"):
        assert ChatTemplate(source).render({"messages": MESSAGES}) == ""


def test_what_is_given_is_not_changed() -> None:
    messages = [{"role": "user", "content": "hello", "tags": ["a"]}]
    source = "{% set x = messages %}{% for m in x %}{% set m = 'y' %}{% endfor %}{{ x | length }}"
    assert ChatTemplate(source).render({"messages": messages}) == "1"
    assert messages == [{"role": "user", "content": "hello", "tags": ["a"]}]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ 'a' ~ 1 ~ none }}", "a1None"),
        ("{{ 'x' * 3 + 'y' }}{{ 2 ** 3 }}{{ '%s-%d' % ('a', 5) }}", "xxxy8a-5"),
        ("{{ '{}-{b}'.format(1, b='c') }}", "1-c"),
        ("{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }}{{ loop.last }}{% endfor %}", "12False34True"),
        ("{% for x in range(9) %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}", "012"),
        ("{% for x in [1, 2] recursive %}{{ x }}{% else %}none{% endfor %}", "12"),
        ("{% macro f(a, b=2) %}<{{ a }}{{ b }}>{% endmacro %}{{ f(1) }}{{ f(1, b=3) }}", "<12><13>"),
        ("{% set x %}a{{ 1 }}{% endset %}{{ x | upper }}", "A1"),
        ("{% set n = namespace(i=0) %}{% for x in 'abc' %}{% set n.i = n.i + 1 %}{% endfor %}{{ n.i }}", "3"),
        ("{{ messages | map(attribute='role') | join(', ') }}", "user"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"),
        ("{{ {'b': '<é>', 'a': [1]} | tojson }}", '{"b": "<é>", "a": [1]}'),
        ("{{ {'a': 1} | tojson(indent=2) }}", '{\n  "a": 1\n}'),
        ("{{ {'b': 2, 'a': 1}.items() | list }}{{ dict(a=1).get('a') }}", "[('b', 2), ('a', 1)]1"),
        ("{{ 'a-b' | replace('-', '+') }}{{ 11 | replace(1, 'x') }}{{ [1, 2] | join(d='; ') }}{{ [1, 2] | sum }}", "a+bxx1; 23"),
        ("{{ 'a-b'.split('-')[-1] }}{{ ' x '.strip() }}{{ 'abc'[::-1] }}", "bxcba"),
        ("{% generation %}said{% endgeneration %}", "said"),
        ("{{ strftime_now('%Y') | length }}", "4"),
        ("{{ 'no' if 3 is divisibleby 2 else 'yes' }}{{ 1 < 2 < 3 }}{{ 'a' in 'abc' }}", "yesTrueTrue"),
        ("{% call f() %}x{% endcall %}{% macro f() %}{% endmacro %}", None),
        ("{% filter upper %}abc{% endfilter %}{{ [3, 1] | sort | first }}", "ABC1"),
    ],
)  # fmt: skip
def test_the_language_is_all_there(source: str, expected: str | None) -> None:
    template = ChatTemplate(source)
    if expected is None:
        with pytest.raises(ChatTemplateError):
            template.render({"messages": MESSAGES})
    else:
        assert template.render({"messages": MESSAGES}) == expected


def test_a_long_conversation_has_room() -> None:
    messages = [{"role": "user", "content": "a long passage " * 200}] * 1_000
    source = (
        "{% for m in messages %}{{ '<' + m.role + '>' + m.content | trim + '\\n' }}{% endfor %}"
    )
    text = ChatTemplate(source).render({"messages": messages})
    assert len(text) > 2_900_000
