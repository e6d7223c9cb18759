"""A real small Llama, trained on stories for children, beside transformers and its golden text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from support.parity import dense_logits, greedy, load, make_runner, reference, reference_logits

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def stories(corpus: Path) -> Path:
    return corpus / "models" / "stories260K"


@pytest.fixture(scope="module")
def golden(stories: Path) -> list[int]:
    golden: list[int] = json.loads((stories / "golden_greedy.json").read_text())["greedy_token_ids"]
    return golden


def test_its_logits_are_those_of_transformers(stories: Path, golden: list[int]) -> None:
    ours = dense_logits(load(stories / "hf"), golden)
    expected = reference_logits(reference(stories / "hf"), golden)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def test_it_writes_the_golden_text(stories: Path, golden: list[int]) -> None:
    """Token for token, from the paged cache."""
    prompt_tokens = 5
    written = greedy(
        make_runner(load(stories / "hf")), golden[:prompt_tokens], len(golden) - prompt_tokens
    )
    assert written == golden[prompt_tokens:]
