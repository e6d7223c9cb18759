"""How likely each character is in the languages that legacy encodings were made for.

The models are small on purpose: the characters of a language in their well-known order of
frequency (letter counts of large corpora; for Chinese the head of Jun Da's list, for Japanese and
Korean kana and the commonest syllables). A character's cost is minus the logarithm of a Zipf-like
probability; what a model does not know is dear. Only characters past ASCII tell encodings apart, so
an ASCII character has one price for all.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

_ASCII_BITS = 5.0
_UNKNOWN_LETTER_BITS = 13.0
_UNKNOWN_SYMBOL_BITS = 15.0
_UNKNOWN_IDEOGRAPH_BITS = 16.0
_BREAK_BITS = 8.0
_LETTERS_SHARE = 0.85
_CAPITAL_BITS = 4.0
_PUNCTUATION = {
    **dict.fromkeys("’\u00a0", 4.0),
    **dict.fromkeys("“”–—«»…", 6.0),
    **dict.fromkeys("‘„¡¿", 7.0),
    **dict.fromkeys("·°§№©®€£´", 9.0),
}
_WIDE_PUNCTUATION = "，。、：；？！“”‘’（）《》「」『』—…　・ー〜～〈〉【】．－々〇"

_HANS = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
    "日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政"
    "美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员"
    "解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件"
    "计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象"
    "完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笑早笑曰哥"
)
_HANT = (
    "這個們來為國說時要會對過後發裡經麼學現當沒動還進樣開從實軍無與長機業關點將兩間問重並應戰向頭體見產"
    "話內門東聲員論處義幾認條係氣題爾變總電數報結計許統隊區決馬書則聽卻達強難權設記類據邊張該規萬覺術領"
    "確傳師觀識帶導爭運眾兒給麗風飛樂愛親車錢銀賈寶釵黛鳳妳吧嗎啊哦您喜歡覺讓誰請謝貓"
)
_KANJI = (
    "日一人大国会年二本中長出三同時政事自行社見月分議後前民生連五発間対上部東者党地合市業内相方四定今回"
    "新場金員九入選立開手米力学問高代明実円関決子動京全目表戦経通外最言氏現理調体化田当八六約主題下首意"
    "法不来作性的要用制治度務強気小七成期公野協取都和統以機平総加山思家話世受区領多県続進正安設保改数記"
    "院女初北午指権心界支第産結百派点教報済書府活原先共得解名交資予川向際査勝面委告軍文反元重近千考判認画"
    "海参売利組知案道信策集在件団別物側任引使求所次水半品昨論計死官増係感特情投示変打男基私各始島直両朝革"
    "価式確村提運終挙果西勢減台広容必応演電歳住争談能無再位置企真流格有疑口過局少放税検藤町常校料沢裁状工"
    "建語球営空職証土与急止送援供可役構木割聞身費付施切由説転食比難防補車優夫研収断井何南石足違消境神番規"
    "術護展態導鮮備宅害配副算視条幹独警宮究育席輸訪楽起万着乗店述残想線率病農州武声質念待試族象銀域助労"
)
_HANGUL = (
    "이다는의에을를고가하은들한지도로사기나어자리인서대그시있해아수라정일전국보만제것여과게부주장상면우조"
    "으스구공선원화유소었미거관방비신동성중니오연치계금안세경무실생위문교개적등년회마내물드모트당진행와되러"
    "식말통학민발업단양터체했간용분산때각권운양반입본월습명재야외표결후영남북요려까차습더심법역력같처바두"
    "살람왔알를건강집음길않았겠울없던잘못많던데래네무엇왜씨님"
)
_ALPHABETS = {
    "western": "éèàäöüáíóñçâêîôûùëïßåøæœúãõìò",
    "german": "äüöß",
    "french": "éèàêçôîùâûœëï",
    "spanish": "óíáéñúü",
    "portuguese": "ãçáéíóêõâàúô",
    "italian": "àèùòìé",
    "nordic": "åäöøæé",
    "icelandic": "áíðöéúóæþý",
    "albanian": "ëç",
    "polish": "ąęłóśżćźń",
    "czech": "áíěéžčřšýůúňóťď",
    "slovak": "áíčžéýšúľťôóňďäĺŕ",
    "hungarian": "áéőöíóüúű",
    "croatian": "čšžćđ",
    "romanian": "ăîâşţșț",
    "turkish": "ıişüğçöâİ",
    "baltic": "āėšīžūčęąįųģķļņēõäöü",
    "vietnamese": "đàáạảãâăêôơưéèíìóòúùýõũĩ",
    "esperanto": "ĉĝĥĵŝŭ",
    "russian": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё",
    "ukrainian": "оаниіетврстслкдумпязьбгчйхцжїюєщшфґ",
    "belarusian": "аіенорлтсуякдывмзпбьгчцжйшхўёюэф",
    "serbian": "аиоенсртјукдвпмлзгбчшжцћђфхњљџ",
    "bulgarian": "аеоитнрсвлкдпмзгбъучяйжщшхцюьф",
    "greek": "αοιετσνηυρπκμλςωάίόέήύώδγχθφβξζψϊΐϋ",
    "hebrew": "יוהלאמרתבשנעדקפחםצגטכזןסךץף\u05b0\u05b4\u05b7\u05b8\u05b9\u05bc",
    "arabic": "اليمونترعبسدفكهقحجةشطصخىأإضذثءغظئآؤپچگکی،؟"
    "\u064b\u064d\u064e\u064f\u0650\u0651\u0652ـ",
    "thai": "านรอกเงมยลวดทสตะปบคหแจพชขใไโผซถธณฟศษญภฉฝ"
    "\u0e48\u0e49\u0e31\u0e35\u0e34\u0e37\u0e38\u0e39\u0e4c\u0e47\u0e36\u0e33ๆ",
}
# The lower-case letters and capitals past ASCII of the alphabets that single-byte encodings hold.
_LOWER = "".join(chr(code) for code in range(0x80, 0x530) if chr(code).islower())
_UPPER = "".join(chr(code) for code in range(0x80, 0x530) if chr(code).isupper())
# What writers hardly ever do: a capital after a small letter; a Latin letter beside a Cyrillic,
# Greek, Hebrew, Arabic or Thai one; three accented Latin letters in a row.
_CASE_BREAK = re.compile(
    f"[a-z{_LOWER}](?=[{_UPPER}])|[{_LOWER}](?=[A-Z{_UPPER}])"
    f"|[A-Z{_UPPER}][{_UPPER}](?=[a-z{_LOWER}])"
)
_SCRIPT_BREAK = re.compile(
    "[A-Za-z](?=[\u0370-\u0eff])|[\u0370-\u0eff](?=[A-Za-z])|(?<=[\u00c0-\u024f]{2})[\u00c0-\u024f]"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An encoding, and the character costs of the languages written in it.

    Attributes:
        encoding: Python's name of the codec.
        models: for each language the cost of its characters in bits.
        prior_bits: minus the logarithm of how common the encoding is among text files; a bias that
            only short or nearly ASCII files feel.
    """

    encoding: str
    models: tuple[Mapping[str, float], ...]
    prior_bits: float

    @property
    def doubt_bits(self) -> float:
        """What each character past ASCII costs more, as old encodings need clearer evidence."""
        return 2.0 if self.prior_bits >= _RARE_BITS else 0.0


def cost_bits(text: str, candidate: Candidate) -> float:
    """Return minus the log2 likelihood of `text` under the best of the candidate's languages."""
    counts = Counter(text)
    ascii_count = sum(count for character, count in counts.items() if character < "\x80")
    others = [(character, count) for character, count in counts.items() if character >= "\x80"]
    breaks = len(_CASE_BREAK.findall(text)) + len(_SCRIPT_BREAK.findall(text))
    return (
        ascii_count * _ASCII_BITS
        + breaks * _BREAK_BITS
        + candidate.doubt_bits * (len(text) - ascii_count)
        + min(
            sum(count * (model.get(c) or _unknown_bits(c)) for c, count in others)
            for model in candidate.models
        )
    )


def _unknown_bits(character: str) -> float:
    if "\u3400" <= character <= "\ud7a3":
        return _UNKNOWN_IDEOGRAPH_BITS
    if character.isalpha() and character < "\u3000":
        return _UNKNOWN_LETTER_BITS
    return _UNKNOWN_SYMBOL_BITS if character.isprintable() else 2 * _UNKNOWN_SYMBOL_BITS


def _alphabet(letters: str) -> dict[str, float]:
    """Model an alphabet: its letters in falling order of frequency, and their capitals."""
    weights = [1 / (rank + 3) for rank in range(len(letters))]
    total = sum(weights)
    costs = dict(_PUNCTUATION)
    for letter, weight in zip(letters, weights, strict=True):
        bits = -math.log2(_LETTERS_SHARE * weight / total)
        costs.setdefault(letter, bits)
        if len(letter.upper()) == 1:
            costs.setdefault(letter.upper(), bits + _CAPITAL_BITS)
    return costs


def _ideographs(common: str, *, kana: bool = False) -> dict[str, float]:
    """Model a script of many characters: the common ones in falling order of frequency."""
    costs = dict.fromkeys(_WIDE_PUNCTUATION, 7.0)
    for rank, character in enumerate(dict.fromkeys(common)):
        costs.setdefault(character, 7.0 + 0.8 * math.log2(1 + rank / 8))
    if kana:
        costs |= {chr(code): 6.0 for code in range(0x3041, 0x3094)}
        costs |= {chr(code): 8.5 for code in range(0x30A1, 0x30F7)}
    return costs | {chr(code): 11.0 for code in range(0xFF10, 0xFF5B)}


_MODELS = {name: _alphabet(letters) for name, letters in _ALPHABETS.items()} | {
    "hans": _ideographs(_HANS),
    "hant": _ideographs(
        _HANS[:10]
        + "".join(a + b for a, b in zip(_HANT, _HANS, strict=False))
        + _HANS[len(_HANT) :]
    ),
    "japanese": _ideographs(_KANJI, kana=True),
    "korean": _ideographs(_HANGUL),
}
_WESTERN = "western german french spanish portuguese italian nordic icelandic albanian"
_CENTRAL = "polish czech slovak hungarian croatian romanian german"
_CYRILLIC = "russian ukrainian belarusian serbian bulgarian"
_RARE_BITS = 40.0

CANDIDATES = tuple(
    Candidate(encoding, tuple(_MODELS[name] for name in names.split()), prior_bits)
    for encoding, names, prior_bits in (
        ("cp1252", _WESTERN, 0.0),
        ("cp1251", _CYRILLIC, 5.0),
        ("gb18030", "hans hant", 5.0),
        ("big5", "hant", 6.0),
        ("cp932", "japanese", 6.0),
        ("euc_jp", "japanese", 7.0),
        ("cp949", "korean", 6.0),
        ("koi8_r", "russian bulgarian", 7.0),
        ("koi8_u", "ukrainian", 9.0),
        ("iso8859_1", _WESTERN, 1.0),
        ("iso8859_15", _WESTERN, 6.0),
        ("cp1250", _CENTRAL, 7.0),
        ("iso8859_2", _CENTRAL, 8.0),
        ("cp1253", "greek", 7.0),
        ("iso8859_7", "greek", 8.0),
        ("cp1255", "hebrew", 7.0),
        ("cp1256", "arabic", 7.0),
        ("iso8859_6", "arabic", 9.0),
        ("cp1254", "turkish", 8.0),
        ("cp1257", "baltic", 12.0),
        ("cp1258", "vietnamese", 12.0),
        ("cp874", "thai", 8.0),
        ("iso8859_3", "esperanto", 20.0),
        ("iso8859_4", "baltic", 20.0),
        ("iso8859_5", _CYRILLIC, 12.0),
        ("cp866", _CYRILLIC, 12.0),
        ("mac_cyrillic", _CYRILLIC, 20.0),
        ("cp855", _CYRILLIC, _RARE_BITS),
        ("mac_roman", _WESTERN, _RARE_BITS),
        ("cp850", _WESTERN, _RARE_BITS),
        ("cp437", _WESTERN, _RARE_BITS),
        ("johab", "korean", _RARE_BITS),
    )
)
