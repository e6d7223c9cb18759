# ruff: noqa: E501 - answers read better in one line

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.chat.answer_parser import AnswerParser
from inference.chat.reasoning import REASONING_TAGS
from inference.chat.tool_calls import ToolSyntax, tool_syntax

Parts = tuple[str, str, list[tuple[str, str]]]
THINK = REASONING_TAGS[0]
NAMES = ["look_up", "now"]

fragments = st.sampled_from(
    ["<think>", "</think>", "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "<|python_tag|>",
     '{"name": "look_up", "arguments": {"word": "</tool_call>"}}', '{"name": "now", "parameters": {}}',
     '<tool_call>{"name": "now"}</tool_call>', '[TOOL_CALLS][{"name": "now"}]',
     '[{"name": "now", "arguments": {}}]', "[TOOL_CALLS]now[ARGS]{}", "now[ARGS]{}", "look_up", "; ", '"', "\\", "{", "}", "[",
     "text", "你好", "<", "</", "<tool", "[TOOL", " ", "\n", "\n\n"]
)  # fmt: skip
answers = st.lists(fragments | st.text(max_size=4), max_size=10).map("".join)
syntaxes = st.sampled_from([None, "hermes", "llama", "mistral", "mistral_args"])


def parser(syntax: ToolSyntax | None = None, *, is_open: bool = False) -> AnswerParser:
    return AnswerParser(
        reasoning_tags=THINK, reasoning_open=is_open, tool_syntax=syntax, tool_names=NAMES
    )


def parts(reader: AnswerParser, pieces: Sequence[str]) -> Parts:
    read = [*(reader.push(piece) for piece in pieces), reader.flush()]
    calls = [(call.name, call.arguments) for piece in read for call in piece.tool_calls]
    ids = [call.call_id for piece in read for call in piece.tool_calls]
    assert len(set(ids)) == len(ids)
    return (
        "".join(piece.reasoning for piece in read),
        "".join(piece.content for piece in read),
        calls,
    )


@given(text=answers, syntax=syntaxes, is_open=st.booleans(), data=st.data())
def test_how_the_answer_is_cut_makes_no_difference(
    text: str, syntax: ToolSyntax | None, is_open: bool, data: st.DataObject
) -> None:
    whole = parts(parser(syntax, is_open=is_open), [text])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert parts(parser(syntax, is_open=is_open), pieces) == whole
    assert parts(parser(syntax, is_open=is_open), list(text)) == whole
    for _, arguments in whole[2]:
        assert isinstance(json.loads(arguments), dict)


@given(text=answers, syntax=syntaxes)
def test_what_is_no_call_is_kept_to_the_letter(text: str, syntax: ToolSyntax | None) -> None:
    reader = AnswerParser(tool_syntax=syntax, tool_names=NAMES)
    _, content, calls = parts(reader, [text])
    if not calls:
        assert content == text
    else:
        left = iter(text)  # what is left of the text, in order
        assert all(character in left for character in content)


@given(content=st.text(max_size=30), reasoning=st.text(max_size=30))
def test_reasoning_apart(content: str, reasoning: str) -> None:
    if "</think>" in reasoning:
        return
    written = f"<think>\n{reasoning}\n</think>\n\n{content}"
    wanted = (reasoning.strip(), content.lstrip(), [])
    assert parts(parser(), list(written)) == wanted
    assert parts(parser(is_open=True), list(written.removeprefix("<think>"))) == wanted


def test_tags_elsewhere_are_content() -> None:
    assert parts(parser(), ["a <think>b</think> c"]) == ("", "a <think>b</think> c", [])
    assert parts(parser(), ["<think>a</think>b</think>c"]) == ("a", "b</think>c", [])
    assert parts(AnswerParser(), ["<think>a</think>b"]) == ("", "<think>a</think>b", [])


def test_reasoning_without_an_end() -> None:
    assert parts(parser(), ["<think>on and on </thin"]) == ("on and on </thin", "", [])
    assert parts(parser(is_open=True), ["on and on"]) == ("on and on", "", [])
    assert parts(parser(), ["<thi"]) == ("", "<thi", [])


def test_text_comes_as_soon_as_it_is_certain() -> None:
    reader = parser("hermes")
    assert reader.push("<thi").content == ""
    assert reader.push("s is text").content == "<this is text"
    assert reader.push(" <tool").content == ""
    assert reader.push("box>").content == " <toolbox>"
    thinking = parser()
    assert [thinking.push(piece).reasoning for piece in ("<think>", "\na", " b", " </", "c")] == [
        "", "a", " b", "", " </c"
    ]  # fmt: skip


LOOK_UP = ("look_up", '{"word": "猫"}')
NOW = ("now", "{}")


@pytest.mark.parametrize(
    ("syntax", "text", "content", "calls"),
    [
        ("hermes", '<tool_call>\n{"name": "look_up", "arguments": {"word": "猫"}}\n</tool_call>', "", [LOOK_UP]),
        ("hermes", 'Let me see.\n\n<tool_call>{"name":"now"}</tool_call>\n<tool_call>\n{"name": "look_up", '
         '"arguments": "{\\"word\\": \\"猫\\"}"}</tool_call>\n', "Let me see.", [NOW, LOOK_UP]),
        ("hermes", '<tool_call>{"name": "now", "arguments": {}}', "", [NOW]),
        ("hermes", '<tool_call>{"name": "now", "argu', '<tool_call>{"name": "now", "argu', []),
        ("hermes", "<tool_call>now()</tool_call> a", "<tool_call>now()</tool_call> a", []),
        ("hermes", '<tool_call>{"name": 5}</tool_call>', '<tool_call>{"name": 5}</tool_call>', []),
        ("hermes", '<tool_call>{"name": "now", "arguments": [1]}</tool_call>',
         '<tool_call>{"name": "now", "arguments": [1]}</tool_call>', []),
        ("llama", '{"name": "look_up", "parameters": {"word": "猫"}}', "", [LOOK_UP]),
        ("llama", '<|python_tag|>{"name": "now", "parameters": {}}; {"name": "now", "parameters": {}}',
         "", [NOW, NOW]),
        ("llama", '{"name": "unknown", "parameters": {}}', '{"name": "unknown", "parameters": {}}', []),
        ("llama", '{"name": "now", "parameters": {}} and so on', '{"name": "now", "parameters": {}} and so on', []),
        ("llama", '{"title": "JSON"}', '{"title": "JSON"}', []),
        ("llama", "Plain text {", "Plain text {", []),
        ("mistral", '[TOOL_CALLS] [{"name": "look_up", "arguments": {"word": "猫"}}, {"name": "now", "arguments": {}}]',
         "", [LOOK_UP, NOW]),
        ("mistral", 'Yes.[TOOL_CALLS][{"name": "now"}] done', "Yes. done", [NOW]),
        ("mistral", "[TOOL_CALLS] nonsense", "[TOOL_CALLS] nonsense", []),
        ("mistral_args", '[TOOL_CALLS]look_up[ARGS]{"word": "猫"}[TOOL_CALLS]now[ARGS]{}', "", [LOOK_UP, NOW]),
        ("mistral_args", "[TOOL_CALLS]now[CALL_ID]abc123def[ARGS]{}", "", [NOW]),
        ("hermes", '<tool_call>{"name": "look_up", "arguments": {"word": "\\ud83d"}}</tool_call>',
         "", [("look_up", '{"word": "\\ud83d"}')]),
        ("hermes", '<tool_call>{"name": "\\ud83d"}</tool_call>', '<tool_call>{"name": "\\ud83d"}</tool_call>', []),
        ("mistral_args", "[TOOL_CALLS]now[ARGS]{", "[TOOL_CALLS]now[ARGS]{", []),
        (None, '<tool_call>{"name": "now"}</tool_call>', '<tool_call>{"name": "now"}</tool_call>', []),
    ],
)  # fmt: skip
def test_calls(
    syntax: ToolSyntax | None, text: str, content: str, calls: list[tuple[str, str]]
) -> None:
    assert parts(parser(syntax), list(text)) == ("", content, calls)


def test_ids() -> None:
    (call,) = parser("mistral_args").push("").tool_calls or [None]
    assert call is None
    reader = parser("mistral_args")
    reader.push("[TOOL_CALLS]now[CALL_ID]abc123def[ARGS]{}")
    assert reader.flush().tool_calls[0].call_id == "abc123def"
    mistral = parser("mistral")
    mistral.push('[TOOL_CALLS][{"name": "now"}]')
    assert len(mistral.flush().tool_calls[0].call_id) == 9
    hermes = parser("hermes").push('<tool_call>{"name": "now"}</tool_call>')
    assert hermes.tool_calls[0].call_id.startswith("call_")


def test_calls_after_reasoning() -> None:
    text = '<think>I need the time.</think>\n\n<tool_call>{"name": "now"}</tool_call>'
    assert parts(parser("hermes"), list(text)) == ("I need the time.", "", [NOW])


def test_the_tokenizer_s_own_space() -> None:
    reader = AnswerParser(drops_leading_space=True)
    assert parts(reader, ["", " ", " a"]) == ("", " a", [])


@pytest.mark.parametrize(
    ("template", "syntax"),
    [
        ("<tool_call>", "hermes"),
        ("nothing", "hermes"),
        ("Environment: ipython", "llama"),
        ("[TOOL_CALLS] [", "mistral"),
        ("[TOOL_CALLS] [ARGS]", "mistral_args"),
    ],
)
def test_how_a_model_writes_calls(template: str, syntax: str) -> None:
    assert tool_syntax(template) == syntax
