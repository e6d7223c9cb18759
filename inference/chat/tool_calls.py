"""Takes tool calls out of an answer's content while it streams.

Three ways of writing them cover the models that the engine serves:

- Hermes and Qwen: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, anywhere, repeated.
- Llama 3: the answer is `{"name": ..., "parameters": {...}}`, perhaps after `<|python_tag|>`,
  several separated by semicolons.
- Mistral: `[TOOL_CALLS]` and then a list of objects as Hermes', or `name[ARGS]{...}`, repeated.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from typing import Literal

from inference.chat.messages import ToolCall
from inference.chat.reasoning import held_back

ToolSyntax = Literal["hermes", "llama", "mistral", "mistral_args"]

_HERMES_BEGIN, _HERMES_END = "<tool_call>", "</tool_call>"
_MISTRAL_BEGIN, _MISTRAL_ARGUMENTS = "[TOOL_CALLS]", "[ARGS]"
_LLAMA_BEGIN = "<|python_tag|>"
_LLAMA_HEADS = ('{"name":', '{"type":"function"', "{'name':", _LLAMA_BEGIN)
_SPACE = re.compile(r"\s*")
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")  # JSON can write one alone, and UTF-8 cannot
_MISTRAL_NAME = re.compile(
    r"\s*(?:\[TOOL_CALLS\])?([^\[\]{}]+?)(?:\[CALL_ID\]([^\[\]{}]*))?\[ARGS\]"
)


def tool_syntax(template: str) -> ToolSyntax:
    """How a model writes calls, from its chat template; Hermes' way where it does not say."""
    if _MISTRAL_BEGIN in template:
        return "mistral_args" if _MISTRAL_ARGUMENTS in template else "mistral"
    if _HERMES_BEGIN not in template and (_LLAMA_BEGIN in template or "ipython" in template):
        return "llama"
    return "hermes"


class ToolCallParser:
    """Splits content into text and calls.

    A call comes out whole. What begins like a call and turns out to be none is text: nothing is
    lost but space next to calls.
    """

    def __init__(self, syntax: ToolSyntax, names: Sequence[str]) -> None:
        """Begin an answer.

        Args:
            syntax: how calls are written.
            names: the tools offered; a Llama call has no mark of its own and is one only by this.
        """
        self._syntax = syntax
        self._names = frozenset(names)
        self._pending = ""
        self._scanner: _HermesScanner | None = None
        self._buffering = False
        self._text_begun = False
        self._called = False
        self._space = ""  # at the end of the text: left out where a call follows

    def push(self, content: str) -> tuple[str, list[ToolCall]]:
        """Take further content; the text and the calls that are certain now."""
        self._pending += content
        if self._syntax == "hermes":
            return self._read_hermes()
        if self._syntax == "llama":
            return self._read_llama(), []
        return self._read_mistral(), []

    def flush(self) -> tuple[str, list[ToolCall]]:
        """End the answer; what was held back."""
        rest, self._pending = self._pending, ""
        calls: list[ToolCall] = []
        if self._scanner is not None:
            body = rest[len(_HERMES_BEGIN) :]
            call = _call_in(body)
            if call is not None:
                calls, rest = [call], ""
        elif self._buffering and self._syntax == "llama":
            found = _llama_calls(rest, self._names)
            if found:
                calls, rest = found, ""
        elif self._buffering:
            calls, rest = _mistral_calls(rest)
        self._called |= bool(calls)
        if self._called and not rest.strip():
            return "", calls
        space, self._space = self._space, ""
        return space + rest, calls

    def _read_hermes(self) -> tuple[str, list[ToolCall]]:
        text: list[str] = []
        calls: list[ToolCall] = []
        while self._pending:
            if self._scanner is None:
                begin = self._pending.find(_HERMES_BEGIN)
                if begin < 0:
                    keep = held_back(self._pending, _HERMES_BEGIN)
                    text.append(self._certain(self._pending[: len(self._pending) - keep]))
                    self._pending = self._pending[len(self._pending) - keep :]
                    break
                text.append(self._certain(self._pending[:begin]))
                self._pending = self._pending[begin:]
                self._scanner = _HermesScanner()
            end = self._scanner.find_end(self._pending)
            if end is None:
                break
            whole, self._pending = self._pending[:end], self._pending[end:]
            self._scanner = None
            call = _call_in(whole[len(_HERMES_BEGIN) : -len(_HERMES_END)])
            if call is None:
                text.append(self._certain(whole))
            else:
                calls.append(call)
                self._called, self._space = True, ""
        return "".join(text), calls

    def _read_llama(self) -> str:
        if self._buffering:
            return ""
        if not self._text_begun:
            head = re.sub(r"\s+", "", self._pending[:256])
            if any(head.startswith(known) or known.startswith(head) for known in _LLAMA_HEADS):
                self._buffering = any(head.startswith(known) for known in _LLAMA_HEADS)
                return ""
            self._text_begun = True
        text, self._pending = self._pending, ""
        return text

    def _read_mistral(self) -> str:
        if self._buffering:
            return ""
        begin = self._pending.find(_MISTRAL_BEGIN)
        self._buffering = begin >= 0
        if begin < 0:
            begin = len(self._pending) - held_back(self._pending, _MISTRAL_BEGIN)
        text, self._pending = self._pending[:begin], self._pending[begin:]
        return self._certain(text)

    def _certain(self, text: str) -> str:
        """Text that is no call, less the space at its end, which waits for what follows."""
        text = self._space + text
        kept = text.rstrip()
        self._space = text[len(kept) :]
        return kept


class _HermesScanner:
    """Finds where a call ends: at the end tag outside of JSON's strings. Linear in the text."""

    def __init__(self) -> None:
        self._at = len(_HERMES_BEGIN)
        self._in_string = False
        self._next = re.compile(r'\\.|"|</tool_call>', re.DOTALL)

    def find_end(self, pending: str) -> int | None:
        """The place after the end tag; None: it has not come."""
        while True:
            found = self._next.search(pending, self._at)
            if found is None:
                # Whatever may still become one of the marks is looked at again.
                self._at = max(self._at, len(pending) - len(_HERMES_END) + 1)
                return None
            if found[0] == '"':
                self._in_string = not self._in_string
            elif found[0] == _HERMES_END and not self._in_string:
                return found.end()
            self._at = found.end()


def _call_in(text: str) -> ToolCall | None:
    """The one call that a text is, or None."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _as_call(document)


def _as_call(document: object, call_id: str | None = None) -> ToolCall | None:
    """A call from its object: a name, and arguments as an object or as JSON text of one."""
    if not isinstance(document, dict):
        return None
    name = document.get("name")
    arguments = document.get("arguments", document.get("parameters", {}))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            return None
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return None
    if _HALF_CHARACTER.search(name):
        return None
    written = json.dumps(arguments, ensure_ascii=False)
    if _HALF_CHARACTER.search(written):
        written = json.dumps(arguments)
    return ToolCall(name, written, call_id or _new_id())


def _new_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def _mistral_id() -> str:
    """Nine letters and digits, which is what Mistral's templates take."""
    return secrets.token_hex(5)[:9]


def _llama_calls(text: str, names: frozenset[str]) -> list[ToolCall]:
    """The calls of an answer that is nothing else; else none."""
    decoder = json.JSONDecoder()
    calls: list[ToolCall] = []
    place = 0
    while True:
        place = _after_space(text, place)
        if text.startswith(_LLAMA_BEGIN, place):
            place = _after_space(text, place + len(_LLAMA_BEGIN))
        if place == len(text):
            return calls
        try:
            document, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return []
        call = _as_call(document)
        if call is None or call.name not in names:
            return []
        calls.append(call)
        place = _after_space(text, place)
        if text.startswith(";", place):
            place += 1


def _mistral_calls(text: str) -> tuple[list[ToolCall], str]:
    """The calls after the mark, and what is left as text; all of it where none can be read."""
    decoder = json.JSONDecoder()
    body = text[len(_MISTRAL_BEGIN) :]
    if _MISTRAL_ARGUMENTS not in body:
        try:
            documents, end = decoder.raw_decode(body, _after_space(body, 0))
        except (ValueError, RecursionError):
            return [], text
        listed = documents if isinstance(documents, list) else [documents]
        calls = [_as_call(document, _mistral_id()) for document in listed]
        if not calls or None in calls:
            return [], text
        return [call for call in calls if call is not None], body[end:]
    found: list[ToolCall] = []
    place = 0
    while (head := _MISTRAL_NAME.match(body, place)) is not None:
        try:
            arguments, end = decoder.raw_decode(body, _after_space(body, head.end()))
        except (ValueError, RecursionError):
            break
        call = _as_call({"name": head[1].strip(), "arguments": arguments}, head[2] or _mistral_id())
        if call is None:
            break
        found.append(call)
        place = end
    return (found, body[place:]) if found else ([], text)


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None
    return found.end()
