"""A model on this computer as the one that answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from app.local_models.store import LocalModel
from app.local_models.supervisor import EngineSupervisor
from rag.llm.client import LLMClient
from rag.ports import ChatDelta, ChatMessage


class LocalChatModel:
    """Fills the port `ChatModel`; the engine starts with the first question."""

    def __init__(self, model: LocalModel, supervisor: EngineSupervisor) -> None:
        self._model = model
        self._supervisor = supervisor
        self._context_tokens = model.context_tokens

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def context_tokens(self) -> int:
        """How many tokens the model takes, prompt and reply together."""
        return self._context_tokens

    async def stream(
        self, messages: Sequence[ChatMessage], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[ChatDelta, None]:
        """Stream a reply, loading the model first where need be.

        Raises:
            EndpointError: the model cannot be loaded, or its engine ended.
        """
        async with self._supervisor.serving(self._model) as engine:
            client = LLMClient(await engine.endpoint(), engine.api_key)
            try:
                stream = client.stream(messages, max_tokens=max_tokens, temperature=temperature)
                async with aclosing(stream) as deltas:
                    async for delta in deltas:
                        yield delta
            finally:
                await client.close()
