"""Which language a text is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.parsing.language import detect_language

SAMPLES = {
    "en": "It was the best of times, it was the worst of times, "
    "and she said that he had not been there.",
    "de": "Als Gregor Samsa eines Morgens aus unruhigen Träumen "
    "erwachte, fand er sich in seinem Bett.",
    "fr": "Il y avait en Vestphalie, dans le château de monsieur "
    "le baron, un jeune garçon qui ne dit pas.",
    "es": "En un lugar de la Mancha, de cuyo nombre no quiero "
    "acordarme, no ha mucho tiempo que vivía.",
    "it": "Nel mezzo del cammin di nostra vita mi ritrovai "
    "per una selva oscura, che la via era smarrita.",
    "pt": "Não tive filhos, não transmiti a nenhuma criatura "
    "o legado da nossa miséria, e foi o que me deu.",
    "nl": "Ik ben makelaar in koffie en woon op de gracht. "
    "Het is niet mijn gewoonte om dit te schrijven.",
    "la": "Gallia est omnis divisa in partes tres, quarum "
    "unam incolunt Belgae, et hi non sunt ad eos.",
    "ru": "Все счастливые семьи похожи друг на друга, но каждая "
    "несчастливая семья несчастлива по-своему.",
    "uk": "Він не знав, що це таке, але й не хотів того "
    "знати, бо до нього з гори як раз ішли люди.",
    "zh-Hans": "盖闻天地之数，有十二万九千六百岁为一元。将一元分为十二会，"
    "这个国家的人们都说来了。",
    "zh-Hant": "此開卷第一回也，作者自云：因曾歷過一番夢幻之後，"
    "故將真事隱去，而借通靈之說，撰此書也。",
    "ja": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
    "何でも薄暗い所で泣いた。",
    "ko": "나는 이 집에서 가장 오래된 나무를 보고 "
    "있었다. 그는 아무 말도 하지 않았다.",
    "el": "Στην αρχή ήταν ο λόγος και ο λόγος ήταν προς τον θεό.",
    "he": "בראשית ברא אלהים את השמים ואת הארץ",
    "ar": "كان يا ما كان في قديم الزمان وسالف العصر والأوان",
    "fa": "یکی بود یکی نبود، غیر از خدا هیچکس "
    "نبود و پادشاهی چند پسر داشت",
    "th": "กาลครั้งหนึ่งนานมาแล้วมีพระราชาองค์หนึ่ง",
}  # fmt: skip


@pytest.mark.parametrize("tag", SAMPLES)
@pytest.mark.parametrize("repeats", [1, 2000])
def test_languages(tag: str, repeats: int) -> None:
    assert detect_language((SAMPLES[tag] + "\n") * repeats) == tag


@pytest.mark.parametrize("text", ["", "12345 -- 67", "xq zzk", "Qwrt plmk vbnz hjkl " * 9])
def test_nothing_to_tell(text: str) -> None:
    assert detect_language(text) == "und"


def test_an_english_title_page_does_not_decide() -> None:
    english, german = SAMPLES["en"] * 60, SAMPLES["de"] * 1500
    assert detect_language(f"{english}\n{german}") == "de"


@pytest.mark.corpus
def test_the_universal_declaration(corpus: Path) -> None:
    names = {
        "Bulgarian_Balgarski": "bg", "Czech": "cs", "English": "en", "Esperanto": "eo",
        "Finnish_Suomi": "fi", "German_Deutsch": "de", "Hungarian_Magyar": "hu",
        "Italian_Italiano": "it", "Latin_Latina": "la", "Polish_Polski": "pl", "Spanish": "es",
        "Swedish_Svenska": "sv", "Turkish_Turkce": "tr", "Ukrainian": "uk", "Catalan": "ca",
        "Japanese_Nihongo": "ja", "Russian_Russky": "ru",
    }  # fmt: skip
    encodings = {"UTF8": "utf-8", "Latin1": "cp1252", "Latin2": "cp1250", "Turkish": "cp1254"}
    checked = 0
    for path in sorted((corpus / "txt/encodings/udhr").iterdir()):
        name, _, encoding = path.name.rpartition("-")
        if name in names and encoding in encodings:
            text = path.read_bytes().decode(encodings[encoding], errors="replace")
            assert detect_language(text) == names[name], path.name
            checked += 1
    assert checked >= 17
