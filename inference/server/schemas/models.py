"""Requests and replies of the smaller calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inference.server.schemas.chat import MAX_MESSAGES, Message, TemplateArguments, Tool
from inference.server.schemas.common import ApiModel, TokenId

MAX_EMBEDDED_TEXTS = 2048


class ModelCard(ApiModel):
    """A name under which the model is served."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int | None = Field(description="Tokens that prompt and answer take together.")


class ModelList(ApiModel):
    """The names under which the model is served."""

    object: Literal["list"]
    data: list[ModelCard]


class LoadProgressDocument(ApiModel):
    """How far loading is."""

    stage: str
    share: float = Field(description="From 0 to 1.")


class HealthDetails(ApiModel):
    """What the engine is doing; shown to those who hold the key."""

    device: str
    dtype: str
    quantization: str
    max_model_len: int
    running: int
    waiting: int
    kv_blocks: int
    kv_blocks_free: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    memory_bytes: int
    device_memory_bytes: int | None
    uptime_s: float
    load_s: float


class Health(ApiModel):
    """Whether the server can answer; status 200 only where it is ready."""

    status: Literal["loading", "ready", "failed"]
    model: str
    reason: str | None = Field(None, description="Why it failed.")
    progress: LoadProgressDocument | None = None
    details: HealthDetails | None = None


class TokenizeRequest(ApiModel):
    """A text, or a conversation, to be split into tokens."""

    model: str | None = None
    prompt: str | None = None
    messages: list[Message] | None = Field(None, min_length=1, max_length=MAX_MESSAGES)
    tools: list[Tool] | None = None
    add_special_tokens: bool = True
    add_generation_prompt: bool = True
    chat_template_kwargs: TemplateArguments | None = None

    @property
    def thinking(self) -> bool | None:
        """Whether the model reasons first; None: the template's choice."""
        return self.chat_template_kwargs.enable_thinking if self.chat_template_kwargs else None


class TokenizeReply(ApiModel):
    """The tokens."""

    count: int
    max_model_len: int
    tokens: list[int]


class DetokenizeRequest(ApiModel):
    """Tokens to be joined to a text."""

    model: str | None = None
    tokens: list[TokenId]


class DetokenizeReply(ApiModel):
    """The text."""

    prompt: str


class EmbeddingRequest(ApiModel):
    """Texts to embed."""

    model: str | None = None
    input: str | Annotated[list[str], Field(min_length=1, max_length=MAX_EMBEDDED_TEXTS)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(None, ge=1)
