"""Numbers as chapter headings write them: 12, XII, twelve, twelfth, zwölftes, 十二, двенадцатая."""

from __future__ import annotations

import re

_ROMAN = re.compile(r"M{0,3}(CM|CD|D?C{0,4})(XC|XL|L?X{0,4})(IX|IV|V?I{0,4})", re.IGNORECASE)
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
_IDEOGRAPHS = {digit: value for value, digit in enumerate("〇一二三四五六七八九")} | {
    "零": 0,
    "○": 0,
    "两": 2,
    "兩": 2,
    "壹": 1,
    "贰": 2,
    "叁": 3,
    "廿": 20,
    "卅": 30,
}
_IDEOGRAPH_UNITS = {"十": 10, "百": 100, "千": 1000, "拾": 10}

# Cardinals, then ordinals, from one on. An ordinal's ending is cut back to its stem below.
_WORDS = (
    # English
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty",
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth"
    " fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth",
    # German
    "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn"
    " sechzehn siebzehn achtzehn neunzehn zwanzig",
    "erste zweite dritte vierte fünfte sechste siebente achte neunte zehnte elfte zwölfte"
    " dreizehnte vierzehnte fünfzehnte sechzehnte siebzehnte achtzehnte neunzehnte zwanzigste",
    "erstes zweites drittes viertes fünftes sechstes siebentes achtes neuntes zehntes elftes"
    " zwölftes dreizehntes vierzehntes fünfzehntes sechzehntes siebzehntes achtzehntes"
    " neunzehntes zwanzigstes",
    "erster zweiter dritter vierter fünfter sechster siebenter achter neunter zehnter elfter"
    " zwölfter",
    # French
    "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
    " dix-sept dix-huit dix-neuf vingt",
    "premier deuxième troisième quatrième cinquième sixième septième huitième neuvième dixième"
    " onzième douzième treizième quatorzième quinzième seizième dix-septième dix-huitième"
    " dix-neuvième vingtième",
    "première seconde",
    # Spanish
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince",
    "primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo undécimo duodécimo",
    "primera segunda tercera cuarta quinta sexta séptima octava novena décima",
    # Italian and Portuguese
    "primo secondo terzo quarto quinto sesto settimo ottavo nono decimo",
    "prima seconda terza quarta quinta sesta settima ottava nona decima",
    "primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono décimo",
    "primeira segunda terceira quarta quinta sexta sétima oitava nona décima",
    # Dutch and Polish
    "eerste tweede derde vierde vijfde zesde zevende achtste negende tiende elfde twaalfde",
    "pierwszy drugi trzeci czwarty piąty szósty siódmy ósmy dziewiąty dziesiąty",
    "pierwsza druga trzecia czwarta piąta szósta siódma ósma dziewiąta dziesiąta",
    # Russian
    "первая вторая третья четвертая пятая шестая седьмая восьмая девятая десятая одиннадцатая"
    " двенадцатая тринадцатая четырнадцатая пятнадцатая шестнадцатая семнадцатая восемнадцатая"
    " девятнадцатая двадцатая",
    "первый второй третий четвертый пятый шестой седьмой восьмой девятый десятый",
    "первое второе третье четвертое пятое шестое седьмое восьмое девятое десятое",
)
_SIMPLE = {word: value for row in _WORDS for value, word in enumerate(row.split(), start=1)} | {
    "siebte": 7,
    "siebtes": 7,
    "siebter": 7,
}
_TENS = {
    word: value
    for row, start in (
        ("twenty thirty forty fifty sixty seventy eighty ninety", 20),
        ("twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth", 20),
        ("двадцать тридцать сорок пятьдесят", 20),
        ("двадцатая тридцатая сороковая пятидесятая", 20),
        ("vingt trente quarante cinquante", 20),
        ("vigésimo trigésimo cuadragésimo", 20),
    )
    for value, word in zip(range(start, 100, 10), row.split(), strict=False)
}


def number_of(text: str) -> int | None:
    """Return the number that `text` (one word, or a compound such as “twenty-one”) stands for."""
    word = text.strip().casefold().replace("ё", "е")
    if word.isdecimal():
        return int(word) if len(word) <= 4 else None
    if word in _SIMPLE:
        return _SIMPLE[word]
    if word in _TENS:
        return _TENS[word]
    if roman := roman_value(word):
        return roman
    if (word and word[0] in _IDEOGRAPHS) or word[:1] in _IDEOGRAPH_UNITS:
        return _ideographic_value(word)
    return _compound_value(re.split(r"[\s-]+", word))


def roman_value(text: str) -> int | None:
    """Return the value of a Roman numeral, else None; additive forms such as IIII count."""
    if not text or not _ROMAN.fullmatch(text):
        return None
    values = [_ROMAN_VALUES[letter] for letter in text.casefold()]
    following = [*values[1:], 0]
    return sum(
        -value if after > value else value for value, after in zip(values, following, strict=True)
    )


def _ideographic_value(text: str) -> int | None:
    """Read 一百二十三 and 一二三 alike."""
    if all(character in _IDEOGRAPHS for character in text) and text[0] not in "廿卅":
        return int("".join(str(_IDEOGRAPHS[character]) for character in text))
    total = digit = 0
    for character in text:
        if character in _IDEOGRAPH_UNITS:
            total += (digit or 1) * _IDEOGRAPH_UNITS[character]
            digit = 0
        elif character in _IDEOGRAPHS:
            value = _IDEOGRAPHS[character]
            total, digit = (total + value, 0) if value >= 20 else (total, value)
        else:
            return None
    return total + digit


def _compound_value(words: list[str]) -> int | None:
    if len(words) == 2 and words[0] in _TENS and words[1] in _SIMPLE and _SIMPLE[words[1]] < 10:
        return _TENS[words[0]] + _SIMPLE[words[1]]
    return None
