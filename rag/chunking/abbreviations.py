"""Abbreviations that end in a full stop without ending a sentence, by language.

All are in lower case, without the last full stop. Those that may well be a sentence's last word
("etc.", "a.m.", "Jr.") are left out: a lower-case letter after them is sign enough.
"""

from __future__ import annotations

from functools import cache

_EVERYWHERE = "dr prof st mr mrs ms vs cf op i.e e.g"

_BY_LANGUAGE: dict[str, str] = {
    "en": (
        "messrs mme mlle rev hon capt col gen lt maj sgt cpl cmdr adm gov pres sen rep supt fr bro "
        "sra mt viz ed eds trans jan feb apr aug sept oct nov"
    ),
    "fr": "mm mmes mlle mlles mme mgr me vve env",
    "de": "hr hrn fr frl ing bzw ca d.h z.b u.a s.o s.u vgl evtl ggf sog z d u o",
    "es": "sr sra sres srta dña ud uds vd vds sto sta ej",
    "it": "sig sigg sig.ra dott ing avv on mons es",
    "pt": "sr sra srs exmo",
    "nl": "dhr mevr drs ir bijv d.w.z",
    "ru": "т.е т.к г гг вв им ул д кв см ср св кн гр гос акад ген полк ред тов н",
    "pl": "np tzn tj ul św ks gen płk",
    "cs": "např tzn tj ul sv inž kpt",
    "sv": "t.ex bl.a d.v.s hr",
    "da": "f.eks bl.a d.v.s hr",
    "la": "q.v s.v cn sex ti",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BEFORE_NUMBERS = _words(
    "no nos vol vols p pp ch chap sec sect art fig pl bk lib cap caps § nr nrs s kap abs str blz "
    "pág págs núm стр гл рис стб том kl"
)
"""Abbreviations only where a number follows: "No. 7", but "No. He would not."."""

ORDINAL_LANGUAGES = _words("de cs da fi hu nb nn no pl sk sl hr sr et lv")
"""Languages that write ordinal numbers with a full stop ("am 3. Oktober")."""


@cache
def abbreviations(language: str) -> frozenset[str]:
    """Return those of a language, given as a lower-case primary subtag, and those of all."""
    return _words(_EVERYWHERE) | _words(_BY_LANGUAGE.get(language, ""))
