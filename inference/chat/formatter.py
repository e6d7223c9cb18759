"""From messages to the prompt that a model was trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from inference.chat.answer_parser import AnswerParser
from inference.chat.conversation import (
    Turn,
    tool_documents,
    turns,
    variants,
    without_tool_roles,
)
from inference.chat.messages import ChatMessage, RenderedChat, Tool, ToolChoice
from inference.chat.reasoning import REASONING_TAGS, ReasoningTags
from inference.chat.template import (
    PLAIN_STOP_STRINGS,
    PLAIN_TEMPLATE,
    ChatTemplate,
    TemplateLimitError,
    find_templates,
)
from inference.chat.tool_calls import ToolSyntax, tool_syntax
from inference.chat.tool_grammar import answer_grammar
from inference.errors import ChatTemplateError
from inference.requests import GrammarSpec
from inference.text.guarded import MarkerGuard
from inference.text.tokenizer import Tokenizer

_ROLES = ("system", "developer", "user", "assistant", "tool")


class ChatFormatter:
    """Renders conversations by the model's template, and takes its answers apart.

    The template runs in a sandbox that bounds time and memory. Where it refuses a conversation, or
    drops its system message, other forms of it are tried: calls' arguments as text, turns of one
    speaker in a row made one, the system message put before the first user message. Tools are
    described in the system message where the template has no place for them. A model without a
    template gets the messages as "User: ...", and `stop_strings` end its answer.

    The names of special tokens in messages and tools stay plain text (`inference.text.guarded`), so
    that no quoted book can end its own message.

    Attributes:
        stop_strings: what should end an answer beside the model's own end of text.
        reasoning_tags: what the model puts around its reasoning; None: it does not reason.
    """

    def __init__(self, tokenizer: Tokenizer, templates: dict[str, str]) -> None:
        """Use these templates.

        Args:
            tokenizer: the model's.
            templates: by name, as `find_templates` gives them.
        """
        self._tokenizer = tokenizer
        self._sources = templates or {"default": PLAIN_TEMPLATE}
        self._compiled: dict[str, ChatTemplate] = {}
        self.stop_strings: tuple[str, ...] = () if templates else PLAIN_STOP_STRINGS
        everything = "".join(self._sources.values())
        self.reasoning_tags: ReasoningTags | None = next(
            (
                tags
                for tags in REASONING_TAGS
                if tags.end in everything or tags.begin in tokenizer.added_tokens
            ),
            None,
        )
        self._guard = MarkerGuard(tokenizer, everything)

    @classmethod
    def from_folder(cls, folder: Path, tokenizer: Tokenizer) -> ChatFormatter:
        """Read a model folder's templates. They are compiled when they are first needed.

        Raises:
            ModelConfigError: a file that cannot be read, or what is no template.
        """
        return cls(tokenizer, find_templates(folder, tokenizer.config))

    def render(
        self,
        messages: Sequence[ChatMessage],
        tools: Sequence[Tool] = (),
        *,
        thinking: bool | None = None,
        add_generation_prompt: bool = True,
    ) -> RenderedChat:
        """Turn a conversation into a prompt.

        Args:
            messages: the conversation, oldest first.
            tools: what the model may call.
            thinking: whether a model that can reason first does; None: the template's choice.
            add_generation_prompt: let the prompt end where the assistant's turn begins.

        Raises:
            ChatTemplateError: the template refuses the conversation in every form, fails, or does
                too much.
            MissingDependencyError: Jinja2 is not installed.
        """
        for message in messages:
            if message.role not in _ROLES:
                raise ChatTemplateError(f"There is no role named {message.role!r}.")
        conversation, documents = turns(messages), tool_documents(tools)
        breaker = self._guard.breaker(_texts([conversation, documents]))
        if breaker is not None:
            conversation = [self._guarded_turn(turn, breaker) for turn in conversation]
            documents = _mapped(documents, lambda text: self._guard.broken(text, breaker))
        template = self._template(
            "tool_use" if tools and "tool_use" in self._sources else "default"
        )
        if not template.takes_tools:
            conversation, documents = without_tool_roles(conversation, documents), []
        variables: dict[str, Any] = {
            **self._special_tokens,
            "tools": documents or None,
            "documents": None,
            "add_generation_prompt": add_generation_prompt,
        }
        if thinking is not None:
            variables |= {"enable_thinking": thinking, "thinking": thinking}
        text = _render_some_way(template, conversation, variables)
        ids = self._guard.encode(text, breaker)
        bos = self._tokenizer.bos_token_id
        while len(ids) > 1 and ids[0] == ids[1] == bos:
            del ids[0]
        shown = text if breaker is None else text.replace(breaker, "")
        tags = self.reasoning_tags
        is_open = tags is not None and shown.rstrip().endswith(tags.begin)
        return RenderedChat(shown, tuple(ids), reasoning_open=is_open)

    def parser(self, rendered: RenderedChat, tools: Sequence[Tool] = ()) -> AnswerParser:
        """A parser for one answer to a prompt.

        Args:
            rendered: the prompt.
            tools: what the model may call; with none, calls stay part of the content.
        """
        last = rendered.token_ids[-1] if rendered.token_ids else None
        follows_text = last is not None and last not in self._tokenizer.special_token_ids
        return AnswerParser(
            reasoning_tags=self.reasoning_tags,
            reasoning_open=rendered.reasoning_open,
            tool_syntax=self.tool_syntax if tools else None,
            tool_names=[tool.name for tool in tools],
            drops_leading_space=self._tokenizer.strips_leading_space and follows_text,
        )

    def grammar(
        self,
        rendered: RenderedChat,
        tools: Sequence[Tool] = (),
        choice: ToolChoice = ToolChoice(),  # noqa: B008 - it is frozen
        response: GrammarSpec | None = None,
    ) -> GrammarSpec | None:
        """What an answer has to follow: its calls parse, and its content has the form asked for.

        A model that reasons may do so first. The content's form is not enforced beside tools that
        the model is free to call or not.

        Args:
            rendered: the prompt.
            tools: what the model may call.
            choice: whether it calls them.
            response: the form of the content; None: any.

        Raises:
            GrammarError: a schema that is no JSON schema, or a required tool that is not there.
        """
        tags = self.reasoning_tags
        closed = tags is not None and rendered.text.rstrip().endswith(tags.end)
        return answer_grammar(
            tools,
            choice,
            self.tool_syntax,
            response,
            reasoning_tags=None if closed else tags,
            reasoning_open=rendered.reasoning_open,
        )

    @cached_property
    def tool_syntax(self) -> ToolSyntax:
        """How the model writes its calls."""
        return tool_syntax(self._sources.get("tool_use", self._sources.get("default", "")))

    @cached_property
    def _special_tokens(self) -> dict[str, str]:
        """Named as in `tokenizer_config.json`, for the template."""
        names = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token")
        named = {name: self._tokenizer.named_token(name) for name in names}
        return {name: token for name, token in named.items() if token is not None}

    def _template(self, name: str) -> ChatTemplate:
        if name not in self._sources:
            name = next(iter(self._sources))
        if name not in self._compiled:
            self._compiled[name] = ChatTemplate(self._sources[name])
        return self._compiled[name]

    def _guarded_turn(self, turn: Turn, breaker: str) -> Turn:
        special_only = turn["role"] == "assistant"
        guarded: Turn = _mapped(
            turn, lambda text: self._guard.broken(text, breaker, special_only=special_only)
        )
        return guarded


def _render_some_way(
    template: ChatTemplate, conversation: Sequence[Turn], variables: dict[str, Any]
) -> str:
    """Render the first form of a conversation that the template takes whole."""
    instructions = [turn["content"].strip() for turn in conversation if turn["role"] == "system"]
    first_error: ChatTemplateError | None = None
    incomplete: str | None = None
    for variant in variants(conversation):
        try:
            text = template.render({**variables, "messages": variant})
        except ChatTemplateError as error:
            first_error = first_error or error
            if isinstance(error, TemplateLimitError):
                break
            continue
        if all(instruction in text for instruction in instructions):
            return text
        incomplete = incomplete or text
    if incomplete is not None:
        return incomplete
    assert first_error is not None
    raise first_error


def _texts(value: object) -> Iterator[str]:
    """Every text within plain values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _texts(pair)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - plain values
    """Plain values with every text in them changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_mapped(key, change): _mapped(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(part, change) for part in value]
    return value
