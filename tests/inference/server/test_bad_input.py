"""Models that misbehave: a typed error naming the cause, and the server goes on serving."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import httpx
import openai
import pytest
from safetensors.torch import load_file, save_file

from support.chat_model import write_chat_model
from support.engine_server import RunningServer, engine_server, free_blocks

SAFE, POISONED = 200, 100
"""Token ids: of the second, the poisoned model makes NaN."""

HARMLESS = {str(POISONED): -100}
"""Keeps an answer from saying it by itself."""

TEMPLATES = {
    "endless loop": "{% for i in range(1000000000) %}{{ i }}{% endfor %}",
    "nested loops": "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
    "huge text": "{{ 'x' * 10000000000 }}",
    "attributes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "internals": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "imports": "{% import 'os' as os %}{{ os }}",
    "its own refusal": "{{ raise_exception('No such role here.') }}",
    "no template": "{% for %}",
}


@pytest.fixture
def poisoned(chat_model: Path, tmp_path: Path) -> Path:
    """A model that makes NaN of one token of its prompt."""
    folder = shutil.copytree(chat_model, tmp_path / "poisoned")
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    weights["model.embed_tokens.weight"][POISONED] = math.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    return folder


def greedy(server: RunningServer, prompt: list[int]) -> str:
    completion = server.client().completions.create(
        model=server.model, prompt=prompt, max_tokens=40, temperature=0,
        logit_bias=HARMLESS, extra_body={"ignore_eos": True},
    )  # fmt: skip
    return completion.choices[0].text


def test_nan_logits(poisoned: Path) -> None:
    """The request with NaN fails alone, and what it leaves in the cache harms nobody."""
    prompt = [SAFE + place % 50 for place in range(40)]
    with engine_server(poisoned, kv_cache_bytes=1 << 19) as server:
        before = greedy(server, prompt)
        beside = server.client().completions.create(
            model=server.model, prompt=prompt, max_tokens=400, temperature=0, stream=True,
            logit_bias=HARMLESS, extra_body={"ignore_eos": True},
        )  # fmt: skip
        next(iter(beside))
        for _ in range(20):
            with pytest.raises(openai.InternalServerError) as raised:
                greedy(server, [POISONED, *prompt])
            assert raised.value.status_code == 500
            assert raised.value.code == "numerical_error"
        stream = server.client().completions.create(
            model=server.model, prompt=[*prompt, POISONED], stream=True
        )
        with pytest.raises(openai.APIError) as failed:
            list(stream)
        assert failed.value.code == "numerical_error"
        assert list(beside)[-1].choices[0].finish_reason == "length"
        assert greedy(server, prompt) == before
        assert greedy(server, prompt[1:]) == greedy(server, prompt[1:])
        server.wait_idle()
        stats = server.engine.stats()
        assert free_blocks(server.engine) == stats.blocks_total


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_that_misbehaves(tmp_path: Path, kind: str) -> None:
    folder = write_chat_model(tmp_path / "model", template=TEMPLATES[kind])
    with engine_server(folder) as server:
        for _ in range(2):
            with pytest.raises(openai.BadRequestError) as raised:
                server.client().chat.completions.create(
                    model="model", messages=[{"role": "user", "content": "Hello"}]
                )
            assert raised.value.code == "chat_template_error"
            assert "template" in raised.value.message
            assert server.client().completions.create(model="model", prompt="x", max_tokens=1)


def test_a_model_that_makes_nothing_but_nan(chat_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(chat_model, tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][:] = math.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with engine_server(folder) as server:
        replies: list[httpx.Response] = [
            server.http.post(
                "/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hello"}]}
            )
            for _ in range(2)
        ]
        assert [reply.status_code for reply in replies] == [500, 500]
        assert replies[0].json()["error"]["code"] == "numerical_error"
        assert server.http.get("/health").status_code == 200
