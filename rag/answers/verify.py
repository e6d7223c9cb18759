"""Checks a reply while it streams, so that the reader sees only what the books bear out.

Plain words pass at once. A quote is held until it is closed, then looked for by code: in the
passage that the mark right after it names, in the other passages, and (unless it is short) in the
rest of the scope. What is then shown between “ and ” is the book's own slice, followed by its
citation. Of a quote that is only partly in the books, the longest runs are shown; one that is not
there at all is replaced by an ellipsis in brackets, or, if it is short, loses its marks.

A mark of citation after plain words becomes a citation of the sentence that bears them out best.
One that names no passage is dropped, as is one whose passage, like all others, shares no word with
the sentence. A sentence without any citation gets one where a passage clearly bears it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from rag.answers.lexer import Lexer, Mark, Plain, Quoted, Space, Token, lex, plain_text
from rag.answers.quotes import Located, Source, find_runs, find_whole, is_short
from rag.answers.support import Evidence, best_support
from rag.answers.verdicts import Verdicts
from rag.answers.words import WordRow
from rag.answers.writer import Writer, WrittenEvent
from rag.chunking.sentences import sentence_ends

MIN_UNMARKED_SHARE = 0.6
"""A sentence without a citation gets one where a passage has this part of its content words,"""
MIN_UNMARKED_WORDS = 2
"""and at least so many of them."""
MIN_RECITED_SHARE = 0.5
"""A mark whose passage shares no word with its sentence goes to another that has this part."""
MAX_SHORT_REPLY_CHARACTERS = 200
"""Up to this length a reply without a citation gets one where one sentence has all its words."""
MAX_SENTENCE_CHARACTERS = 1000
"""Something longer is no sentence; it is closed there."""

Lookup = Callable[[WordRow], Sequence[Source]]
"""Finds stretches of the scope, beyond the passages, that may hold a quote."""


class Verifier:
    """Reads a reply piece by piece and returns the events that the reader may see.

    Attributes:
        verdicts: what was done so far.
    """

    def __init__(
        self,
        question: str,
        language: str,
        sources: Sequence[Source],
        lookup: Lookup,
        writer: Writer,
        is_spoiler: Callable[[str], bool] | None = None,
    ) -> None:
        """Make a verifier for one reply.

        Args:
            question: what was asked.
            language: BCP 47 tag of the reply.
            sources: the passages sent; passage `[n]` is number n - 1.
            lookup: where else a quote may be.
            writer: writes what passes.
            is_spoiler: says of a sentence whether it must not be shown; with it, each sentence is
                held back until it is whole.
        """
        self.verdicts = Verdicts()
        self._question = question
        self._language = language
        self._sources = sources
        self._evidence = [Evidence(source, number) for number, source in enumerate(sources)]
        self._lookup = lookup
        self._writer = writer
        self._is_spoiler = is_spoiler
        self._lexer = Lexer()
        self._sentence = ""
        self._reply = ""
        self._quoted: list[Located] = []  # in this sentence
        self._has_mark = False
        self._space = ""
        self._waiting: list[Token] = []  # a quote, and what may stand between it and its mark
        self._held: list[Callable[[], None]] = []  # of this sentence, where sentences are held

    def feed(self, text: str) -> list[WrittenEvent]:
        """Take the next piece of the reply. May read the library: keep it off an event loop."""
        for token in self._lexer.feed(text):
            self._take(token)
        return self._writer.take()

    def finish(self) -> list[WrittenEvent]:
        """Take the end of the reply."""
        for token in self._lexer.finish():
            self._take(token)
        self._settle_quote(None)
        self._close_sentence()
        self._cite_whole_reply()
        return self._writer.take()

    def _take(self, token: Token) -> None:
        """Handle a token, but keep a quote until it is known whether a mark follows it."""
        match token:
            case Quoted():
                self._settle_quote(None)
                self._waiting = [token]
            case Mark() if self._waiting:
                self._settle_quote(token)
            case Space() | Plain() if self._waiting and _may_precede_mark(token):
                self._waiting.append(token)
            case _:
                self._settle_quote(None)
                self._pass(token)

    def _settle_quote(self, mark: Mark | None) -> None:
        """Decide on the waiting quote, preferring the passages that `mark` names."""
        if not self._waiting:
            return
        quote, *after = self._waiting
        self._waiting = []
        assert isinstance(quote, Quoted)
        self._quote(quote.text, self._named(mark) if mark else [])
        for token in after:
            self._pass(token)

    def _pass(self, token: Token) -> None:
        match token:
            case Plain(text):
                self._begin(text)
                self._do(partial(self._writer.word, text))
            case Space(text):
                self._space = max(self._space, text, key=len)
                self._do(partial(self._writer.space, text))
            case Quoted(text):
                self._quote(text, [])
            case Mark():
                self._mark(token)

    def _begin(self, text: str) -> None:
        """Add a word or quote to the sentence, or close the sentence before it."""
        if self._sentence and self._begins_sentence(text):
            space = self._space
            self._close_sentence()
            self._do(partial(self._writer.space, space))
        self._sentence += self._space + text
        self._space = ""

    def _begins_sentence(self, text: str) -> bool:
        so_far = self._sentence + self._space
        return (
            not self._sentence
            or "\n" in self._space
            or len(so_far) > MAX_SENTENCE_CHARACTERS
            or len(so_far) in sentence_ends(so_far + text, self._language)
        )

    def _unmarked(self, text: str) -> str:
        """Return a quote as plain words, with a capital where they begin a sentence."""
        words = plain_text(lex(text))
        capitalised = words[:1].upper() + words[1:]
        return capitalised if self._begins_sentence(capitalised) else words

    def _quote(self, text: str, preferred: Sequence[int]) -> None:
        quote = WordRow.of(text)
        short = is_short(quote)
        order = [*preferred, *(n for n in range(len(self._sources)) if n not in preferred)]
        sources = [self._sources[number] for number in order]
        found = find_whole(quote, sources)
        elsewhere: Sequence[Source] = ()
        if found is None and not short:
            elsewhere = self._lookup(quote)
            found = find_whole(quote, elsewhere)
            self.verdicts.quotes_elsewhere += found is not None
        if found is not None:
            self.verdicts.quotes_whole += 1
            self._show([found])
        elif short:
            self.verdicts.quotes_unmarked += bool(quote.words)
            for token in lex(self._unmarked(text)):
                self._pass(token)
        elif runs := find_runs(quote, [*sources, *elsewhere]):
            self.verdicts.quotes_shortened += 1
            self._show(runs)
        else:
            self.verdicts.quotes_dropped += 1
            self._has_mark = True  # what is left of the sentence is not to look borne out
            self._begin("…")
            self._do(self._writer.omission)

    def _show(self, runs: Sequence[Located]) -> None:
        for number, run in enumerate(runs):
            if number:
                self._do(partial(self._writer.word, " …"))
                self._do(partial(self._writer.space, " "))
            self._begin(run.text)
            self._quoted.append(run)
            self._has_mark = True
            self._do(partial(self._writer.quote, run))

    def _mark(self, mark: Mark) -> None:
        named = self._named(mark)
        self.verdicts.marks_dropped += len(mark.numbers) - len(named)
        for number in named:
            if any(self._is_in(quoted, self._sources[number]) for quoted in self._quoted):
                continue  # the quote bears its citation already
            if (place := self._borne_out_by(number)) is None:
                self.verdicts.marks_dropped += 1
                continue
            self.verdicts.marks_moved += place.source != number
            self._has_mark = True
            self._do(partial(self._writer.cite, place))

    def _named(self, mark: Mark) -> list[int]:
        return [number - 1 for number in mark.numbers if 1 <= number <= len(self._sources)]

    def _is_in(self, quoted: Located, source: Source) -> bool:
        return quoted.book_id == source.book_id and source.span.contains(quoted.span)

    def _borne_out_by(self, number: int) -> Located | None:
        """Return what a mark on the sentence so far is to cite, None where nothing supports it."""
        cited = self._evidence[number]
        support = best_support(self._sentence, [cited], self._question)
        if support is not None:
            return support.place
        if self._sentence and _primary(cited.source.language) == _primary(self._language):
            moved = best_support(self._sentence, self._evidence, self._question)
            return moved.place if moved and moved.share >= MIN_RECITED_SHARE else None
        # Another language shares few words, and an empty sentence none: trust the mark.
        asked = best_support(self._question, [cited], "")
        return asked.place if asked else cited.located(None)

    def _close_sentence(self) -> None:
        if self._sentence and not self._has_mark:
            support = best_support(self._sentence, self._evidence, self._question)
            if (
                support is not None
                and support.shared >= MIN_UNMARKED_WORDS
                and support.share >= MIN_UNMARKED_SHARE
            ):
                self.verdicts.sentences_cited += 1
                self._do(partial(self._writer.cite, support.place))
        self._release()
        self._reply += self._sentence + " "
        self._sentence = ""
        self._space = ""
        self._quoted = []
        self._has_mark = False

    def _cite_whole_reply(self) -> None:
        """Cite a short reply, such as a name, where one sentence of a passage has all of it."""
        if self._writer.citations or len(self._reply) > MAX_SHORT_REPLY_CHARACTERS:
            return
        if self.verdicts.sentences_withheld or self.verdicts.quotes_dropped:
            return
        support = best_support(self._reply, self._evidence, self._question)
        if support is not None and support.share == 1.0:
            self.verdicts.sentences_cited += 1
            self._writer.cite(support.place)

    def _do(self, action: Callable[[], None]) -> None:
        """Write, at once or when the sentence is whole."""
        if self._is_spoiler is None:
            action()
        else:
            self._held.append(action)

    def _release(self) -> None:
        held, self._held = self._held, []
        if self._is_spoiler is not None and self._is_spoiler(self._sentence):
            self.verdicts.sentences_withheld += 1
            self._writer.omission()
            return
        for action in held:
            action()


def _may_precede_mark(token: Token) -> bool:
    """Say whether a token can stand between a quote and its mark: spaces and punctuation."""
    if isinstance(token, Space):
        return "\n" not in token.text
    return isinstance(token, Plain) and not any(map(str.isalnum, token.text))


def _primary(language: str) -> str:
    return language.partition("-")[0].lower()
