"""Sentences from well-known books in the public domain, and from the corpus."""

from __future__ import annotations

import re
from pathlib import Path

SENTENCES = (
    "Call me Ishmael.",
    "Some years ago—never mind how long precisely—having little or no money in my purse, and "
    "nothing particular to interest me on shore, I thought I would sail about a little and see the "
    "watery part of the world.",
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, "
    "must be in want of a wife.",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age "
    "of foolishness.",
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having "
    "nothing to do.",
    "You will rejoice to hear that no disaster has accompanied the commencement of an enterprise "
    "which you have regarded with such evil forebodings.",
    "All happy families are alike; each unhappy family is unhappy in its own way.",
    "To Sherlock Holmes she is always the woman.",
    "The sun shone, having no alternative, on the nothing new.",
    "Marley was dead: to begin with.",
    "In the second century of the Christian Era, the empire of Rome comprehended the fairest part "
    "of the earth, and the most civilised portion of mankind.",
    "There was no possibility of taking a walk that day.",
    "I have just returned from a visit to my landlord—the solitary neighbour that I shall be "
    "troubled with.",
    "The studio was filled with the rich odour of roses.",
    "3 May. Bistritz.—Left Munich at 8:35 P.M., on 1st May, arriving at Vienna early next morning.",
    "No one would have believed in the last years of the nineteenth century that this world was "
    "being watched keenly and closely by intelligences greater than man's.",
    "“What is it?” cried the captain, and he ran to the rail.",
    "He never went to sea again.",
    "Twenty-five of the men were put in irons; the others rowed till nightfall.",
    "Where did the old woman hide the golden key?",
)

_SENTENCE = re.compile(r"[A-Z“‘][^.!?]{20,300}[.!?][”’]?(?=\s)")


def corpus_sentences(corpus: Path, count: int) -> list[str]:
    """Sentences spread evenly over the English plain-text books of the corpus."""
    books = sorted((corpus / "txt" / "en").glob("*.txt"))
    each = -(-count // len(books))
    sentences: list[str] = []
    for path in books:
        text = " ".join(path.read_text(encoding="utf-8", errors="replace").split())
        found = _SENTENCE.findall(text[5000:-20000])
        sentences += found[:: max(1, len(found) // each)][:each]
    return sentences[:count]
