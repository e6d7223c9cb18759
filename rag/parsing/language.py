"""Which language a text is in: by its script, then by its commonest words."""

from __future__ import annotations

import re
from collections import Counter

UNDETERMINED = "und"
_SAMPLE_CHARACTERS = 20_000
_SAMPLES = 4
_FEWEST_LETTERS = 20

_SCRIPTS = (
    ("kana", re.compile(r"[\u3041-\u30ff]")),
    ("han", re.compile(r"[\u3400-\u9fff]")),
    ("hangul", re.compile(r"[\uac00-\ud7a3]")),
    ("cyrillic", re.compile(r"[\u0400-\u04ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("he", re.compile(r"[\u05d0-\u05ea]")),
    ("arabic", re.compile(r"[\u0620-\u06ff]")),
    ("th", re.compile(r"[\u0e01-\u0e5b]")),
    ("devanagari", re.compile(r"[\u0900-\u097f]")),
    ("hy", re.compile(r"[\u0531-\u0587]")),
    ("ka", re.compile(r"[\u10a0-\u10ff]")),
    ("latin", re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")),
)
_WORD = re.compile(r"[^\W\d_]+")

# The commonest words that tell a language from its neighbours.
_WORDS = {
    "en": "the of and to in that was he his with as had it for at not you be have her she said",
    "de": "der die und das nicht ein zu ich er sie mit den es war von dem auf sich eine ist wie",
    "fr": "le la les et de des un une que qui il ne pas dans pour est elle vous du au je ce",
    "es": "el la los las y de que en un una no se por con su lo del más para como al era",
    "it": "il di che non la e un per una del si con gli della da le sono è nel alla come",
    "pt": "o a os e de que não um uma do da em se com para por as dos ao mais seu foi",
    "nl": "de het een en van dat niet ik hij met is zijn voor op te was aan maar ze er",
    "la": "et in non est ad cum ut sed quod qui si ex aut esse atque enim ab autem nec quae",
    "pl": "i w nie na się z do że to jest jak po co tak za od go ale był przez jego",
    "cs": "a se v na je že s z do to i o jako za by ale jsem po jeho si byl",
    "sv": "och att det i en som på är av för den med till inte han jag var sig ett om",
    "da": "og i at det en den til er som på de med han af for ikke jeg der var sig",
    "no": "og i det er på en å som av for at med til den har de ikke jeg han seg",
    "fi": "ja on ei se että hän oli en mutta niin kun kuin minä ole sen mitä nyt tai",
    "hu": "a az és hogy nem egy is volt meg de ez ha csak mint még el már azt",
    "ro": "și de în a la nu că o se un cu pe din mai să care este ce fi lui",
    "tr": "ve bir bu da de için ile ne gibi daha çok o olarak kadar ama her var ben",
    "ca": "el la els i de que en un una no per amb és va del les seva com més al",
    "eo": "la de kaj en estas ne mi al li ke kiu por vi sed ili pri oni tiu ĉi",
    "vi": "và của là có không được người trong cho một với các những đã này khi ông",
    "id": "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga ada saya dia ke",
    "ru": "и в не на он что с как я а то это по но все она его так у же к из за",
    "uk": "і в не на що він з як та до це я але його у а так й за від є",
    "bg": "и на да се в не от за той е с по като което са това си но му ще",
    "sr": "и у је да се на не за су од с као што али из то би сам он",
    "be": "і у не на што ён з як да я але гэта яго за па ад ў быў",
}
_LATIN = tuple(code for code in _WORDS if code not in {"ru", "uk", "bg", "sr", "be"})
_CYRILLIC = ("ru", "uk", "bg", "sr", "be")
_WORD_SETS = {code: frozenset(words.split()) for code, words in _WORDS.items()}
_FEWEST_HITS = 0.06  # of all words: below, no language of ours
_TRADITIONAL = re.compile(
    "[這個們來為國說時會對過後發裡經麼學現當沒動還進樣開從與長機關將兩間問並應頭體見產話內門東聲義條變總電數報結許書則聽難權設記類據邊該確傳師觀識帶爭運眾兒給]"
)
_SIMPLIFIED = re.compile(
    "[这个们来为国说时会对过后发里经么学现当没动还进样开从与长机关将两间问并应头体见产话内门东声义条变总电数报结许书则听难权设记类据边该确传师观识带争运众儿给]"
)


def detect_language(text: str) -> str:
    """Return the BCP 47 tag of the language that most of `text` is in, "und" where nothing tells.

    Chinese is told apart by script (`zh-Hans`, `zh-Hant`). A sample of the text is looked at.
    """
    sample = _sample(text)
    counts = {name: len(pattern.findall(sample)) for name, pattern in _SCRIPTS}
    letters = sum(counts.values())
    if letters < _FEWEST_LETTERS:
        return UNDETERMINED
    if counts["kana"] > 0.1 * (counts["kana"] + counts["han"]) and counts["kana"] > letters / 10:
        return "ja"
    script = max(counts, key=lambda name: counts[name])
    match script:
        case "han":
            hant, hans = len(_TRADITIONAL.findall(sample)), len(_SIMPLIFIED.findall(sample))
            return "zh-Hant" if hant > hans else "zh-Hans"
        case "kana":
            return "ja"
        case "hangul":
            return "ko"
        case "arabic":
            return "fa" if re.search("[پچژگ]", sample) else "ar"
        case "devanagari":
            return "hi"
        case "latin":
            return _by_words(sample, _LATIN)
        case "cyrillic":
            return _by_words(sample, _CYRILLIC)
    return script


def _sample(text: str) -> str:
    """Return pieces from all over `text`: a front page may be in another language."""
    if len(text) <= _SAMPLES * _SAMPLE_CHARACTERS:
        return text
    step = len(text) // (_SAMPLES + 1)
    return " ".join(
        text[step * part : step * part + _SAMPLE_CHARACTERS] for part in range(1, _SAMPLES + 1)
    )


def _by_words(sample: str, codes: tuple[str, ...]) -> str:
    words = Counter(_WORD.findall(sample.casefold()))
    hits = {code: sum(words[word] for word in _WORD_SETS[code]) for code in codes}
    best = max(hits, key=lambda code: hits[code])
    return best if hits[best] >= _FEWEST_HITS * words.total() else UNDETERMINED
