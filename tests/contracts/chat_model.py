"""What every ChatModel must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from core.errors import ContextOverflowError, EndpointError
from rag.ports import ChatMessage, ChatModel

QUESTION = [ChatMessage("system", "Be brief."), ChatMessage("user", "Who is Ahab?")]


class ChatModelContract(ABC):
    """Inherit, and say how a model is given its replies."""

    @abstractmethod
    def model(self, *replies: Sequence[str] | EndpointError) -> ChatModel:
        """Return a model that answers with these replies in order, each a list of pieces.

        An error, which must be a ContextOverflowError, stands for a reply that fails so.
        """

    async def test_streams_the_reply_and_ends_it_once(self) -> None:
        model = self.model(["The captain ", "of the ", "Pequod."])
        deltas = [delta async for delta in model.stream(QUESTION, max_tokens=50)]
        assert "".join(delta.text for delta in deltas) == "The captain of the Pequod."
        assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
        assert deltas[-1].finish_reason == "stop"

    async def test_can_be_asked_again_and_left_midway(self) -> None:
        model = self.model(["One ", "two."], ["Three."])
        async with aclosing(model.stream(QUESTION, max_tokens=50)) as deltas:
            assert (await anext(deltas)).text
        texts = [delta.text async for delta in model.stream(QUESTION, max_tokens=50)]
        assert "".join(texts) == "Three."

    async def test_says_what_it_is(self) -> None:
        model = self.model(["Yes."])
        assert model.name
        assert model.context_tokens > 0

    async def test_failures_are_endpoint_errors(self) -> None:
        model = self.model(ContextOverflowError("Too long."))
        with pytest.raises(ContextOverflowError):
            _ = [delta async for delta in model.stream(QUESTION, max_tokens=50)]
