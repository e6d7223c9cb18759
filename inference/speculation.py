"""Drafting tokens from the text itself, and judging when that pays.

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


class PromptLookup:
    """Guesses what follows a growing sequence.

    Every three neighbouring tokens are indexed once, as they come, so a guess costs the same
    however long the sequence is. Of the places where the last three tokens occurred before, the one
    whose longest match, up to eight tokens, is longest is continued; at equal length the prompt
    goes before the answer, and the later place before the earlier.

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
        self._num_prompt_tokens = len(token_ids)
        self._in_prompt: dict[int, int] = {}
        self._in_answer: dict[int, int] = {}
        self._earlier: list[int] = []
        self._distance = 0
        self._index(self._in_prompt)

    def guess(self) -> tuple[int, ...]:
        """Return up to `draft_tokens` tokens that may follow; none where nothing matches."""
        self._index(self._in_answer)
        end = self._longest_match()
        if end < 0:
            self._distance = 0
            return ()
        tokens = self._token_ids
        self._distance = len(tokens) - 1 - end
        draft = tokens[end + 1 : end + 1 + self.draft_tokens]
        while len(draft) < self.draft_tokens:  # the match runs into itself: a repeated phrase
            draft.append(draft[-self._distance])
        return tuple(draft)

    def learn(self, drafted: int, accepted: int) -> None:
        """Guess more after a guess that was all right, and less after one that was not."""
        if accepted == drafted:
            self.draft_tokens = min(2 * self.draft_tokens, LONGEST_DRAFT)
        else:
            self.draft_tokens = min(max(accepted, SHORTEST_DRAFT), LONGEST_DRAFT)

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
        tokens = self._token_ids
        last = len(tokens) - 1
        if last < _SHORTEST_MATCH:
            return -1
        best, longest = -1, _SHORTEST_MATCH - 1
        if self._distance:  # go on where the last guess was taken from
            best = last - self._distance
            longest = max(longest, self._match_length(best))
            best = best if longest >= _SHORTEST_MATCH else -1
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
        length = 0
        while (
            length < min(_LONGEST_MATCH, end + 1) and tokens[end - length] == tokens[last - length]
        ):
            length += 1
        return length


def _key(tokens: list[int], end: int) -> int:
    return (tokens[end - 2] << 2 * _TOKEN_BITS) | (tokens[end - 1] << _TOKEN_BITS) | tokens[end]
