"""Answers from real books in a real store; only the model's server is scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from core.books import Book
from core.endpoints import Endpoint
from rag.llm import LLMClient
from support.answering import MOBY_DICK, Desk, open_desk
from support.endpoint import MODEL, ScriptedEndpoint, scripted_endpoint, stream
from support.shelf import parsed_book, shelve


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


@pytest.fixture
def book(desk: Desk) -> Book:
    return shelve(desk.library, parsed_book("Moby-Dick", MOBY_DICK))


@pytest.fixture
def server() -> Iterator[ScriptedEndpoint]:
    with scripted_endpoint() as endpoint:
        yield endpoint


@pytest_asyncio.fixture
async def model(server: ScriptedEndpoint) -> AsyncIterator[LLMClient]:
    client = LLMClient(Endpoint("whale", server.url, MODEL), None)
    yield client
    await client.close()


async def test_without_a_model_sentences_of_the_book_answer(desk: Desk, book: Book) -> None:
    answer = await desk.ask("Who raises a white-headed whale with a crooked jaw?")
    assert answer.answered
    assert answer.model is None
    assert "crooked jaw" in answer.citations[0].quote
    assert answer.citations[0].chapter == "The Quarter-Deck"
    assert "(The Quarter-Deck, " in answer.text


async def test_without_a_model_what_no_book_says_is_refused(desk: Desk, book: Book) -> None:
    answer = await desk.ask("Which wizard teaches at the castle school of magic?")
    assert not answer.answered
    assert not answer.citations
    assert answer.text.startswith("Not found in the library. Searched for: ")


async def test_an_empty_library_answers_nothing(desk: Desk, model: LLMClient) -> None:
    assert not (await desk.ask("Who is Ahab?")).answered
    refused = await desk.ask("Who is Ahab?", model=model)
    assert not refused.answered
    assert refused.model == MODEL


async def test_a_model_answers_with_verified_quotes(
    desk: Desk, book: Book, server: ScriptedEndpoint, model: LLMClient
) -> None:
    server.script(stream('The narrator says "Call me ', "Ishmael", '." [1] He goes to sea.'))
    answer = await desk.ask("What is the narrator called, Ishmael?", model=model)
    assert answer.answered
    assert answer.model == MODEL
    assert answer.text.startswith("The narrator says “Call me Ishmael.” [1] He goes to sea.")
    assert answer.citations[0].quote == "Call me Ishmael."
    assert answer.citations[0].chapter == "Loomings"
