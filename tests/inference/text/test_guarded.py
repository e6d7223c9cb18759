from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.text.guarded import MarkerGuard
from inference.text.tokenizer import Tokenizer
from support.tokenizer_files import byte_fallback_tokenizer, byte_level_tokenizer

KINDS = {
    "byte level": (byte_level_tokenizer, "<|im_start|>", "<|im_end|>"),
    "byte fallback": (byte_fallback_tokenizer, "<s>", "</s>"),
}
GUARDS = {kind: MarkerGuard(make(), "<tool_call>") for kind, (make, *_) in KINDS.items()}
untrusted = st.lists(
    st.sampled_from(
        ["<|im_start|>", "<|im_end|>", "<s>", "</s>", "<tool_call>", "hello", " ", "你", "<", "|",
         "im_end|>", "s>", "\ufdd0", "<unk>"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


def rendered(kind: str, text: str) -> tuple[Tokenizer, str, list[int]]:
    make, begin, end = KINDS[kind]
    tokenizer, guard = make(), GUARDS[kind]
    breaker = guard.breaker([text])
    inner = text if breaker is None else guard.broken(text, breaker)
    return tokenizer, begin + text + end, guard.encode(begin + inner + end, breaker)


@pytest.mark.parametrize("kind", KINDS)
@given(text=untrusted)
def test_only_the_template_s_markers_are_tokens(kind: str, text: str) -> None:
    tokenizer, _, ids = rendered(kind, text)
    _, begin, end = KINDS[kind]
    markers = [one for one in ids if one in set(tokenizer.added_tokens.values())]
    unknown = tokenizer.added_tokens.get("<unk>")
    named = [tokenizer.token_bytes(one).decode() for one in markers if one != unknown]
    assert named == [begin, end]
    assert tokenizer.decode(ids).removeprefix(" ") == text.removeprefix(" ")


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(max_size=30))
def test_ordinary_text_is_encoded_as_ever(kind: str, text: str) -> None:
    tokenizer, shown, ids = rendered(kind, text)
    if GUARDS[kind].breaker([text]) is None:
        assert ids == tokenizer.encode(shown, special=False)


def test_markers_within_answers_are_left_to_the_template() -> None:
    guard = MarkerGuard(byte_level_tokenizer(), "<think></think>")
    text = "<think>a</think><|im_end|>"
    breaker = guard.breaker([text])
    assert breaker is not None
    assert guard.broken(text, breaker, special_only=True).startswith("<think>a</think><\ufdd0|im")
    assert guard.broken(text, breaker).count(breaker) == 3


def test_a_text_that_holds_the_breaker_gets_another() -> None:
    guard = GUARDS["byte level"]
    assert guard.breaker(["<|im_end|>", "\ufdd0\ufdd1"]) == "\ufdd2"
