"""Grammars under which tool calls always parse, in each way of writing them.

They are written in llguidance's dialect of Lark: `%json {...}` stands for a schema's documents, and
a terminal marked `[lazy]` ends at the first place at which it can.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from inference.chat.messages import Tool, ToolChoice
from inference.chat.reasoning import ReasoningTags
from inference.chat.tool_calls import ToolSyntax
from inference.errors import GrammarError
from inference.grammar.schemas import ANY_OBJECT, json_rule
from inference.requests import GrammarSpec

_ANYTHING = r"/(.|\n)*/"
_NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}


def answer_grammar(
    tools: Sequence[Tool],
    choice: ToolChoice,
    syntax: ToolSyntax,
    response: GrammarSpec | None,
    *,
    reasoning_tags: ReasoningTags | None,
    reasoning_open: bool,
) -> GrammarSpec | None:
    """See `ChatFormatter.grammar`.

    Args:
        tools: what may be called.
        choice: whether it is.
        syntax: how calls are written.
        response: the form of content.
        reasoning_tags: what may stand around reasoning before; None: there is none.
        reasoning_open: whether the answer begins within reasoning.
    """
    usable = _usable(tools, choice)
    if not usable:
        if response is None or reasoning_tags is None:
            return response
        rules = _content_rules(response)
    elif choice.mode == "auto":
        rules = _free_rules(usable, choice, syntax)
    else:
        rules = _forced_rules(usable, choice, syntax)
    start = _reasoning_rules(reasoning_tags, is_open=reasoning_open)
    return GrammarSpec("lark", "\n".join([*start, *rules]))


def _usable(tools: Sequence[Tool], choice: ToolChoice) -> list[Tool]:
    if choice.mode == "none":
        return []
    usable = [tool for tool in tools if choice.mode != "named" or tool.name == choice.name]
    if not usable and choice.mode in {"required", "named"}:
        wanted = f"named {choice.name!r} " if choice.mode == "named" else ""
        raise GrammarError(f"A tool {wanted}is required, but the request has none.")
    return usable


def _reasoning_rules(tags: ReasoningTags | None, *, is_open: bool) -> list[str]:
    """Rules for the reasoning before the answer, and where to start."""
    if tags is None:
        return ["start: answer"]
    return [
        f"start: {'reasoning' if is_open else '(REASONING_BEGIN reasoning)?'} answer",
        rf"REASONING_BEGIN: /[ \n]{{0,2}}/ {_text(tags.begin)}",
        "reasoning: reasoning_text REASONING_SPACE",
        f"reasoning_text[lazy]: {_ANYTHING} {_text(tags.end)}",
        r"REASONING_SPACE: /\n{0,2}/",
    ]


def _content_rules(response: GrammarSpec) -> list[str]:
    if response.kind == "regex":
        expression = response.source.replace("/", r"\/")
        return [f"answer: /{expression}/"]
    if response.kind == "lark":
        raise GrammarError("A Lark grammar cannot be used with a model that reasons.")
    return [
        f"answer: {json_rule(ANY_OBJECT if response.kind == 'json_object' else response.source)}"
    ]


def _forced_rules(tools: Sequence[Tool], choice: ToolChoice, syntax: ToolSyntax) -> list[str]:
    form = _FORMS[syntax]
    several = choice.mode == "required" and choice.parallel
    more = f" ({form.separator} call)*" if several else ""
    return [f"answer: {form.first} call{more} {form.last}", _call_rule(tools, syntax)]


def _free_rules(tools: Sequence[Tool], choice: ToolChoice, syntax: ToolSyntax) -> list[str]:
    """Text until a call's mark, and then nothing but a call."""
    form = _FORMS[syntax]
    rules = [_call_rule(tools, syntax)]
    more = f" ({form.separator} call)*" if choice.parallel else ""
    if syntax == "llama":  # no mark: an answer that begins like a call is one
        return [f"answer: call{more} | TEXT", r"TEXT: /([^{<\s](.|\n)*)?/", *rules]
    rules += [f"TEXT: {_ANYTHING}", f"head[lazy]: TEXT {_text(form.mark)}"]
    if syntax == "hermes" and choice.parallel:
        return ["answer: (head call)* TEXT", *rules]
    after_mark = form.first.removeprefix(_text(form.mark))
    return [f"answer: head {after_mark} call{more} {form.last} | TEXT", *rules]


class _Form(NamedTuple):
    """How calls follow each other: what is before the first, between two, and after the last."""

    mark: str
    first: str
    separator: str
    last: str


def _text(text: str) -> str:
    """A text as a grammar quotes it."""
    return json.dumps(text, ensure_ascii=False)


_FORMS: dict[ToolSyntax, _Form] = {
    "hermes": _Form("<tool_call>", _text("<tool_call>"), _text("\n<tool_call>"), ""),
    "llama": _Form("", "", _text("; "), ""),
    "mistral": _Form("[TOOL_CALLS]", _text("[TOOL_CALLS]") + " " + _text("["), '", "', '"]"'),
    "mistral_args": _Form("[TOOL_CALLS]", _text("[TOOL_CALLS]"), _text("[TOOL_CALLS]"), ""),
}


def _call_rule(tools: Sequence[Tool], syntax: ToolSyntax) -> str:
    return "call: " + " | ".join(_call(tool, syntax) for tool in tools)


def _call(tool: Tool, syntax: ToolSyntax) -> str:
    schema = dict(tool.parameters) or _NO_PARAMETERS
    arguments = json_rule(json.dumps(schema))
    name = json.dumps(tool.name, ensure_ascii=False)
    if syntax == "mistral_args":
        return f"{_text(tool.name + '[ARGS]')} {arguments}"
    key = "parameters" if syntax == "llama" else "arguments"
    before, after = f'{{"name": {name}, "{key}": ', "}"
    if syntax == "hermes":
        before, after = f"\n{before}", f"{after}\n</tool_call>"
    return f"{_text(before)} {arguments} {_text(after)}"
