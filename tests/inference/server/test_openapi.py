"""The OpenAPI document tells the truth: schemathesis makes requests of it, right and wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance

from inference.server.openapi import document
from support.engine_server import RunningServer, engine_server

CONTEXT_TOKENS = 48
MEANT_CODES = {
    "context_length_exceeded", "chat_template_error", "invalid_schema", "not_an_embedder",
    "rate_limit_exceeded", "model_not_found",
}  # fmt: skip
"""Why a request that has the right form can still be refused."""


@pytest.fixture(scope="module")
def short(chat_model: Path) -> Iterator[RunningServer]:
    """A server whose answers are short, whatever is asked."""
    with engine_server(chat_model, max_model_len=CONTEXT_TOKENS, max_waiting=512) as running:
        yield running
        running.wait_idle()


DOCUMENT = document("1", with_key=False)
some = schemathesis.openapi.from_dict(DOCUMENT)
some.config.phases.coverage.enabled = False
many = schemathesis.openapi.from_dict(DOCUMENT)


def check(case: Any, server: RunningServer) -> None:
    response = case.call_and_validate(
        base_url=server.url, excluded_checks=[positive_data_acceptance], timeout=60
    )
    if case.meta.generation.mode.is_positive and response.status_code not in (200, 404):
        error = response.json()["error"]
        assert error["code"] in MEANT_CODES or error["param"], error


@some.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_some_requests(short: RunningServer, case: Any) -> None:
    check(case, short)


@pytest.mark.slow
@many.parametrize()
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_requests(short: RunningServer, case: Any) -> None:
    check(case, short)


def test_the_server_gives_this_document(short: RunningServer) -> None:
    given = short.http.get("/openapi.json").json()
    assert {**given, "info": DOCUMENT["info"]} == DOCUMENT
