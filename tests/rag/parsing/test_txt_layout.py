"""How lines become paragraphs and lines of verse."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import BlockKind, fold_text
from rag.parsing.txt.encodings import Decoding
from rag.parsing.txt.layout import Layout, Setting, choose_layout, cut_paragraphs
from rag.parsing.txt.source import Line, join_lines, read_lines

SENTENCE = (
    "The village lay in deep snow, and nothing was to be seen of the castle hill, for mist and"
    " darkness surrounded it, and not even the faintest gleam of light showed the great castle."
)
CHINESE = (
    "盖闻天地之数，有十二万九千六百岁为一元。将一元分为十二会，"
    "乃子丑寅卯辰巳午未申酉戌亥之十二支也。"
)
VERSE = """\
Morning and evening
Maids heard the goblins cry:
'Come buy our orchard fruits,
Come buy, come buy:
Apples and quinces,
Lemons and oranges,
Plump unpecked cherries,
Melons and raspberries,
Bloom-down-cheeked peaches,
Swart-headed mulberries,"""


def _lines(text: str) -> list[Line]:
    return read_lines(text.encode(), Decoding("utf-8"))


def _paragraphs(text: str) -> list[tuple[BlockKind, str]]:
    lines = _lines(text)
    layout = choose_layout(lines)
    return [
        (piece.kind, join_lines([line.text for line in lines[piece.first : piece.last + 1]]))
        for piece in cut_paragraphs(lines, 0, len(lines), layout)
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_wrapped_paragraphs_with_blank_lines_between(end: str) -> None:
    source = end.join([*textwrap.wrap(SENTENCE, 70), ""] * 9)
    assert _paragraphs(source) == [(BlockKind.PARAGRAPH, SENTENCE)] * 9


def test_one_paragraph_a_line_with_ideographic_indents() -> None:
    source = "\n".join(["　　" + CHINESE * 3, "　　“好！”", "　　“走罢。”"] * 5)
    assert _paragraphs(source) == [
        (BlockKind.PARAGRAPH, text) for text in [CHINESE * 3, "“好！”", "“走罢。”"] * 5
    ]


def test_wrapped_paragraphs_told_by_their_indents() -> None:
    wrapped = textwrap.wrap(SENTENCE, 64, initial_indent="    ")
    assert _paragraphs("\n".join(wrapped * 9)) == [(BlockKind.PARAGRAPH, SENTENCE)] * 9


def test_wrapped_chinese_is_joined_without_spaces() -> None:
    paragraph = "　　" + CHINESE * 4
    lines = [paragraph[start : start + 30] for start in range(0, len(paragraph), 30)]
    assert _paragraphs("\n".join(lines * 5)) == [(BlockKind.PARAGRAPH, CHINESE * 4)] * 5


def test_a_page_break_does_not_cut_a_chinese_paragraph() -> None:
    text = CHINESE * 40
    lines = [text[start : start + 29] for start in range(0, len(text), 29)]
    assert not lines[9].endswith("。")
    paged = "\n".join([*lines[:10], "", *lines[10:], "短。"])
    assert _paragraphs(paged)[0] == (BlockKind.PARAGRAPH, text)


def test_verse_keeps_its_lines() -> None:
    expected = [(BlockKind.VERSE, line) for line in VERSE.splitlines()]
    assert _paragraphs(f"{VERSE}\n\n{VERSE}") == expected * 2


def test_verse_inside_wrapped_prose() -> None:
    prose = "\n".join(textwrap.wrap(SENTENCE, 70))
    found = _paragraphs("\n\n".join([prose] * 5 + [VERSE] + [prose] * 5))
    assert [kind for kind, _ in found].count(BlockKind.PARAGRAPH) == 10
    assert [text for kind, text in found if kind is BlockKind.VERSE] == VERSE.splitlines()


def test_a_drawn_rule_stands_alone() -> None:
    prose = "\n".join(textwrap.wrap(SENTENCE, 70))
    found = [text for _, text in _paragraphs(f"{prose}\n----------\n{prose}\n\n" * 4)]
    assert found == [SENTENCE, "----------", SENTENCE] * 4


@pytest.mark.parametrize(
    ("above", "below", "joined"),
    [
        ("the great", "castle", "the great castle"),
        ("天地之", "数，有", "天地之数，有"),
        ("他说：", "“好！”", "他说：“好！”"),
        ("he said—", "“Next”", "he said— “Next”"),
        ("나무를", "보고", "나무를 보고"),
        ("共有 300", "人", "共有 300 人"),
    ],
)
def test_a_line_break_is_a_space_only_where_words_are_spaced(
    above: str, below: str, joined: str
) -> None:
    assert join_lines([above, below]) == joined


@given(st.text(alphabet="ab。天 \u3000\t\r\n—“", max_size=200), st.sampled_from(list(Setting)))
def test_every_character_falls_into_exactly_one_paragraph(text: str, setting: Setting) -> None:
    lines = _lines(text)
    pieces = list(cut_paragraphs(lines, 0, len(lines), Layout(setting, 20)))
    covered = [index for piece in pieces for index in range(piece.first, piece.last + 1)]
    assert covered == sorted(set(covered))
    assert {i for i, line in enumerate(lines) if line.text} <= set(covered)
    assert all(lines[piece.first].text and lines[piece.last].text for piece in pieces)


@given(
    st.text(alphabet="aé天😀\r\n\u3000 ", max_size=80),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "gb18030"]),
)
def test_lines_are_exact_byte_ranges(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    lines = read_lines(data, Decoding(encoding))
    for line in lines:
        assert data[line.start : line.end].decode(encoding).strip() == line.text
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    assert [line.text for line in lines] == [part.strip() for part in unified.split("\n")][
        : len(lines)
    ]
    assert fold_text(" ".join(line.text for line in lines)) == fold_text(text)
