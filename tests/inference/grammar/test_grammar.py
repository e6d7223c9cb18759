from __future__ import annotations

import builtins
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import GrammarError, MissingDependencyError
from inference.grammar.compiler import MAX_SOURCE_CHARACTERS, GrammarCompiler
from inference.grammar.matcher import GrammarMatcher
from inference.requests import GrammarSpec, SamplingParams
from inference.sampling.sampler import Sampler
from inference.sampling.state import SamplingRow, SamplingState
from inference.text.tokenizer import Tokenizer
from support.tokenizer_files import byte_fallback_tokenizer, byte_level_tokenizer

TOKENIZERS = {"byte level": byte_level_tokenizer, "byte fallback": byte_fallback_tokenizer}
COMPILERS = {kind: GrammarCompiler(make()) for kind, make in TOKENIZERS.items()}
PADDING = 40  # a model's logits may be wider than its tokenizer

leaves: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"type": "integer", "minimum": -5, "maximum": 100},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "string", "maxLength": 6},
        {"type": "boolean"},
        {"type": "null"},
        {"enum": ["猫", 'quote"d', 3, None, {"a": [1]}]},
        {"const": "é"},
        {"type": "string", "pattern": "^[a-c]{1,4}$"},
    ]
)


def _nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    def as_object(properties: dict[str, Any]) -> dict[str, Any]:
        names = list(properties)
        return {
            "type": "object",
            "properties": properties,
            "required": names[: len(names) // 2 + 1],
            "additionalProperties": False,
        }

    names = st.sampled_from(["name", "größe", "a b", "x"])
    return st.one_of(
        st.dictionaries(names, inner, min_size=1, max_size=3).map(as_object),
        inner.map(lambda items: {"type": "array", "items": items, "maxItems": 3}),
        st.lists(inner, min_size=1, max_size=3).map(lambda choices: {"anyOf": choices}),
    )


schemas = st.recursive(leaves, _nested, max_leaves=5)


def allowed_by(mask: np.ndarray) -> list[int]:
    return [int(at) for at in np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little"))]


def answer(
    tokenizer: Tokenizer, matcher: GrammarMatcher, seed: int, *, limit: int = 300
) -> tuple[str, bool]:
    """What a model of random logits says under a grammar, and whether it came to its end."""
    params = SamplingParams(seed=seed, temperature=1.0)
    vocab_size = tokenizer.vocab_size + PADDING
    state = SamplingState(params, [], vocab_size, constraint=matcher)
    random = torch.Generator().manual_seed(seed)
    ids: list[int] = []
    while len(ids) < limit and not matcher.is_finished:
        logits = torch.randn(1, vocab_size, generator=random)
        (one,) = Sampler().sample(logits, [SamplingRow(state)])
        assert one.error is None
        assert one.token_id < tokenizer.vocab_size
        state.append(one.token_id)
        ids.append(one.token_id)
    return tokenizer.decode(ids), matcher.is_finished


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(max_examples=40, deadline=None)
@given(schema=schemas, seed=st.integers(0, 2**32))
def test_random_logits_give_what_the_schema_allows(
    kind: str, schema: dict[str, Any], seed: int
) -> None:
    matcher = COMPILERS[kind].compile(GrammarSpec("json_schema", json.dumps(schema)))
    text, finished = answer(TOKENIZERS[kind](), matcher, seed)
    if finished:  # else it was cut by its length
        jsonschema_rs.validate(schema, json.loads(text))


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("seed", range(5))
def test_any_object(kind: str, seed: int) -> None:
    matcher = COMPILERS[kind].compile(GrammarSpec("json_object"))
    text, finished = answer(TOKENIZERS[kind](), matcher, seed)
    assert text.startswith("{")
    if finished:
        assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize("seed", range(5))
def test_expressions_and_lark(seed: int) -> None:
    tokenizer, compiler = byte_level_tokenizer(), COMPILERS["byte level"]
    text, finished = answer(
        tokenizer, compiler.compile(GrammarSpec("regex", "(yes|no)[0-9]{2}")), seed
    )
    assert finished
    assert re.fullmatch("(yes|no)[0-9]{2}", text)
    lark = GrammarSpec("lark", 'start: "a" (", " WORD)*\nWORD: /[xyz]{2}/')
    text, finished = answer(tokenizer, compiler.compile(lark), seed)
    if finished:
        assert re.fullmatch("a(, [xyz]{2})*", text)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 20), data=st.data())
def test_masks_after_drafts(seed: int, cut: int, data: st.DataObject) -> None:
    """Looking ahead gives the mask that going there gives, and leaves no trace."""
    tokenizer, compiler = byte_level_tokenizer(), COMPILERS["byte level"]
    spec = GrammarSpec("json_schema", '{"type": "array", "items": {"type": "integer"}}')
    text, _ = answer(tokenizer, compiler.compile(spec), seed, limit=40)
    ids = tokenizer.encode(text, special=False)[: cut + 10]
    taken, draft = ids[:cut], ids[cut:]
    matcher, walking = compiler.compile(spec), compiler.compile(spec)
    for token_id in taken:
        matcher.advance(token_id)
        walking.advance(token_id)
    before = matcher.mask_after()
    masks = [matcher.mask_after(draft[:count]) for count in range(len(draft) + 1)]
    assert np.array_equal(matcher.mask_after(), before)
    for count, mask in enumerate(masks):
        if not walking.is_finished:
            assert np.array_equal(mask, walking.mask_after())
        if count < len(draft):
            walking.advance(draft[count])
    wrong = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1), min_size=1, max_size=5))
    matcher.mask_after(wrong)
    assert matcher.allowed(wrong) <= len(wrong)
    assert np.array_equal(matcher.mask_after(), before)


def test_a_draft_that_is_not_allowed_or_ends_forbids_nothing() -> None:
    tokenizer, compiler = byte_level_tokenizer(), COMPILERS["byte level"]
    matcher = compiler.compile(GrammarSpec("regex", "ab?"))
    (end,) = tokenizer.eos_token_ids
    a, b, z = (tokenizer.encode(letter, special=False)[0] for letter in "abz")
    assert (matcher.mask_after([z]) == -1).all()
    assert (matcher.mask_after([a, end, b]) == -1).all()
    allowed = np.flatnonzero(
        np.unpackbits(matcher.mask_after([a]).view(np.uint8), bitorder="little")
    )
    assert set(allowed) == {b, end}
    assert matcher.allowed([a, b, b]) == 2
    matcher.advance(a)
    assert not matcher.is_finished
    matcher.advance(end)
    assert matcher.is_finished


def test_matchers_of_one_grammar_are_apart() -> None:
    tokenizer, compiler = byte_level_tokenizer(), COMPILERS["byte level"]
    one, other = (compiler.compile(GrammarSpec("regex", "ab")) for _ in range(2))
    one.advance(tokenizer.encode("a", special=False)[0])
    assert not np.array_equal(one.mask_after(), other.mask_after())


def test_refuses_tokens_against_the_grammar() -> None:
    tokenizer, compiler = byte_level_tokenizer(), COMPILERS["byte level"]
    with pytest.raises(GrammarError, match=r"does not allow|could not be followed"):
        compiler.compile(GrammarSpec("regex", "a")).advance(tokenizer.encode("b")[0])
    with pytest.raises(GrammarError, match="ended before"):
        compiler.compile(GrammarSpec("regex", "a")).advance(tokenizer.eos_token_ids[0])


def _deep(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (GrammarSpec("json_schema", "{"), "not JSON"),
        (GrammarSpec("json_schema", "[" * 100_000), "not JSON"),
        (GrammarSpec("json_schema", "[]"), "no object"),
        (GrammarSpec("json_schema", "false"), "no object"),
        (GrammarSpec("json_schema", '{"type": "nope"}'), "nope"),
        (GrammarSpec("json_schema", '{"not": {}}'), "not"),
        (GrammarSpec("json_schema", '{"type": "integer", "minimum": 3, "maximum": 2}'), "minimum"),
        (GrammarSpec("json_schema", '{"$ref": "http://example.com/schema"}'), "example.com"),
        (GrammarSpec("json_schema", '{"$ref": "file:///etc/passwd"}'), "passwd"),
        (GrammarSpec("json_schema", json.dumps(_deep(400))), "recursion"),
        (GrammarSpec("json_schema", '"' + "x" * MAX_SOURCE_CHARACTERS), "more than"),
        (GrammarSpec("regex", "("), "regex"),
        (GrammarSpec("regex", "(?=a)b"), "look"),
        (GrammarSpec("lark", "start: nothing"), "nothing"),
        (GrammarSpec("lark", "%import common.NOPE"), "lark"),
    ],
)
def test_what_is_no_grammar(spec: GrammarSpec, message: str) -> None:
    with pytest.raises(GrammarError, match=message):
        COMPILERS["byte level"].compile(spec)


@pytest.mark.parametrize(
    "spec",
    [
        GrammarSpec("regex", "x{1000000}"),
        GrammarSpec("regex", "((a{1000}){1000}){1000}"),
        GrammarSpec("regex", "(a+)+b(a|b|ab)*c(.*d){50}"),
        GrammarSpec("regex", "(a|b)*a(a|b){200}"),
        GrammarSpec("json_schema", json.dumps({"enum": [f"value {at}" for at in range(20_000)]})),
        GrammarSpec("json_schema", '{"type": "string", "maxLength": 100000000}'),
        GrammarSpec("json_schema", '{"type": "array", "minItems": 100000000}'),
        GrammarSpec("json_schema", '{"$ref": "#"}'),
        GrammarSpec("json_schema", '{"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}'),
        GrammarSpec(
            "json_schema",
            json.dumps({"type": "object", "properties": {f"p{at}": {} for at in range(2_000)}}),
        ),
    ],
    ids=range(10),
)
def test_grammars_that_are_too_much_end_in_an_error_or_in_use(spec: GrammarSpec) -> None:
    """Refused at once, refused on the way, or followed: never a crash, never endless."""
    try:
        matcher = COMPILERS["byte level"].compile(spec)
        for turn in range(20):
            if matcher.is_finished:
                break
            allowed = allowed_by(matcher.mask_after())
            matcher.advance(int(allowed[turn % len(allowed)]))
    except GrammarError as error:
        assert str(error)  # noqa: PT017 - either way is right


def test_a_grammar_that_fails_on_the_way_fails_its_row_alone() -> None:
    class Failing:
        is_finished = False

        def mask_after(self, draft: Sequence[int]) -> np.ndarray:
            raise GrammarError("It grew beyond its limits.")

        def advance(self, token_id: int) -> None: ...

    tokenizer = byte_level_tokenizer()
    params = SamplingParams(temperature=0.0)
    matcher = COMPILERS["byte level"].compile(GrammarSpec("regex", "a"))
    rows = [
        SamplingRow(SamplingState(params, [], tokenizer.vocab_size, constraint=constraint))
        for constraint in (None, Failing(), matcher)
    ]
    logits = torch.randn(3, tokenizer.vocab_size)
    got = Sampler().sample(logits, rows)
    assert isinstance(got[1].error, GrammarError)
    assert got[0].token_id == int(logits[0].argmax())
    assert tokenizer.decode([got[2].token_id]) == "a"


def test_special_tokens_are_never_part_of_an_answer() -> None:
    tokenizer, compiler = byte_level_tokenizer(), COMPILERS["byte level"]
    allowed = set(allowed_by(compiler.compile(GrammarSpec("regex", r"(.|\n)*")).mask_after()))
    assert allowed & tokenizer.special_token_ids == set(tokenizer.eos_token_ids)


def test_without_an_end_no_grammar() -> None:
    tokenizer = Tokenizer(byte_level_tokenizer().to_json())
    with pytest.raises(GrammarError, match="ends an answer"):
        GrammarCompiler(tokenizer).compile(GrammarSpec("json_object"))


def test_without_llguidance(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without(name: str, *args: Any) -> object:
        if name == "llguidance":
            raise ImportError(name)
        return real_import(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match="pip install llguidance"):
        GrammarCompiler(byte_level_tokenizer()).compile(GrammarSpec("json_object"))


def test_the_user_s_schema_is_not_changed() -> None:
    schema: Mapping[str, object] = {"type": "boolean"}
    source = json.dumps(schema)
    COMPILERS["byte level"].compile(GrammarSpec("json_schema", source))
    assert json.loads(source) == schema
