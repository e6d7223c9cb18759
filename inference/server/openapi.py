"""The OpenAPI document: made of the schemas that requests are checked with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from inference.server.schemas.chat import ChatChunk, ChatDocument, ChatRequest
from inference.server.schemas.common import ErrorDocument
from inference.server.schemas.completion import CompletionDocument, CompletionRequest
from inference.server.schemas.models import (
    DetokenizeReply,
    DetokenizeRequest,
    EmbeddingRequest,
    Health,
    ModelCard,
    ModelList,
    TokenizeReply,
    TokenizeRequest,
)

JSON = "application/json"
EVENTS = "text/event-stream"
_REF = "#/components/schemas/{model}"

_COMMON = (403, 500)
_WITH_KEY = (401,)
_NEEDS_MODEL = (503,)
_WITH_BODY = (400, 404, 408, 413, 415)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        reply: the schema of a successful reply, or its media type where it is no JSON.
        errors: the statuses of the errors that it can end with.
        also: further replies with the schema of the successful one.
        event: the schema of an event, where the reply may be a stream.
    """

    method: Literal["get", "post"]
    path: str
    summary: str
    reply: type[BaseModel] | str
    errors: tuple[int, ...]
    request: type[BaseModel] | None = None
    event: type[BaseModel] | None = None
    open: bool = False
    also: tuple[int, ...] = ()
    parameters: tuple[str, ...] = ()


def operations() -> Sequence[Operation]:
    """Return everything that the server does."""
    guarded = (*_COMMON, *_WITH_KEY)
    asks = (*guarded, *_NEEDS_MODEL, *_WITH_BODY)
    return (
        Operation("post", "/v1/chat/completions", "Go on with a conversation.", ChatDocument,
                  (*asks, 429, 501), ChatRequest, ChatChunk),
        Operation("post", "/v1/completions", "Go on with a text.", CompletionDocument,
                  (*asks, 429, 501), CompletionRequest, CompletionDocument),
        Operation("post", "/v1/embeddings", "Not supported by the models served here.",
                  ErrorDocument, asks, EmbeddingRequest),
        Operation("get", "/v1/models", "The names of the model.", ModelList, guarded),
        Operation("get", "/v1/models/{model}", "One name of the model.", ModelCard,
                  (*guarded, 404), parameters=("model",)),
        Operation("post", "/tokenize", "The tokens of a text or a conversation.", TokenizeReply,
                  asks, TokenizeRequest),
        Operation("post", "/detokenize", "The text of tokens.", DetokenizeReply,
                  asks, DetokenizeRequest),
        Operation("get", "/health", "Whether the server can answer.", Health, _COMMON,
                  open=True, also=(503,)),
        Operation("get", "/metrics", "Figures for Prometheus.", "text/plain", guarded),
        Operation("get", "/openapi.json", "This document.", JSON, _COMMON, open=True),
        Operation("get", "/", "A page to look at the server and chat.", "text/html", _COMMON,
                  open=True),
    )  # fmt: skip


def document(version: str, *, with_key: bool) -> dict[str, Any]:
    """Return the OpenAPI document.

    Args:
        version: the program's.
        with_key: whether the server asks for a key.
    """
    everything = operations()
    _, schemas = models_json_schema(
        [(schema, "validation") for schema in _schemas(everything)], ref_template=_REF
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in everything:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, with_key)
    components: dict[str, Any] = {"schemas": schemas["$defs"]}
    if with_key:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Postil's engine",
            "version": version,
            "description": "A local model behind OpenAI's API. Unknown fields are ignored.",
        },
        "paths": paths,
        "components": components,
    }


def _schemas(everything: Sequence[Operation]) -> list[type[BaseModel]]:
    found: dict[type[BaseModel], None] = {ErrorDocument: None}
    for operation in everything:
        for schema in (operation.request, operation.reply, operation.event):
            if isinstance(schema, type):
                found[schema] = None
    return list(found)


def _described(operation: Operation, with_key: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": f"{operation.method}{operation.path}".replace("/", "_").strip("_"),
        "responses": _responses(operation, with_key),
    }
    if operation.request is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.request)}
    if operation.parameters:
        described["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in operation.parameters
        ]
    if with_key and not operation.open:
        described["security"] = [{"key": []}]
    return described


def _responses(operation: Operation, with_key: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if operation.reply is not ErrorDocument:
        content = _content(operation.reply)
        if operation.event is not None:
            content[EVENTS] = {"schema": _event(operation.event)}
        for status in (200, *operation.also):
            found[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    for status in sorted(set(operation.errors)):
        if status == HTTPStatus.UNAUTHORIZED and not with_key:
            continue
        found[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": _content(ErrorDocument),
        }
    return found


def _event(data: type[BaseModel]) -> dict[str, Any]:
    """Describe one event; the data of the last one is `[DONE]`."""
    return {
        "type": "object",
        "required": ["data"],
        "properties": {
            "data": {
                "type": "string",
                "contentMediaType": JSON,
                "contentSchema": {"$ref": _REF.format(model=data.__name__)},
            },
        },
    }


def _content(reply: type[BaseModel] | str) -> dict[str, Any]:
    if isinstance(reply, str):
        return {reply: {"schema": {"type": "object"} if reply == JSON else {"type": "string"}}}
    return {JSON: {"schema": {"$ref": _REF.format(model=reply.__name__)}}}
