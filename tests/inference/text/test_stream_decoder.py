from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.text.stream_decoder import StreamDecoder
from inference.text.tokenizer import Tokenizer
from support.tokenizer_files import byte_fallback_tokenizer, byte_level_tokenizer

TOKENIZERS = {"byte level": byte_level_tokenizer, "byte fallback": byte_fallback_tokenizer}
SAMPLES = [
    "Once upon a time, there was a little girl.",
    "  two spaces before, one after ",
    "他们在桌子上发现了一只猫。",
    "مرحبا بالعالم، كيف حالك؟",
    "a family 👨‍👩‍👧‍👦, a flag 🏴󠁧󠁢󠁥󠁮󠁧󠁿, a thumb 👍🏽",
    "नमस्ते दुनिया e\u0301 \u200f \x00 \ufeff \U0010ffff",
    "\n\n\ttabs and\r\nlines",
]

texts = st.one_of(st.sampled_from(SAMPLES), st.text(max_size=60))
cuts = st.lists(st.integers(1, 4), min_size=1, max_size=8)


def pieces_of(ids: Sequence[int], sizes: Sequence[int]) -> list[list[int]]:
    """The ids in pieces of these sizes, over and over."""
    pieces, place, turn = [], 0, 0
    while place < len(ids):
        size = sizes[turn % len(sizes)]
        pieces.append(list(ids[place : place + size]))
        place, turn = place + size, turn + 1
    return pieces


def streamed(decoder: StreamDecoder, ids: Sequence[int], sizes: Sequence[int]) -> list[str]:
    return [*(decoder.push(piece) for piece in pieces_of(ids, sizes)), decoder.flush()]


def check_text(tokenizer: Tokenizer, text: str, sizes: Sequence[int]) -> None:
    ids = tokenizer.encode(text, special=False)
    pieces = streamed(StreamDecoder(tokenizer), ids, sizes)
    assert "".join(pieces) == tokenizer.decode(ids) == tokenizer.fast.decode(ids)
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in pieces)


def check_ids(tokenizer: Tokenizer, ids: Sequence[int], sizes: Sequence[int]) -> None:
    """Tokens in an order that no text has.

    The library replaces each byte of a run of byte tokens that is not all UTF-8, even those that
    are whole characters and could have been shown before; there its text is another.
    """
    whole = "".join(streamed(StreamDecoder(tokenizer), ids, sizes))
    assert whole == tokenizer.decode(ids)
    expected = tokenizer.fast.decode(list(ids))
    if "\ufffd" not in expected or tokenizer.token_id("<0x00>") is None:
        assert whole == expected


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(text=texts, sizes=cuts)
def test_pieces_make_the_text_and_hold_whole_characters(
    kind: str, text: str, sizes: list[int]
) -> None:
    check_text(TOKENIZERS[kind](), text, sizes)


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(data=st.data(), sizes=cuts)
def test_any_tokens_decode_as_the_library_does(
    kind: str, data: st.DataObject, sizes: list[int]
) -> None:
    tokenizer = TOKENIZERS[kind]()
    highest = tokenizer.vocab_size - 1
    ids = data.draw(st.lists(st.integers(0, highest) | st.integers(0, 262), max_size=40))
    check_ids(tokenizer, ids, sizes)


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["tokenizers/llama3", "tokenizers/qwen2.5", "stories260K/hf"])
def test_real_tokenizers(corpus: Path, name: str) -> None:
    tokenizer = Tokenizer.from_folder(corpus / "models" / name)

    @settings(max_examples=60, deadline=None)
    @given(text=texts, sizes=cuts)
    def of_texts(text: str, sizes: list[int]) -> None:
        check_text(tokenizer, text, sizes)

    @settings(max_examples=60, deadline=None)
    @given(
        ids=st.lists(st.integers(0, tokenizer.vocab_size - 1) | st.integers(0, 262), max_size=40),
        sizes=cuts,
    )
    def of_ids(ids: list[int], sizes: list[int]) -> None:
        check_ids(tokenizer, ids, sizes)

    of_texts()
    of_ids()


@pytest.mark.corpus
def test_the_real_model_s_story(corpus: Path) -> None:
    folder = corpus / "models" / "stories260K"
    golden = json.loads((folder / "golden_greedy.json").read_text())
    tokenizer = Tokenizer.from_folder(folder / "hf")
    assert tokenizer.decode(golden["greedy_token_ids"]) == golden["greedy_text"]
    prompt = tokenizer.encode(golden["prompt"])
    decoder = StreamDecoder(tokenizer, prompt)
    answer = "".join(decoder.push([one]) for one in golden["greedy_token_ids"][len(prompt) :])
    assert golden["prompt"] + answer + decoder.flush() == golden["greedy_text"]


def test_a_character_comes_with_the_token_that_completes_it() -> None:
    tokenizer = byte_fallback_tokenizer()
    ids = [tokenizer.token_id(f"<0x{byte:02X}>") for byte in "界".encode()]
    decoder = StreamDecoder(tokenizer, prompt_token_ids=ids)
    assert [decoder.push([one or 0]) for one in ids] == ["", "", "界"]


def test_what_never_becomes_a_character_is_replaced_at_the_end() -> None:
    tokenizer = byte_fallback_tokenizer()
    first = tokenizer.token_id("<0xE7>")
    assert first is not None
    decoder = StreamDecoder(tokenizer)
    assert decoder.push([first]) == ""
    assert decoder.push(tokenizer.encode("a", special=False)[-1:]) == "\ufffda"
    assert decoder.push([first]) == ""
    assert decoder.flush() == "\ufffd"


def test_special_tokens_are_left_out_unless_wanted() -> None:
    tokenizer = byte_level_tokenizer()
    ids = tokenizer.encode("<|im_start|>hi<|im_end|>")
    assert tokenizer.decode(ids) == "hi"
    shown = StreamDecoder(tokenizer, keep_special_tokens=True)
    assert shown.push(ids) == "<|im_start|>hi<|im_end|>"
    assert tokenizer.decode(tokenizer.encode("<think>a</think>")) == "<think>a</think>"


def test_the_first_space_belongs_to_the_text_only_after_a_prompt() -> None:
    tokenizer = byte_fallback_tokenizer()
    hello = tokenizer.encode("hello", special=False)
    prompt = tokenizer.encode("it said:")
    assert StreamDecoder(tokenizer).push(hello) == "hello"
    assert StreamDecoder(tokenizer, prompt).push(hello) == " hello"
    assert StreamDecoder(tokenizer, prompt[:1]).push(hello) == "hello"  # only the begin of text


def test_ids_beyond_the_vocabulary_are_nothing() -> None:
    tokenizer = byte_level_tokenizer()
    assert tokenizer.decode([10**6, -1]) == ""
