"""Real weights, real text: greedy output equal to what their author's own program gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference import Engine, SamplingParams


@pytest.mark.corpus
def test_stories_equal_the_golden_output(corpus: Path) -> None:
    folder = corpus / "models" / "stories260K"
    golden = json.loads((folder / "golden_greedy.json").read_text(encoding="utf-8"))
    with Engine.from_pretrained(folder / "hf", device="cpu") as engine:
        prompt = engine.tokenizer.encode(golden["prompt"])
        wanted = golden["greedy_token_ids"][len(prompt) :]
        params = SamplingParams(temperature=0.0, max_tokens=len(wanted), ignore_eos=True)
        (completion,) = engine.generate([golden["prompt"]], params)
    assert list(completion.token_ids) == wanted
    assert golden["prompt"] + completion.text == golden["greedy_text"]
