"""Compiles what an answer must be, with llguidance, for one tokenizer."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from inference.errors import GrammarError, MissingDependencyError
from inference.grammar.matcher import GrammarMatcher, failure
from inference.grammar.schemas import ANY_OBJECT, read_schema
from inference.requests import GrammarSpec
from inference.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

MAX_SOURCE_CHARACTERS = 512 * 1024
_MAX_CACHED = 32

# What compiling and each mask may cost; about 1 s and 4 ms (llguidance: 50,000 and 14,000 units of
# fuel per millisecond). The first masks are computed while compiling, so that a grammar that is too
# much is refused before it reaches a batch.
_COMPILE_FUEL = 500_000
_STEP_FUEL = 50_000
_STEP_ITEMS = 50_000
_LEXER_STATES = 50_000
_TRIAL_TOKENS = 4


class GrammarCompiler:
    """Makes matchers of grammars, and keeps the latest ones compiled. Safe on any thread.

    The first use prepares the tokenizer's vocabulary, which takes a second or two for 150,000
    tokens; `warm_up` does so early.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._vocabulary: LLTokenizer | None = None
        self._compiled: OrderedDict[GrammarSpec, LLMatcher] = OrderedDict()

    def warm_up(self) -> None:
        """Prepare the vocabulary.

        Raises:
            MissingDependencyError: llguidance is not installed.
            GrammarError: the tokenizer has no token that ends an answer.
        """
        with self._lock:
            if self._vocabulary is None:
                self._vocabulary = _vocabulary(self._tokenizer)

    def compile(self, spec: GrammarSpec) -> GrammarMatcher:
        """Return a fresh matcher.

        Raises:
            MissingDependencyError: llguidance is not installed.
            GrammarError: not a grammar, one that says what cannot be enforced, or one too large.
        """
        if len(spec.source) > MAX_SOURCE_CHARACTERS:
            raise GrammarError(
                f"The grammar has {len(spec.source)} characters, "
                f"more than the {MAX_SOURCE_CHARACTERS} allowed."
            )
        self.warm_up()
        with self._lock:
            found = self._compiled.get(spec)
            if found is not None:
                self._compiled.move_to_end(spec)
        if found is None:
            found = self._compile(spec)
            with self._lock:
                self._compiled[spec] = found
                while len(self._compiled) > _MAX_CACHED:
                    self._compiled.popitem(last=False)
        return GrammarMatcher(found.deep_copy(), self._tokenizer.eos_token_ids)

    def _compile(self, spec: GrammarSpec) -> LLMatcher:
        from llguidance import LLMatcher, LLParserLimits

        limits = LLParserLimits(
            initial_lexer_fuel=_COMPILE_FUEL,
            step_lexer_fuel=_STEP_FUEL,
            step_max_items=_STEP_ITEMS,
            max_lexer_states=_LEXER_STATES,
            verbose_errors=False,
        )
        assert self._vocabulary is not None
        matcher = LLMatcher(self._vocabulary, _source(spec), log_level=0, limits=limits)
        problem = failure(matcher) or _try_out(matcher.deep_copy())
        if problem is not None:
            raise GrammarError(f"The {spec.kind} cannot be used: {problem}")
        return matcher


def _source(spec: GrammarSpec) -> str:
    """The grammar as llguidance reads it."""
    from llguidance import LLMatcher

    if spec.kind == "regex":
        return LLMatcher.grammar_from_regex(spec.source)
    if spec.kind == "lark":
        return LLMatcher.grammar_from_lark(spec.source)
    schema = read_schema(ANY_OBJECT if spec.kind == "json_object" else spec.source)
    return LLMatcher.grammar_from_json_schema(json.dumps(schema))


def _try_out(matcher: LLMatcher) -> str | None:
    """Follow a grammar for a few tokens; what goes wrong, or None."""
    for _ in range(_TRIAL_TOKENS):
        mask = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
        problem = failure(matcher)
        if problem is not None or matcher.is_stopped():
            return problem
        allowed = np.flatnonzero(np.unpackbits(mask, bitorder="little"))
        if not len(allowed):
            return "it allows nothing."
        matcher.consume_token(int(allowed[len(allowed) // 2]))
    return failure(matcher)


class _Vocabulary:
    """The tokenizer as llguidance's wrapper takes it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._adds_space = tokenizer.adds_space
        self.eos_token_id = tokenizer.eos_token_ids[0]
        self.bos_token_id = tokenizer.bos_token_id
        self.special_token_ids = sorted({*tokenizer.special_token_ids, *tokenizer.eos_token_ids})
        self.tokens = [tokenizer.token_bytes(token_id) for token_id in range(tokenizer.vocab_size)]

    def __call__(self, text: bytes) -> list[int]:
        """Tokens of exactly these bytes: a space that the tokenizer would add is avoided."""
        inner = text.decode(errors="replace")
        if not self._adds_space:
            return self._tokenizer.encode(inner, special=False)
        before = self._tokenizer.encode("\n", special=False)
        return self._tokenizer.encode("\n" + inner, special=False)[len(before) :]


def _vocabulary(tokenizer: Tokenizer) -> LLTokenizer:
    try:
        from llguidance import LLTokenizer, TokenizerWrapper
    except ImportError as error:
        raise MissingDependencyError(
            "Constrained output needs the package llguidance: pip install llguidance"
        ) from error
    if not tokenizer.eos_token_ids:
        raise GrammarError("The model has no token that ends an answer, so no grammar can end it.")
    vocabulary = _Vocabulary(tokenizer)
    return LLTokenizer(TokenizerWrapper(vocabulary), eos_token=list(tokenizer.eos_token_ids))
