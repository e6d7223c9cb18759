from __future__ import annotations

import json
import re
from functools import cache

import jsonschema_rs
import pytest
import torch

from inference.chat.formatter import ChatFormatter
from inference.chat.messages import (
    AnswerPiece,
    ChatMessage,
    RenderedChat,
    Tool,
    ToolCall,
    ToolChoice,
)
from inference.errors import GrammarError
from inference.grammar.compiler import GrammarCompiler
from inference.requests import GrammarSpec, SamplingParams
from inference.sampling.sampler import Sampler
from inference.sampling.state import SamplingRow, SamplingState
from inference.text.tokenizer import Tokenizer
from support import chat_templates
from support.tokenizer_files import byte_fallback_tokenizer, byte_level_tokenizer

TOOLS = [
    Tool(
        "look_up",
        "Looks a word up.",
        {
            "type": "object",
            "properties": {
                "word": {"type": "string", "maxLength": 8},
                "deep": {"enum": ["oui", "größe"]},
            },
            "required": ["word"],
            "additionalProperties": False,
        },
    ),
    Tool("now"),
]
SCHEMAS = {
    "look_up": TOOLS[0].parameters,
    "now": {"type": "object", "additionalProperties": False},
}
ASK = [ChatMessage("user", "What?")]
FAMILIES = {
    "hermes": chat_templates.QWEN3,
    "llama": chat_templates.LLAMA3,
    "mistral": chat_templates.MISTRAL,
    "mistral_args": chat_templates.MISTRAL + "{# [ARGS] #}",
}
TOKENIZERS = {"byte level": byte_level_tokenizer, "byte fallback": byte_fallback_tokenizer}


@cache
def compiler(kind: str) -> GrammarCompiler:
    return GrammarCompiler(TOKENIZERS[kind]())


@cache
def chat_of(family: str, kind: str) -> ChatFormatter:
    return ChatFormatter(TOKENIZERS[kind](), {"default": FAMILIES[family]})


def answer(tokenizer: Tokenizer, kind: str, spec: GrammarSpec, seed: int) -> tuple[str, bool]:
    """What a model of random logits says under a grammar, and whether it came to its end."""
    matcher = compiler(kind).compile(spec)
    state = SamplingState(SamplingParams(seed=seed), [], tokenizer.vocab_size, constraint=matcher)
    random = torch.Generator().manual_seed(seed)
    ids: list[int] = []
    while len(ids) < 300 and not matcher.is_finished:
        logits = torch.randn(1, tokenizer.vocab_size, generator=random)
        for end in tokenizer.eos_token_ids:
            logits[0, end] += 4  # so that most answers end
        (one,) = Sampler().sample(logits, [SamplingRow(state)])
        assert one.error is None
        state.append(one.token_id)
        ids.append(one.token_id)
    return tokenizer.decode(ids), matcher.is_finished


def read(chat: ChatFormatter, rendered: RenderedChat, text: str) -> tuple[str, str, list[ToolCall]]:
    parser = chat.parser(rendered, TOOLS)
    pieces: list[AnswerPiece] = [*(parser.push(character) for character in text), parser.flush()]
    calls = [call for piece in pieces for call in piece.tool_calls]
    content = "".join(piece.content for piece in pieces)
    return "".join(piece.reasoning for piece in pieces), content, calls


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("mode", ["required", "named", "auto"])
def test_calls_always_parse(family: str, kind: str, mode: str) -> None:
    """Random logits, every way of writing calls: what is done is well-formed and valid."""
    tokenizer, chat = TOKENIZERS[kind](), chat_of(family, kind)
    rendered = chat.render(ASK, TOOLS, thinking=False)
    choice = ToolChoice(mode, "look_up" if mode == "named" else "")  # type: ignore[arg-type]
    spec = chat.grammar(rendered, TOOLS, choice)
    assert spec is not None
    done = 0
    for seed in range(4):
        text, finished = answer(tokenizer, kind, spec, seed)
        _, content, calls = read(chat, rendered, text)
        for call in calls:
            jsonschema_rs.validate(dict(SCHEMAS[call.name]), json.loads(call.arguments))
        if mode != "auto" and finished:
            done += 1
            assert not content
            assert calls
            assert mode == "required" or [call.name for call in calls] == ["look_up"]
    assert mode == "auto" or done


@pytest.mark.parametrize("family", FAMILIES)
def test_free_to_call_or_not(family: str) -> None:
    """Text passes as it is until a call begins; from there on, only a call passes."""
    tokenizer, chat = byte_level_tokenizer(), chat_of(family, "byte level")
    rendered = chat.render(ASK, TOOLS, thinking=False)
    spec = chat.grammar(rendered, TOOLS)
    assert spec is not None
    now = {
        "hermes": '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
        "llama": '{"name": "now", "parameters": {}}',
        "mistral": '[TOOL_CALLS][{"name": "now", "arguments": {}}]',
        "mistral_args": "[TOOL_CALLS]now[ARGS]{}",
    }[family]
    before = "" if family == "llama" else "So: "
    for text, passes in (
        ("Just text, 你好 <b> [TOOL {", True),
        (before + now, True),
        (before + now.replace("now", "never"), False),
        (before + now.replace("{}", '{"x": 1}'), False),
    ):
        ids = tokenizer.encode(text, special=False)
        matcher = compiler("byte level").compile(spec)
        assert (matcher.allowed(ids) == len(ids)) is passes, text
    assert [call.name for call in read(chat, rendered, before + now)[2]] == ["now"]


def test_not_more_than_one_call() -> None:
    tokenizer, chat = byte_level_tokenizer(), chat_of("hermes", "byte level")
    rendered = chat.render(ASK, TOOLS, thinking=False)
    call = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    ids = tokenizer.encode(f"{call}\n{call}", special=False)
    for mode, several in (("auto", True), ("required", True), ("named", False)):
        for parallel in (True, False):
            choice = ToolChoice(mode, "now", parallel=parallel)  # type: ignore[arg-type]
            spec = chat.grammar(rendered, TOOLS, choice)
            assert spec is not None
            all_pass = compiler("byte level").compile(spec).allowed(ids) == len(ids)
            assert all_pass is (several and parallel)


def test_reasoning_comes_first_where_the_model_reasons() -> None:
    tokenizer = byte_level_tokenizer()
    schema = GrammarSpec("json_schema", '{"type": "integer"}')

    def allows(chat: ChatFormatter, text: str, thinking: bool | None = None) -> bool:
        rendered = chat.render(ASK, thinking=thinking)
        spec = chat.grammar(rendered, response=schema)
        assert spec is not None
        ids = tokenizer.encode(text, special=False)
        return compiler("byte level").compile(spec).allowed(ids) == len(ids)

    qwen = chat_of("hermes", "byte level")
    assert allows(qwen, "<think>\nWell, {5}?\n</think>\n\n5")
    assert allows(qwen, "5")
    assert not allows(qwen, "<think>\nWell</think>five")
    assert not allows(qwen, "<think>", thinking=False)
    opened = ChatFormatter(tokenizer, {"default": chat_templates.DEEPSEEK_R1})
    assert allows(opened, "Well, {5}?\n</think>\n\n5")
    assert not allows(opened, "Well</think>five")


def test_nothing_asked_no_grammar() -> None:
    chat = chat_of("hermes", "byte level")
    rendered = chat.render(ASK)
    assert chat.grammar(rendered) is None
    assert chat.grammar(rendered, TOOLS, ToolChoice("none")) is None
    schema = GrammarSpec("regex", "a/b")
    assert chat.grammar(chat.render(ASK, thinking=False), response=schema) is schema
    reasoned = chat.grammar(rendered, response=schema)
    assert reasoned is not None
    assert re.search(r"answer: /a\\/b/", reasoned.source)


@pytest.mark.parametrize(
    ("tools", "choice", "message"),
    [
        ([], ToolChoice("required"), "tool is required"),
        (TOOLS, ToolChoice("named", "never"), "'never'"),
        ([Tool("f", "", {"type": "nope"})], ToolChoice("required"), "nope"),
    ],
)
def test_what_cannot_be_called(tools: list[Tool], choice: ToolChoice, message: str) -> None:
    chat = chat_of("hermes", "byte level")
    rendered = chat.render(ASK, tools)

    def compiled() -> None:
        spec = chat.grammar(rendered, tools, choice)
        assert spec is not None
        compiler("byte level").compile(spec)

    with pytest.raises(GrammarError, match=message):
        compiled()
