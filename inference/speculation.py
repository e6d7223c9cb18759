"""Drafting tokens from the text itself.

Prompt lookup (github.com/apoorvumang/prompt-lookup-decoding): answers about a text quote it, so
where the last few tokens occurred before, what followed them then is a good guess for what follows
now. The guess is verified in one step of the model, as further rows behind the last token, and is
accepted as far as the model draws the same tokens; the answer is the same as without.
"""

from __future__ import annotations

SHORTEST_DRAFT = 4
LONGEST_DRAFT = 16
_SHORTEST_MATCH = 3
_LONGEST_MATCH = 8
_MOST_CANDIDATES = 32
_TOKEN_BITS = 20
# How sure one is of a guess before any was judged, and what share of the judgement each step keeps.
_FIRST_HITS, _FIRST_TRIALS = 0.3, 1.0
_KEPT_SHARE = 0.9


class PromptLookup:
    """Guesses what follows a growing sequence, and keeps count of how often it was right.

    Every three neighbouring tokens are indexed once, as they come, so a guess costs the same
    however long the sequence is. Of the places where the last three tokens occurred before, the one
    whose longest match, up to eight tokens, is longest is continued; at equal length the prompt
    goes before the answer, and the later place before the earlier. Guesses are judged whether they
    were verified or not, by the tokens that came: a guess not drafted costs next to nothing.

    Attributes:
        draft_tokens: how many tokens to guess: more while guesses are right.
    """

    def __init__(self, token_ids: list[int]) -> None:
        """Index a prompt.

        Args:
            token_ids: the prompt; the same list grows as the answer does.
        """
        self.draft_tokens = SHORTEST_DRAFT
        self._token_ids = token_ids
        self._in_prompt: dict[int, int] = {}
        self._in_answer: dict[int, int] = {}
        self._earlier: list[int] = []
        self._distance = 0
        self._guess: tuple[int, ...] = ()
        self._guessed_at = 0
        self._hits = 0.0
        self._trials = 0.0
        self._index(self._in_prompt)

    @property
    def hit_rate(self) -> float:
        """How likely a guessed token is right if those before it are."""
        return (self._hits + _FIRST_HITS) / (self._trials + _FIRST_TRIALS)

    def expected_tokens(self, drafted: int) -> float:
        """How many of so many drafted tokens will be right, on the average."""
        rate = min(self.hit_rate, 0.999)
        return rate * (1.0 - rate**drafted) / (1.0 - rate)

    def guess(self) -> tuple[int, ...]:
        """Return up to `draft_tokens` tokens that may follow; none where nothing matches."""
        self._judge()
        self._index(self._in_answer)
        self._guess = self._continue(self._longest_match())
        self._guessed_at = len(self._token_ids)
        return self._guess

    def _judge(self) -> None:
        """Compare the last guess with the tokens that came since."""
        guess, came = self._guess, self._token_ids[self._guessed_at :]
        if not guess or not came:
            return
        right = 0
        while right < min(len(guess), len(came)) and guess[right] == came[right]:
            right += 1
        missed = right < min(len(guess), len(came))
        self._hits = self._hits * _KEPT_SHARE + right
        self._trials = self._trials * _KEPT_SHARE + right + missed
        if right == len(guess):
            self.draft_tokens = min(2 * self.draft_tokens, LONGEST_DRAFT)
        elif missed:
            self.draft_tokens = max(right, SHORTEST_DRAFT)

    def _continue(self, end: int) -> tuple[int, ...]:
        """Return what followed the match that ends there."""
        if end < 0:
            self._distance = 0
            return ()
        tokens = self._token_ids
        self._distance = len(tokens) - 1 - end
        draft = tokens[end + 1 : end + 1 + self.draft_tokens]
        while len(draft) < self.draft_tokens:  # the match runs into itself: a repeated phrase
            draft.append(draft[-self._distance])
        return tuple(draft)

    def _index(self, index: dict[int, int]) -> None:
        """Index what came since the last time, but for the end itself."""
        tokens, earlier = self._token_ids, self._earlier
        for end in range(len(earlier), len(tokens) - 1):
            if end < _SHORTEST_MATCH - 1:
                earlier.append(-1)
                continue
            key = _key(tokens, end)
            earlier.append(index.get(key, -1))
            index[key] = end

    def _longest_match(self) -> int:
        """Return where the longest match ends, or -1."""
        tokens = self._token_ids
        last = len(tokens) - 1
        if last < _SHORTEST_MATCH:
            return -1
        best, longest = -1, _SHORTEST_MATCH - 1
        if self._distance:  # go on where the last guess was taken from
            length = self._match_length(last - self._distance)
            if length > longest:
                best, longest = last - self._distance, length
        key = _key(tokens, last)
        for index in (self._in_prompt, self._in_answer):
            end = index.get(key, -1)
            for _ in range(_MOST_CANDIDATES):
                if end < 0 or longest == _LONGEST_MATCH:
                    break
                length = self._match_length(end)
                if length > longest:
                    best, longest = end, length
                end = self._earlier[end]
        return best

    def _match_length(self, end: int) -> int:
        tokens = self._token_ids
        last = len(tokens) - 1
        most = min(_LONGEST_MATCH, end + 1)
        length = 0
        while length < most and tokens[end - length] == tokens[last - length]:
            length += 1
        return length


def _key(tokens: list[int], end: int) -> int:
    return (tokens[end - 2] << 2 * _TOKEN_BITS) | (tokens[end - 1] << _TOKEN_BITS) | tokens[end]
