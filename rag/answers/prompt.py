"""Prompts and phrases by language, from `resources/prompts`, and how they are filled in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import Template

from pydantic import BaseModel, ConfigDict

from rag.answers.events import Turn
from rag.answers.expand import Excerpt
from rag.answers.shelf import Shelf
from rag.ports import ChatMessage

LANGUAGES = ("en", "de", "es", "fr", "ja", "ru", "zh")
"""Languages that have a prompt of their own; the others get the first one's."""

_MARK = re.compile(r" ?\[\d+\]")  # an earlier answer's numbers mean other passages

NOT_FOUND_REPLY = "NOT FOUND"
"""What every prompt tells the model to reply when the passages do not answer."""


class PromptFile(BaseModel):
    """One language's prompt and phrases; `$name` marks what is filled in.

    Attributes:
        version: raised with every change, and kept in the trace.
        system: the instructions.
        user: takes $passages and $question.
        passage: takes $number, $book, $chapter and $text.
        not_found: takes $where.
        searched: takes $terms.
        unsupported: takes $where.
        library: names a whole library.
        read_so_far: takes $where and $percent.
        place: takes $place and $percent.
        refusals: regular expressions of replies that refuse.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    system: str
    user: str
    passage: str
    not_found: str
    searched: str
    unsupported: str
    library: str
    read_so_far: str
    place: str
    refusals: tuple[str, ...]


@cache
def prompt_file(language: str) -> PromptFile:
    """Return the prompts of a language, or of English where it has none."""
    primary = language.partition("-")[0].lower()
    name = primary if primary in LANGUAGES else LANGUAGES[0]
    data = (files("resources") / "prompts" / f"answer.{name}.toml").read_text(encoding="utf-8")
    return PromptFile.model_validate(tomllib.loads(data))


def fill(template: str, **values: object) -> str:
    """Fill in a template; what is filled in is never read as a template itself."""
    return Template(template).substitute({name: str(value) for name, value in values.items()})


def fixed_text(prompts: PromptFile, question: str, history: Sequence[Turn]) -> str:
    """Return all of a prompt but its passages, for counting."""
    user = fill(prompts.user, passages="", question=question)
    turns = "".join(f"{turn.question}{turn.answer}" for turn in history)
    return prompts.system + user + turns


def build_messages(
    prompts: PromptFile,
    question: str,
    excerpts: Sequence[Excerpt],
    shelf: Shelf,
    history: Sequence[Turn],
) -> list[ChatMessage]:
    """Return the messages of a prompt: instructions, earlier turns, passages, question."""
    passages = "\n".join(
        fill(
            prompts.passage,
            number=number,
            book=_attribute(shelf.title(excerpt.book_id)),
            chapter=_attribute(excerpt.chapter),
            text=_contained(excerpt.text),
        ).strip()
        for number, excerpt in enumerate(excerpts, start=1)
    )
    messages = [ChatMessage("system", prompts.system.strip())]
    for turn in history:
        messages.append(ChatMessage("user", turn.question))
        messages.append(ChatMessage("assistant", _MARK.sub("", turn.answer)))
    user = fill(prompts.user, passages=passages, question=_contained(question))
    return [*messages, ChatMessage("user", user.strip())]


def _contained(text: str) -> str:
    """Return a text that cannot close the passage it stands in, or open another."""
    return text.replace("<passage", "< passage").replace("</passage", "< /passage")


def _attribute(text: str) -> str:
    return _contained(text).replace('"', "'").replace("\n", " ")
