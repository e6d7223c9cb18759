"""The models against their contract: the client of an endpoint, and the fake for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from contracts.chat_model import ChatModelContract

from core.endpoints import Endpoint
from core.errors import EndpointError
from rag.llm import LLMClient
from rag.ports import ChatModel
from support.endpoint import MODEL, overflow_errors, scripted_endpoint, stream
from support.scripted_model import ScriptedModel


class TestLLMClient(ChatModelContract):
    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with scripted_endpoint() as self.server:
            yield

    def model(self, *replies: Sequence[str] | EndpointError) -> ChatModel:
        overflow = overflow_errors()[0][1]
        self.server.script(
            *(overflow if isinstance(reply, EndpointError) else stream(*reply) for reply in replies)
        )
        return LLMClient(Endpoint("whale", self.server.url, MODEL), None)


class TestScriptedModel(ChatModelContract):
    def model(self, *replies: Sequence[str] | EndpointError) -> ChatModel:
        return ScriptedModel(list(replies))
