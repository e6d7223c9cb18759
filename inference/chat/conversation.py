"""Messages as chat templates take them, and how they are changed for templates that refuse them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from inference.chat.messages import ChatMessage, Tool

# Placed where a template knows nothing of tools: the form that Hermes and Qwen 2.5 were trained on.
_TOOLS_INTRODUCTION = """\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{signatures}
</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""

_SHORT_ID = 9

Turn = dict[str, Any]
"""A message as a template reads it: plain values."""


def turns(messages: Sequence[ChatMessage]) -> list[Turn]:
    """Give each message the shape that templates expect (transformers)."""
    return [_turn(message) for message in messages]


def _turn(message: ChatMessage) -> Turn:
    role = "system" if message.role == "developer" else message.role
    turn: Turn = {"role": role, "content": message.content}
    if message.reasoning is not None:
        turn["reasoning_content"] = message.reasoning
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": _parsed(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        turn["name"] = message.name
    return turn


def _parsed(arguments: str) -> object:
    try:
        parsed = json.loads(arguments)
        json.dumps(parsed, ensure_ascii=False).encode()  # half a character is no text to encode
    except (ValueError, RecursionError):
        return arguments
    return parsed


def tool_documents(tools: Sequence[Tool]) -> list[Turn]:
    """Describe tools as OpenAI does."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters) or {"type": "object", "properties": {}},
            },
        }
        for tool in tools
    ]


def variants(conversation: Sequence[Turn]) -> Iterator[list[Turn]]:
    """The conversation as it is, then in forms that more templates take."""
    yield list(conversation)
    seen = [list(conversation)]
    changes = (with_written_arguments, with_short_ids, merged, folded, _all_of_these)
    for change in changes:
        changed = change(conversation)
        if changed not in seen:
            seen.append(changed)
            yield changed


def folded(conversation: Sequence[Turn]) -> list[Turn]:
    """System messages put before what the user says next, for templates without that role."""
    out: list[Turn] = []
    waiting: list[str] = []
    for turn in conversation:
        if turn["role"] == "system":
            waiting.append(turn["content"])
        elif turn["role"] == "user" and waiting:
            out.append({**turn, "content": "\n\n".join([*waiting, turn["content"]])})
            waiting = []
        else:
            out.append(turn)
    if waiting:
        out.append({"role": "user", "content": "\n\n".join(waiting)})
    return out


def merged(conversation: Sequence[Turn]) -> list[Turn]:
    """Turns of one speaker in a row made one, for templates that want speakers to alternate."""
    out: list[Turn] = []
    for turn in conversation:
        last = out[-1] if out else None
        if (
            last is None
            or last["role"] != turn["role"]
            or turn["role"] == "tool"
            or "tool_calls" in last
        ):
            out.append(turn)
        else:
            parts = [part for part in (last["content"], turn["content"]) if part]
            out[-1] = {**last, **turn, "content": "\n\n".join(parts)}
    return out


def _all_of_these(conversation: Sequence[Turn]) -> list[Turn]:
    return merged(with_short_ids(folded(conversation)))


def with_written_arguments(conversation: Sequence[Turn]) -> list[Turn]:
    """Arguments of calls as JSON text, for templates that put them together as text."""
    return [_with_calls(turn, _written_call) for turn in conversation]


def with_short_ids(conversation: Sequence[Turn]) -> list[Turn]:
    """Ids of calls as nine letters and digits, which is all that Mistral's templates take."""
    shortened = [_with_calls(turn, lambda call: {**call, "id": _short(call["id"])})
                 for turn in conversation]  # fmt: skip
    return [
        {**turn, "tool_call_id": _short(turn["tool_call_id"])} if "tool_call_id" in turn else turn
        for turn in shortened
    ]


def _short(call_id: str) -> str:
    return (
        call_id if len(call_id) == _SHORT_ID else sha256(call_id.encode()).hexdigest()[:_SHORT_ID]
    )


def _with_calls(turn: Turn, change: Callable[[Turn], Turn]) -> Turn:
    if "tool_calls" not in turn:
        return turn
    return {**turn, "tool_calls": [change(call) for call in turn["tool_calls"]]}


def _written_call(call: Turn) -> Turn:
    function = call["function"]
    written = json.dumps(function["arguments"], ensure_ascii=False)
    return {**call, "function": {**function, "arguments": written}}


def without_tool_roles(conversation: Sequence[Turn], tools: Sequence[Turn]) -> list[Turn]:
    """Tools, calls and replies written into plain messages, for templates that know none."""
    out: list[Turn] = []
    if tools:
        signatures = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
        out.append({"role": "system", "content": _TOOLS_INTRODUCTION.format(signatures=signatures)})
    for turn in conversation:
        content = turn["content"]
        if turn["role"] == "tool":
            reply = f"<tool_response>\n{content}\n</tool_response>"
            out.append({"role": "user", "content": reply})
        elif "tool_calls" in turn:
            calls = [
                "<tool_call>\n"
                + json.dumps(call["function"], ensure_ascii=False)
                + "\n</tool_call>"
                for call in turn["tool_calls"]
            ]
            out.append({"role": "assistant", "content": "\n".join([content, *calls]).strip()})
        else:
            out.append(turn)
    first = conversation[0]["role"] if conversation else ""
    if tools and first == "system":
        own = out.pop(1)
        out[0] = {**own, "content": own["content"] + "\n\n" + out[0]["content"]}
    return out
