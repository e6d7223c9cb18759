"""Text from tokens as they come: whole characters only, never rewritten."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.text.tokenizer import Tokenizer


class StreamDecoder:
    """Decodes one sequence of tokens piece by piece, in constant time per token.

    The pieces laid end to end are what decoding all tokens at once gives. A character, that is a
    Unicode code point, comes out with the token that completes it. Bytes that are no UTF-8 become
    U+FFFD as soon as that is certain, one for each maximal part (Unicode 16, section 3.9), and
    those of an unfinished character at the end at `flush`.

    Special tokens are left out, and text on both sides of one is decoded as one. Where the
    tokenizer puts a space before every text (SentencePiece), the first space is taken away, unless
    the text continues a prompt, in which it separates words.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        prompt_token_ids: Sequence[int] = (),
        *,
        keep_special_tokens: bool = False,
    ) -> None:
        """Begin a text.

        Args:
            tokenizer: whose tokens these are.
            prompt_token_ids: what the text continues. It is not decoded; a prompt that ends with
                a special token is as good as none.
            keep_special_tokens: show special tokens by their names.
        """
        self._tokenizer = tokenizer
        self._left_out = frozenset() if keep_special_tokens else tokenizer.special_token_ids
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        continues = bool(prompt_token_ids) and (
            prompt_token_ids[-1] not in tokenizer.special_token_ids
        )
        self._strip = tokenizer.strips_leading_space and not continues

    def push(self, token_ids: Sequence[int]) -> str:
        """Take further tokens and return the characters they complete."""
        left_out, token_bytes = self._left_out, self._tokenizer.token_bytes
        data = b"".join([token_bytes(token) for token in token_ids if token not in left_out])
        return self._stripped(self._decoder.decode(data))

    def flush(self) -> str:
        """End the text: U+FFFD for an unfinished character, else nothing."""
        return self._stripped(self._decoder.decode(b"", final=True))

    def _stripped(self, text: str) -> str:
        if self._strip and text:
            self._strip = False
            return text.removeprefix(" ")
        return text
